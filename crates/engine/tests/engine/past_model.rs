//! The past against a model: random histories, of which everything is asked again after checkpoints, merges of files,
//! restarts, and restores into databases of their own.

use std::path::Path;

use crate::common::{error, run};
use springtide_engine::{Database, Location, Options, RestorePoint, Session, restore};
use tempfile::TempDir;

const SCHEMA: &str = "CREATE TABLE t (k int PRIMARY KEY, g int, v bigint);
    CREATE TABLE log (g int, note text, took interval);
    CREATE TABLE f (x float8, n text);
    CREATE MATERIALIZED VIEW s AS SELECT g, count(*) AS n, sum(v) AS v, max(v) AS most FROM t GROUP BY g;
    CREATE MATERIALIZED VIEW j AS SELECT s.g, s.n, log.note FROM s LEFT JOIN log ON log.g = s.g;
    CREATE MATERIALIZED VIEW ratio AS SELECT k, 100 / v AS r FROM t";

const RELATIONS: [&str; 6] = ["t", "log", "f", "s", "j", "ratio"];

/// All columns of a relation. Which of several zeros that are equal is there, nobody is told.
fn columns(relation: &str) -> &'static str {
    match relation {
        "t" => "k, g, v",
        "log" => "g, note, took",
        "f" => "CASE WHEN x = 0 THEN 0 ELSE x END, n",
        "s" => "g, n, v, most",
        "j" => "g, n, note",
        _ => "k, r",
    }
}

/// What each relation answered at a moment; the error's SQLSTATE for one in error.
struct Known {
    moment: String,
    answers: Vec<String>,
}

async fn answer(session: &mut Session, sql: &str) -> String {
    run(session, sql).await.unwrap_or_else(|error| error.sqlstate.code().to_owned())
}

async fn note(session: &mut Session, known: &mut Vec<Known>) {
    let mut answers = Vec::new();
    for relation in RELATIONS {
        answers.push(answer(session, &format!("SELECT {} FROM {relation}", columns(relation))).await);
    }
    let moment = run(session, "SELECT now()").await.expect("the time is known");
    known.push(Known { moment, answers });
}

async fn check(session: &mut Session, known: &Known) {
    let moment = &known.moment;
    for (relation, expected) in RELATIONS.iter().zip(&known.answers) {
        let columns = columns(relation);
        let sql = format!("SELECT {columns} FROM {relation} FOR SYSTEM_TIME AS OF '{moment}'");
        let past = answer(session, &sql).await;
        assert_eq!(past, *expected, "{relation} as of {moment}");
        // What holds an error now has no versions now, but had some before.
        run(session, &format!("SET springtide.as_of = '{moment}'")).await.unwrap();
        let last =
            answer(session, &format!("SELECT {columns} FROM versions({relation}) WHERE valid_to > now()"))
                .await;
        run(session, "RESET springtide.as_of").await.unwrap();
        assert_eq!(last, *expected, "versions of {relation} as of {moment}");
        let there = format!("valid_from <= '{moment}' AND '{moment}' < valid_to");
        let versions =
            answer(session, &format!("SELECT {columns} FROM versions({relation}) WHERE {there}")).await;
        if expected != "22012" && versions != "22012" {
            assert_eq!(versions, *expected, "versions of {relation} at {moment}");
        }
        if expected != "22012" {
            // The change log up to a moment adds up to what was there.
            if *relation != "t" {
                continue;
            }
            let sql = format!(
                "SELECT {columns} FROM changes({relation}, '1970-01-01', '{moment}') GROUP BY {columns} HAVING sum(_weight) > 0"
            );
            assert_eq!(answer(session, &sql).await, *expected, "changes of {relation} until {moment}");
        }
    }
}

fn statement(random: &mut fastrand::Rng) -> String {
    let (key, group, value) = (random.i32(0..30), random.i32(0..4), random.i64(-20..20));
    let mut float = || ["NULL", "'NaN'", "'-0'", "0", "1.5"][random.usize(..5)];
    let (x, y) = (float(), float());
    let text = ["NULL", "'a'", "''"][random.usize(..3)];
    match random.u8(0..10) {
        7 => format!("INSERT INTO f VALUES ({x}, {text}), ({x}, {text}), ({y}, 'b')"),
        8 => format!("DELETE FROM f WHERE x = {x} OR n IS NOT DISTINCT FROM {text}"),
        9 => format!(
            "BEGIN; INSERT INTO f VALUES ({x}, {text}), ({y}, {text}); UPDATE f SET n = 'c' WHERE x = {x};
            UPDATE f SET n = {text} WHERE n = 'c'; DELETE FROM f WHERE x = {y} AND n = 'b'; COMMIT"
        ),
        0 => format!("DELETE FROM t WHERE k = {key}"),
        1 => format!("UPDATE t SET v = v + {value} WHERE g = {group}"),
        2 => format!("INSERT INTO log VALUES ({group}, 'n{value}', '{} days 1 second')", value.abs()),
        3 => format!("DELETE FROM log WHERE g = {group}"),
        4 => format!(
            "BEGIN; DELETE FROM t WHERE k = {key}; INSERT INTO t VALUES ({key}, {group}, {value}); COMMIT"
        ),
        _ => format!(
            "INSERT INTO t VALUES ({key}, {group}, {value}) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_moment_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(17);
    let mut known = Vec::new();
    for part in 0..5 {
        let database = Database::open_in(directory.path(), Options::new(1 + part % 3)).unwrap();
        let mut session = database.session();
        if part == 0 {
            run(&mut session, SCHEMA).await.unwrap();
        }
        for number in 0..80 {
            run(&mut session, &statement(&mut random)).await.unwrap();
            if number % 6 == 0 {
                note(&mut session, &mut known).await;
            }
            if random.u8(0..8) == 0 {
                run(&mut session, "CHECKPOINT").await.unwrap();
            }
        }
        for known in &known {
            check(&mut session, known).await;
        }
        drop(session);
        database.shutdown().await;
    }
}

/// There are bases between the moments, and rows that occur several times.
#[tokio::test(flavor = "multi_thread")]
async fn moments_between_bases_are_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let mut known: Vec<(String, String)> = Vec::new();
    let summary = |relation: &str, time: &str| {
        format!(
            "SELECT count(*), sum(v), count(v), min(v), count(DISTINCT v), sum(CAST(v AS int8) * v) FROM {relation} {time}"
        )
    };
    for part in 0..3 {
        let database = Database::open_in(directory.path(), Options::new(2)).unwrap();
        let mut session = database.session();
        if part == 0 {
            let schema = "CREATE TABLE twice (k int, v int);
                CREATE TABLE keyed (k int PRIMARY KEY, v int);
                INSERT INTO twice SELECT n % 2000, n % 2000 FROM generate_series(1, 4000) AS g(n);
                INSERT INTO keyed SELECT n, NULLIF(n % 5, 0) FROM generate_series(1, 4000) AS g(n)";
            run(&mut session, schema).await.unwrap();
        }
        for round in 0..14 {
            let update = match round % 3 {
                0 => "UPDATE twice SET v = v + 1; UPDATE keyed SET v = v + 1 WHERE k % 7 > 0",
                1 => "UPDATE twice SET v = v - 1 WHERE k > 50; DELETE FROM keyed WHERE k % 10 = 3",
                _ => {
                    "UPDATE twice SET v = v / 2 + k WHERE k % 3 > 0;
                    INSERT INTO keyed SELECT n, n FROM generate_series(1, 4000) AS g(n) WHERE n % 10 = 3
                    ON CONFLICT (k) DO UPDATE SET v = excluded.v + 1; UPDATE keyed SET v = -v WHERE k % 2 = 0"
                }
            };
            run(&mut session, update).await.unwrap();
            let mut answers = run(&mut session, &summary("twice", "")).await.unwrap();
            answers += &run(&mut session, &summary("keyed", "")).await.unwrap();
            known.push((run(&mut session, "SELECT now()").await.unwrap(), answers));
            if round % 4 != 1 {
                run(&mut session, "CHECKPOINT").await.unwrap();
            }
        }
        for (number, (moment, expected)) in known.iter().enumerate() {
            let time = format!("FOR SYSTEM_TIME AS OF '{moment}'");
            for _ in 0..2 {
                let mut answers = run(&mut session, &summary("twice", &time)).await.unwrap();
                answers += &run(&mut session, &summary("keyed", &time)).await.unwrap();
                assert_eq!(answers, *expected, "moment {number} in part {part}");
            }
        }
        drop(session);
        database.shutdown().await;
    }
    let histories = std::fs::read_dir(directory.path().join("history")).unwrap();
    for history in histories {
        let files = std::fs::read_dir(history.unwrap().path()).unwrap();
        let bases =
            files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains("base"));
        assert!(bases.count() > 0, "there is a base");
    }
}

fn at(directory: &Path) -> Location {
    Location::directory(directory)
}

/// A new directory in which a database was restored.
fn restored(from: &TempDir, point: &RestorePoint) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    restore(&at(from.path()), point, &at(directory.path())).expect("there is such a moment");
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_becomes_a_database_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open_in(directory.path(), Options::new(2)).unwrap();
    let mut session = database.session();
    run(&mut session, SCHEMA).await.unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let mut known = Vec::new();
    for number in 0..40 {
        run(&mut session, &statement(&mut random)).await.unwrap();
        note(&mut session, &mut known).await;
        if number == 20 {
            run(&mut session, "CREATE SNAPSHOT middle").await.unwrap();
            run(&mut session, "CREATE TABLE later (a int)").await.unwrap();
        }
    }
    let early = format!("CREATE SNAPSHOT \"Early\" AS OF '{}'", known[7].moment);
    run(&mut session, &early).await.unwrap();
    assert_eq!(error(&mut session, "CREATE SNAPSHOT middle").await.sqlstate.code(), "42710");
    for (wrong, state) in [
        ("CREATE SNAPSHOT", "42601"),
        ("CREATE SNAPSHOT a b", "42601"),
        ("CREATE SNAPSHOT old AS OF '2020-01-01'", "22023"),
        ("CREATE SNAPSHOT new AS OF '2999-01-01'", "22023"),
        ("CREATE SNAPSHOT no AS OF NULL", "22004"),
        ("CREATE SNAPSHOT no AS OF 'someday'", "22007"),
        ("DROP SNAPSHOT", "42601"),
        ("CALL springtide.nothing()", "42883"),
    ] {
        assert_eq!(error(&mut session, wrong).await.sqlstate.code(), state, "{wrong}");
    }
    let shown = run(&mut session, "SHOW SNAPSHOTS").await.unwrap();
    assert!(shown.starts_with("Early 20") && shown.contains(" | middle 20"), "{shown}");
    let listed = "SELECT name, at, created > at AND created <= now() FROM springtide_catalog.snapshots";
    let listed = run(&mut session, listed).await.unwrap();
    assert_eq!(listed, shown.replace(" | ", " true | ") + " true");
    let as_of = format!("SELECT name FROM springtide_catalog.snapshots WHERE at = '{}'", known[7].moment);
    assert_eq!(run(&mut session, &as_of).await.unwrap(), "Early");
    let middle = "SELECT * FROM t FOR SYSTEM_TIME AS OF
        (SELECT at FROM springtide_catalog.snapshots WHERE name = 'middle')";
    assert_eq!(run(&mut session, middle).await.unwrap(), known[20].answers[0]);
    // The server goes on meanwhile.
    for (point, index) in [
        (RestorePoint::Snapshot("middle".to_owned()), 20),
        (RestorePoint::Snapshot("Early".to_owned()), 7),
        (RestorePoint::parse(&known[30].moment).unwrap(), 30),
        (RestorePoint::Newest, 39),
    ] {
        let copy = restored(&directory, &point);
        let database = Database::open_in(copy.path(), Options::new(3)).unwrap();
        let mut session = database.session();
        for (relation, expected) in RELATIONS.iter().zip(&known[index].answers) {
            assert_eq!(
                answer(&mut session, &format!("SELECT {} FROM {relation}", columns(relation))).await,
                *expected,
                "{point:?}"
            );
        }
        for known in &known[..index] {
            check(&mut session, known).await;
        }
        let later = if index > 20 { "" } else { "42P01" };
        assert_eq!(answer(&mut session, "SELECT * FROM later").await, later);
        run(&mut session, "DELETE FROM t; INSERT INTO t VALUES (1, 1, 5)").await.unwrap();
        assert_eq!(answer(&mut session, "SELECT * FROM s").await, "1 1 5 5");
        drop(session);
        database.shutdown().await;
        let error = restore(&at(directory.path()), &point, &at(copy.path())).unwrap_err();
        assert_eq!(error.sqlstate.code(), "55000");
    }
    let absent = RestorePoint::Snapshot("nothing".to_owned());
    assert_eq!(
        restore(&at(directory.path()), &absent, &at(&directory.path().join("x")))
            .unwrap_err()
            .sqlstate
            .code(),
        "42704"
    );
    let future = RestorePoint::parse("2999-01-01").unwrap();
    assert_eq!(
        restore(&at(directory.path()), &future, &at(&directory.path().join("x")))
            .unwrap_err()
            .sqlstate
            .code(),
        "22023"
    );
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_keeps_what_is_dropped_later() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open_in(directory.path(), Options::new(2)).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t")
        .await
        .unwrap();
    run(&mut session, "INSERT INTO t VALUES (1), (2)").await.unwrap();
    run(&mut session, "CREATE SNAPSHOT before").await.unwrap();
    assert_eq!(error(&mut session, "BEGIN; CREATE SNAPSHOT x").await.sqlstate.code(), "25001");
    run(&mut session, "ROLLBACK").await.unwrap();
    run(&mut session, "DROP TABLE t CASCADE").await.unwrap();
    run(&mut session, "CREATE TABLE t (b text)").await.unwrap();
    for _ in 0..3 {
        run(&mut session, "INSERT INTO t VALUES ('x')").await.unwrap();
        run(&mut session, "CHECKPOINT").await.unwrap();
    }
    let copy = restored(&directory, &RestorePoint::Snapshot("before".to_owned()));
    let other = Database::open_in(copy.path(), Options::new(1)).unwrap();
    assert_eq!(run(&mut other.session(), "SELECT * FROM t").await.unwrap(), "1 | 2");
    assert_eq!(run(&mut other.session(), "SELECT * FROM v").await.unwrap(), "3");
    other.shutdown().await;
    let files = || {
        std::fs::read_dir(directory.path().join("history"))
            .unwrap()
            .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
            .count()
    };
    let with_snapshot = files();
    run(&mut session, "DROP SNAPSHOT before").await.unwrap();
    assert_eq!(error(&mut session, "DROP SNAPSHOT before").await.sqlstate.code(), "42704");
    run(&mut session, "DROP SNAPSHOT IF EXISTS before").await.unwrap();
    for text in ["a", "b"] {
        run(&mut session, &format!("INSERT INTO t VALUES ('{text}')")).await.unwrap();
        run(&mut session, "CHECKPOINT").await.unwrap();
    }
    assert!(files() < with_snapshot + 2, "the files of what was dropped are gone");
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_kept_as_long_as_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open_in(directory.path(), Options::new(2)).unwrap();
    let mut session = database.session();
    for sql in [
        "CREATE TABLE brief (k int PRIMARY KEY, v int) WITH (history = 'none')",
        "CREATE TABLE kept (k int PRIMARY KEY, v int)",
        "CREATE MATERIALIZED VIEW ratio WITH (history = '1 microsecond') AS SELECT k, 100 / v AS r FROM brief",
        "INSERT INTO brief SELECT n, 0 FROM generate_series(1, 1000) AS g(n)",
        "INSERT INTO kept SELECT * FROM brief",
    ] {
        run(&mut session, sql).await.unwrap();
    }
    let early = run(&mut session, "SELECT now()").await.unwrap();
    for round in 0..40 {
        run(&mut session, "UPDATE brief SET v = v + 1").await.unwrap();
        run(&mut session, "UPDATE kept SET v = v + 1").await.unwrap();
        if round % 10 == 9 {
            run(&mut session, "CHECKPOINT").await.unwrap();
        }
    }
    let late = run(&mut session, "SELECT now()").await.unwrap();
    run(&mut session, "UPDATE brief SET v = 0 WHERE k = 1").await.unwrap();
    let sum =
        |table: &str, moment: &str| format!("SELECT sum(v) FROM {table} FOR SYSTEM_TIME AS OF '{moment}'");
    assert_eq!(run(&mut session, &sum("kept", &early)).await.unwrap(), "0");
    let refused = error(&mut session, &sum("brief", &early)).await;
    assert_eq!(refused.sqlstate.code(), "22023");
    assert!(refused.detail.is_some_and(|detail| detail.starts_with("The oldest moment")));
    let since = format!("SELECT count(*) FROM changes(brief, '{early}')");
    assert_eq!(error(&mut session, &since).await.sqlstate.code(), "22023");
    assert_eq!(run(&mut session, &sum("brief", &late)).await.unwrap(), "40000");
    let errors = format!("SELECT count(*) FROM ratio FOR SYSTEM_TIME AS OF '{late}'");
    assert_eq!(run(&mut session, &errors).await.unwrap(), "1000");
    assert_eq!(error(&mut session, "SELECT * FROM ratio").await.sqlstate.code(), "22012");
    database.shutdown().await;
    drop(session);

    let database = Database::open_in(directory.path(), Options::new(1)).unwrap();
    let mut session = database.session();
    assert_eq!(run(&mut session, "SELECT sum(v) FROM brief").await.unwrap(), "39960");
    assert_eq!(error(&mut session, &sum("brief", &early)).await.sqlstate.code(), "22023");
    assert_eq!(error(&mut session, "SELECT * FROM ratio").await.sqlstate.code(), "22012");
    assert_eq!(run(&mut session, "ALTER TABLE kept SET (history = '7 days')").await.unwrap(), "ALTER TABLE");
    let altered = run(&mut session, "ALTER MATERIALIZED VIEW ratio SET (history = 'forever')").await;
    assert_eq!(altered.unwrap(), "ALTER MATERIALIZED VIEW");
    for (wrong, state) in [
        ("CREATE TABLE x (a int) WITH (history = 7)", "22023"),
        ("CREATE TABLE x (a int) WITH (history = '-1 day')", "22023"),
        ("CREATE TABLE x (a int) WITH (history = 'sometimes')", "22007"),
        ("CREATE TABLE x (a int) WITH (future = '1 day')", "22023"),
        ("ALTER TABLE kept SET (append_only = true)", "0A000"),
        ("ALTER TABLE nothing SET (history = 'none')", "42P01"),
    ] {
        assert_eq!(error(&mut session, wrong).await.sqlstate.code(), state, "{wrong}");
    }
    database.shutdown().await;
}

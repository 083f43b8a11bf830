//! Rows with the time that they were there, and labels joined with what was known at their time.

use std::time::Duration;

use crate::common::{error, run};
use springtide_engine::{Database, Options, Session};

const OPTIONS: Options = Options::new(2);

async fn now(session: &mut Session) -> String {
    let moment = run(session, "SELECT now()").await.expect("the time is known");
    tokio::time::sleep(Duration::from_millis(2)).await;
    moment
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_follow_from_the_changes() {
    let directory = tempfile::tempdir().unwrap();
    let mut moments = Vec::new();
    for part in 0..3 {
        let database = Database::open_in(directory.path(), OPTIONS).unwrap();
        let mut session = database.session();
        if part == 0 {
            for sql in [
                "CREATE TABLE item (id int PRIMARY KEY, price int); CREATE TABLE bag (x text)",
                "CREATE MATERIALIZED VIEW total AS SELECT sum(price) AS price FROM item",
                "INSERT INTO item VALUES (1, 10), (2, 20)",
                "UPDATE item SET price = 11 WHERE id = 1; UPDATE item SET price = 20 WHERE id = 2",
                "DELETE FROM item WHERE id = 2; INSERT INTO bag VALUES ('a'), ('a'), (NULL)",
                "INSERT INTO bag VALUES ('a')",
                "DELETE FROM bag",
                "INSERT INTO item VALUES (2, 20); INSERT INTO bag VALUES (NULL)",
            ] {
                run(&mut session, sql).await.unwrap();
                moments.push(now(&mut session).await);
            }
        }
        // The numbers of the moments between which each row came and went.
        let number = |column: &str| {
            let earlier = moments.iter().map(|moment| format!("({column} > '{moment}')::int"));
            earlier.collect::<Vec<_>>().join(" + ")
        };
        let periods = format!("{}, {}", number("valid_from"), number("valid_to"));
        for (sql, expected) in [
            ("id, price, # FROM versions(item)", "1 10 2 3 | 1 11 3 8 | 2 20 2 4 | 2 20 7 8"),
            ("price, # FROM versions(total)", "11 4 7 | 30 2 3 | 31 3 4 | 31 7 8 | NULL 1 2"),
            ("x, # FROM versions(bag)", "NULL 4 6 | NULL 7 8 | a 4 6 | a 4 6 | a 5 6"),
            (
                "v.id, # FROM versions(item) v WHERE v.valid_to = '9999-12-31 23:59:59.999999+00'",
                "1 3 8 | 2 7 8",
            ),
        ] {
            let sql = format!("SELECT {}", sql.replace('#', &periods));
            assert_eq!(run(&mut session, &sql).await.unwrap(), expected, "{part}: {sql}");
        }
        // As of a moment, what went later has not gone.
        let as_of = format!("SET springtide.as_of = '{}'", moments[2]);
        run(&mut session, &as_of).await.unwrap();
        let sql = format!("SELECT id, price, {periods} FROM versions(item)");
        assert_eq!(run(&mut session, &sql).await.unwrap(), "1 10 2 8 | 2 20 2 8");
        run(&mut session, "RESET springtide.as_of").await.unwrap();
        // What a transaction has written itself has no period yet.
        run(&mut session, "BEGIN; DELETE FROM item").await.unwrap();
        let open = run(&mut session, "SELECT count(*) FROM versions(item)").await.unwrap();
        assert_eq!(open, "4");
        assert_eq!(error(&mut session, "SELECT * FROM versions(total)").await.sqlstate.code(), "42809");
        run(&mut session, "ROLLBACK").await.unwrap();
        if part == 1 {
            run(&mut session, "CHECKPOINT").await.unwrap();
        }
        drop(session);
        database.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_history_begins_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open_in(directory.path(), OPTIONS).unwrap();
    let mut session = database.session();
    run(&mut session, "CREATE TABLE brief (k int PRIMARY KEY, v int) WITH (history = 'none')").await.unwrap();
    run(&mut session, "INSERT INTO brief SELECT n, 0 FROM generate_series(1, 3000) AS g(n)").await.unwrap();
    let early = now(&mut session).await;
    for _ in 0..40 {
        run(&mut session, "UPDATE brief SET v = v + 1").await.unwrap();
        run(&mut session, "CHECKPOINT").await.unwrap();
    }
    let late = now(&mut session).await;
    run(&mut session, "DELETE FROM brief WHERE k = 7").await.unwrap();
    let count = |condition: &str| format!("SELECT count(*) FROM versions(brief) WHERE {condition}");
    assert_eq!(run(&mut session, &count(&format!("valid_from <= '{early}'"))).await.unwrap(), "0");
    let at_late = count(&format!("valid_from <= '{late}' AND '{late}' < valid_to AND v = 40"));
    assert_eq!(run(&mut session, &at_late).await.unwrap(), "3000");
    assert_eq!(run(&mut session, &count("valid_to > now()")).await.unwrap(), "2999");
    let before = format!("SET springtide.as_of = '{early}'");
    run(&mut session, &before).await.unwrap();
    assert_eq!(error(&mut session, "SELECT * FROM versions(brief)").await.sqlstate.code(), "22023");
    database.shutdown().await;
}

const LABELS: &str = "CREATE TABLE feature (k int PRIMARY KEY, v int);
    CREATE TABLE label (id int PRIMARY KEY, k int, at timestamptz);
    CREATE MATERIALIZED VIEW doubled AS SELECT k, sum(2 * v) AS v FROM feature GROUP BY k";

fn statement(random: &mut fastrand::Rng) -> String {
    let (key, value) = (random.i32(0..5), random.i32(0..9));
    match random.u8(0..4) {
        0 => format!("DELETE FROM feature WHERE k = {key}"),
        1 => format!("UPDATE feature SET v = {value}"),
        _ => format!(
            "INSERT INTO feature VALUES ({key}, {value}) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
        ),
    }
}

/// Each label gets the value that was known at its time: what a read as of then gives, or none.
#[tokio::test(flavor = "multi_thread")]
async fn labels_get_what_was_known() {
    let directory = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut labels = Vec::new();
    for part in 0..3 {
        let database = Database::open_in(directory.path(), OPTIONS).unwrap();
        let mut session = database.session();
        if part == 0 {
            run(&mut session, LABELS).await.unwrap();
        }
        for _ in 0..25 {
            run(&mut session, &statement(&mut random)).await.unwrap();
            let (id, key) = (labels.len(), random.i32(0..5));
            let at = now(&mut session).await;
            run(&mut session, &format!("INSERT INTO label VALUES ({id}, {key}, '{at}')")).await.unwrap();
            labels.push((key, at));
            if random.u8(0..8) == 0 {
                run(&mut session, "CHECKPOINT").await.unwrap();
            }
        }
        for relation in ["feature", "doubled"] {
            let mut expected = Vec::new();
            for (id, (key, at)) in labels.iter().enumerate() {
                let sql = format!("SELECT v FROM {relation} FOR SYSTEM_TIME AS OF '{at}' WHERE k = {key}");
                let value = run(&mut session, &sql).await.unwrap();
                expected.push(format!("{id} {}", if value.is_empty() { "NULL" } else { &value }));
            }
            expected.sort();
            for join in [
                "ASOF LEFT JOIN # h MATCH_CONDITION (l.at >= h.valid_from) ON h.k = l.k AND l.at < h.valid_to",
                "LEFT JOIN # h ON h.k = l.k AND l.at >= h.valid_from AND l.at < h.valid_to",
            ] {
                let join = join.replace('#', &format!("versions({relation})"));
                let found =
                    run(&mut session, &format!("SELECT l.id, h.v FROM label l {join}")).await.unwrap();
                assert_eq!(found, expected.join(" | "), "seed {seed}: {join}");
            }
        }
        drop(session);
        database.shutdown().await;
    }
}

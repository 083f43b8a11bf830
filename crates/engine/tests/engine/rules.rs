//! Sequences and constraints: across restarts and crashes, and between sessions at the same time.

use std::collections::BTreeSet;

use crate::common::{copy_of, error, run};
use springtide_engine::{Database, Options};
use tempfile::TempDir;

const OPTIONS: Options = Options::new(2);

fn open(directory: &TempDir) -> Database {
    Database::open_in(directory.path(), OPTIONS).expect("the database opens")
}

fn numbers(answer: &str) -> Vec<i64> {
    answer.split(" | ").map(|number| number.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_goes_on_after_an_orderly_end() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory);
    let mut session = database.session();
    run(&mut session, "CREATE SEQUENCE s START 5 INCREMENT 2; CREATE TABLE t (id serial PRIMARY KEY, a int)")
        .await
        .unwrap();
    assert_eq!(run(&mut session, "SELECT nextval('s')").await.unwrap(), "5");
    assert_eq!(run(&mut session, "INSERT INTO t (a) VALUES (1), (2) RETURNING id").await.unwrap(), "1 | 2");
    database.shutdown().await;
    let database = open(&directory);
    let mut session = database.session();
    assert_eq!(run(&mut session, "SELECT nextval('s')").await.unwrap(), "7");
    assert_eq!(run(&mut session, "INSERT INTO t (a) VALUES (3) RETURNING id").await.unwrap(), "3");
    database.checkpoint().await.unwrap();
    database.shutdown().await;
    let database = open(&directory);
    let mut session = database.session();
    assert_eq!(run(&mut session, "SELECT nextval('s'), last_value FROM s").await.unwrap(), "9 7");
    assert_eq!(error(&mut session, "SELECT currval('t_id_seq')").await.sqlstate.code(), "55000");
    assert_eq!(error(&mut session, "DROP SEQUENCE t_id_seq").await.sqlstate.code(), "2BP01");
    run(&mut session, "ALTER SEQUENCE s RESTART WITH 100").await.unwrap();
    database.shutdown().await;
    let database = open(&directory);
    assert_eq!(run(&mut database.session(), "SELECT nextval('s')").await.unwrap(), "100");
    run(&mut database.session(), "DROP TABLE t; DROP SEQUENCE s").await.unwrap();
    database.shutdown().await;
    let database = open(&directory);
    let left = run(&mut database.session(), "SELECT count(*) FROM pg_sequences").await.unwrap();
    assert_eq!(left, "0");
    database.shutdown().await;
}

/// Whatever was handed out before a crash, in commits, in answers or in transactions that were rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_handed_out_twice() {
    let mut directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let mut seen = BTreeSet::new();
    {
        let database = open(&directory);
        run(
            &mut database.session(),
            "CREATE SEQUENCE s; CREATE TABLE t (id bigint DEFAULT nextval('s'), a int)",
        )
        .await
        .unwrap();
        database.shutdown().await;
    }
    for life in 0..8 {
        let database = open(&directory);
        let mut session = database.session();
        for _ in 0..random.usize(1..60) {
            let answer = match random.u32(..4) {
                0 => run(&mut session, "SELECT nextval('s')").await.unwrap(),
                1 => run(&mut session, "INSERT INTO t (a) VALUES (1), (2), (3) RETURNING id").await.unwrap(),
                2 => run(&mut session, "SELECT nextval('s') FROM generate_series(1, 40)").await.unwrap(),
                _ => {
                    run(&mut session, "BEGIN").await.unwrap();
                    let answer = run(&mut session, "SELECT nextval('s')").await.unwrap();
                    run(&mut session, "ROLLBACK").await.unwrap();
                    answer
                }
            };
            for number in numbers(&answer) {
                assert!(seen.insert(number), "{number} twice, in life {life}");
            }
            if random.u32(..20) == 0 {
                database.checkpoint().await.unwrap();
            }
        }
        let copied = copy_of(&directory);
        database.shutdown().await;
        directory = copied;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_share_the_numbers() {
    let database = Database::open(OPTIONS).unwrap();
    run(&mut database.session(), "CREATE TABLE t (id serial PRIMARY KEY, a int)").await.unwrap();
    let sessions = (0..8).map(|_| {
        let mut session = database.session();
        tokio::spawn(async move {
            for _ in 0..50 {
                run(&mut session, "INSERT INTO t (a) VALUES (1)").await.unwrap();
            }
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap();
    }
    let answer = run(&mut database.session(), "SELECT count(*), max(id) FROM t").await.unwrap();
    assert_eq!(answer, "400 400");
    database.shutdown().await;
}

const SCHEMA: &str = "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, n int CHECK (n > 0));
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, code text REFERENCES p (code));
    CREATE UNIQUE INDEX by_n ON p (n)";

#[tokio::test(flavor = "multi_thread")]
async fn constraints_hold_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory);
    let mut session = database.session();
    run(&mut session, SCHEMA).await.unwrap();
    run(&mut session, "INSERT INTO p VALUES (1, 'a', 1), (2, 'b', 2)").await.unwrap();
    database.checkpoint().await.unwrap();
    run(&mut session, "INSERT INTO p VALUES (3, 'c', 3); INSERT INTO c VALUES (1, 1, 'c'), (2, NULL, NULL)")
        .await
        .unwrap();
    run(&mut session, "ALTER TABLE p ADD COLUMN added int NOT NULL DEFAULT 7").await.unwrap();
    run(&mut session, "ALTER TABLE c ALTER COLUMN code SET NOT NULL").await.unwrap_err();
    let after = copy_of(&directory);
    database.shutdown().await;
    for directory in [directory, after] {
        let database = open(&directory);
        let mut session = database.session();
        for (sql, code) in [
            ("INSERT INTO p VALUES (1, 'x', 9)", "23505"),
            ("INSERT INTO p VALUES (9, 'a', 9)", "23505"),
            ("INSERT INTO p VALUES (9, 'x', 3)", "23505"),
            ("INSERT INTO p VALUES (9, 'x', 0)", "23514"),
            ("INSERT INTO c VALUES (9, 9, NULL)", "23503"),
            ("INSERT INTO c VALUES (9, NULL, 'x')", "23503"),
            ("DELETE FROM p WHERE id = 3", "23503"),
            ("UPDATE p SET code = 'z' WHERE id = 3", "23503"),
            ("DROP TABLE p", "2BP01"),
        ] {
            assert_eq!(error(&mut session, sql).await.sqlstate.code(), code, "{sql}");
        }
        assert_eq!(run(&mut session, "SELECT * FROM p WHERE id = 3").await.unwrap(), "3 c 3 7");
        run(&mut session, "UPDATE c SET code = NULL; DELETE FROM p WHERE id = 1").await.unwrap();
        assert_eq!(run(&mut session, "SELECT * FROM c").await.unwrap(), "2 NULL NULL");
        database.shutdown().await;
    }
}

/// Many sessions insert the same values, and rows that reference others which come and go.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_slips_through_between_transactions() {
    let database = Database::open(OPTIONS).unwrap();
    run(
        &mut database.session(),
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id serial, p int REFERENCES p, u int UNIQUE)",
    )
    .await
    .unwrap();
    let sessions = (0..6).map(|seed| {
        let mut session = database.session();
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..150 {
                let (id, unique) = (random.u32(..4), random.u32(..60));
                let sql = match random.u32(..5) {
                    0 => format!("INSERT INTO p VALUES ({id}) ON CONFLICT DO NOTHING"),
                    1 => format!("DELETE FROM p WHERE id = {id}"),
                    2 => format!("DELETE FROM c WHERE p = {id}"),
                    3 => format!("BEGIN; INSERT INTO c (p, u) VALUES ({id}, {unique}); COMMIT"),
                    _ => format!("UPDATE c SET p = {id} WHERE u = {unique}"),
                };
                if let Err(error) = run(&mut session, &sql).await {
                    let code = error.sqlstate.code().to_owned();
                    assert!(["23503", "23505", "40001"].contains(&code.as_str()), "{sql}: {error}");
                    run(&mut session, "ROLLBACK").await.unwrap();
                }
            }
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap();
    }
    let mut session = database.session();
    let orphans = "SELECT count(*) FROM c WHERE p IS NOT NULL AND p NOT IN (SELECT id FROM p)";
    assert_eq!(run(&mut session, orphans).await.unwrap(), "0");
    let twice = "SELECT count(*) FROM (SELECT u FROM c WHERE u IS NOT NULL GROUP BY u HAVING count(*) > 1) d";
    assert_eq!(run(&mut session, twice).await.unwrap(), "0");
    database.shutdown().await;
}

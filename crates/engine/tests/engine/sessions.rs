//! The embedded API as an application uses it: statements in, rows out, views that follow.

use crate::common::{error, run};
use springtide_engine::{Database, Options, Response, TransactionStatus};

fn open(workers: usize) -> Database {
    Database::open(Options::new(workers)).expect("a database opens")
}

const MANY: &str = "CREATE TABLE a (id int PRIMARY KEY, g text, x int);
    CREATE TABLE b (g text, name text);
    CREATE MATERIALIZED VIEW joined AS SELECT a.id, b.name, a.x FROM a JOIN b ON a.g = b.g;
    CREATE MATERIALIZED VIEW grouped AS
        SELECT name, count(*) AS n, sum(x) AS total, min(x) AS least, max(x) AS most FROM joined GROUP BY name;
    INSERT INTO b VALUES ('p', 'Pia'), ('q', 'Quin'), (NULL, 'nobody');
    INSERT INTO a VALUES (1, 'p', 10), (2, 'p', 20), (3, 'q', 30), (4, NULL, 40)";

#[tokio::test(flavor = "multi_thread")]
async fn views_follow_their_tables() {
    for workers in 1..=3 {
        let database = open(workers);
        let mut session = database.session();
        run(&mut session, MANY).await.unwrap();
        let grouped = "SELECT * FROM grouped";
        assert_eq!(run(&mut session, grouped).await.unwrap(), "Pia 2 30 10 20 | Quin 1 30 30 30");
        assert_eq!(run(&mut session, "UPDATE a SET x = x + 5 WHERE id = 2").await.unwrap(), "UPDATE 1");
        assert_eq!(run(&mut session, grouped).await.unwrap(), "Pia 2 35 10 25 | Quin 1 30 30 30");
        assert_eq!(run(&mut session, "DELETE FROM a WHERE g = 'q'").await.unwrap(), "DELETE 1");
        assert_eq!(run(&mut session, grouped).await.unwrap(), "Pia 2 35 10 25");
        assert_eq!(run(&mut session, "UPDATE b SET name = 'Paul' WHERE g = 'p'").await.unwrap(), "UPDATE 1");
        assert_eq!(run(&mut session, grouped).await.unwrap(), "Paul 2 35 10 25");
        database.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_over_old_data_is_complete() {
    for workers in 1..=3 {
        let database = open(workers);
        let mut session = database.session();
        run(&mut session, "CREATE TABLE t (k int, v int)").await.unwrap();
        run(&mut session, "INSERT INTO t SELECT i % 10, i FROM generate_series(1, 1000) AS s(i)")
            .await
            .unwrap();
        run(&mut session, "CREATE MATERIALIZED VIEW s AS SELECT k, sum(v) AS total FROM t GROUP BY k")
            .await
            .unwrap();
        run(&mut session, "CREATE MATERIALIZED VIEW top AS SELECT max(total) AS most FROM s").await.unwrap();
        assert_eq!(run(&mut session, "SELECT * FROM top").await.unwrap(), "50500");
        run(&mut session, "DELETE FROM t WHERE k = 0").await.unwrap();
        assert_eq!(run(&mut session, "SELECT * FROM top").await.unwrap(), "50400");
        assert_eq!(run(&mut session, "SELECT count(*) FROM s").await.unwrap(), "9");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_without_tables_is_constant() {
    let database = open(2);
    let mut session = database.session();
    run(&mut session, "CREATE MATERIALIZED VIEW one AS SELECT 1 AS x").await.unwrap();
    assert_eq!(run(&mut session, "SELECT * FROM one").await.unwrap(), "1");
    run(&mut session, "CREATE TABLE t (a int); INSERT INTO t VALUES (7)").await.unwrap();
    assert_eq!(run(&mut session, "SELECT x, a FROM one, t").await.unwrap(), "1 7");
    run(&mut session, "CREATE MATERIALIZED VIEW both AS SELECT x + a AS s FROM one, t").await.unwrap();
    assert_eq!(run(&mut session, "SELECT s FROM both").await.unwrap(), "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_all_or_nothing() {
    let database = open(2);
    let (mut one, mut two) = (database.session(), database.session());
    run(&mut one, MANY).await.unwrap();
    run(&mut one, "BEGIN; INSERT INTO a VALUES (5, 'q', 1); UPDATE a SET x = 0 WHERE id = 3").await.unwrap();
    assert_eq!(one.transaction_status(), TransactionStatus::InTransaction);
    let grouped = "SELECT * FROM grouped WHERE name = 'Quin'";
    assert_eq!(run(&mut one, grouped).await.unwrap(), "Quin 2 1 0 1", "it sees its own writes, in views too");
    assert_eq!(run(&mut two, grouped).await.unwrap(), "Quin 1 30 30 30");
    run(&mut one, "ROLLBACK").await.unwrap();
    assert_eq!(run(&mut one, grouped).await.unwrap(), "Quin 1 30 30 30");
    run(&mut one, "BEGIN; INSERT INTO a VALUES (5, 'q', 1); COMMIT").await.unwrap();
    assert_eq!(run(&mut two, grouped).await.unwrap(), "Quin 2 31 1 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_fails_the_transaction() {
    let database = open(1);
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (a int PRIMARY KEY); BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    let duplicate = error(&mut session, "INSERT INTO t VALUES (1)").await;
    assert_eq!(duplicate.sqlstate.code(), "23505");
    assert_eq!(duplicate.detail.as_deref(), Some("Key (a)=(1) already exists."));
    assert_eq!(error(&mut session, "SELECT 1").await.sqlstate.code(), "25P02");
    assert_eq!(run(&mut session, "COMMIT").await.unwrap(), "ROLLBACK");
    assert_eq!(run(&mut session, "SELECT count(*) FROM t").await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_transaction_repeats_itself_or_fails() {
    let database = open(1);
    let (mut one, mut two) = (database.session(), database.session());
    run(&mut one, "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 10)").await.unwrap();

    run(&mut one, "BEGIN; UPDATE t SET x = x + 1 WHERE id = 1").await.unwrap();
    run(&mut two, "UPDATE t SET x = x * 2 WHERE id = 1").await.unwrap();
    run(&mut one, "COMMIT").await.unwrap();
    assert_eq!(run(&mut one, "SELECT x FROM t").await.unwrap(), "21", "both updates count");

    run(&mut one, "BEGIN").await.unwrap();
    assert_eq!(run(&mut one, "SELECT x FROM t WHERE id = 1").await.unwrap(), "21");
    run(&mut one, "UPDATE t SET x = 22 WHERE id = 1").await.unwrap();
    run(&mut two, "UPDATE t SET x = 0 WHERE id = 1").await.unwrap();
    assert_eq!(
        error(&mut one, "COMMIT").await.sqlstate.code(),
        "40001",
        "the client acted on a value that changed"
    );
    assert_eq!(one.transaction_status(), TransactionStatus::Idle);
    assert_eq!(run(&mut one, "SELECT x FROM t").await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_puts_its_view_into_error_until_it_is_gone() {
    for workers in 1..=3 {
        let database = open(workers);
        let mut session = database.session();
        run(&mut session, "CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 2), (2, 5)")
            .await
            .unwrap();
        run(&mut session, "CREATE MATERIALIZED VIEW inverse AS SELECT id, 10 / x AS y FROM t").await.unwrap();
        run(&mut session, "CREATE MATERIALIZED VIEW above AS SELECT sum(y) AS s FROM inverse").await.unwrap();
        run(&mut session, "CREATE MATERIALIZED VIEW fine AS SELECT count(*) AS n FROM t").await.unwrap();
        assert_eq!(run(&mut session, "SELECT s FROM above").await.unwrap(), "7");
        run(&mut session, "INSERT INTO t VALUES (3, 0)").await.unwrap();
        for view in ["inverse", "above"] {
            let failed = error(&mut session, &format!("SELECT * FROM {view}")).await;
            assert_eq!(failed.sqlstate.code(), "22012");
            assert!(failed.detail.as_deref().unwrap_or("").contains("3, 0"), "{failed:?}");
        }
        assert_eq!(run(&mut session, "SELECT n FROM fine").await.unwrap(), "3");
        run(&mut session, "UPDATE t SET x = 10 WHERE id = 3").await.unwrap();
        assert_eq!(run(&mut session, "SELECT s FROM above").await.unwrap(), "8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_is_part_of_the_transaction() {
    let database = open(1);
    let (mut one, mut two) = (database.session(), database.session());
    run(
        &mut one,
        "BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1);
         CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t",
    )
    .await
    .unwrap();
    assert_eq!(run(&mut one, "SELECT s FROM v").await.unwrap(), "1");
    assert_eq!(error(&mut two, "SELECT * FROM t").await.sqlstate.code(), "42P01");
    run(&mut one, "COMMIT").await.unwrap();
    assert_eq!(run(&mut two, "INSERT INTO t VALUES (2); SELECT s FROM v").await.unwrap(), "3");
    assert_eq!(error(&mut two, "DROP TABLE t").await.sqlstate.code(), "2BP01");
    run(&mut one, "BEGIN; DROP TABLE t CASCADE; ROLLBACK").await.unwrap();
    assert_eq!(run(&mut two, "SELECT s FROM v").await.unwrap(), "3");
    run(&mut one, "DROP TABLE t CASCADE").await.unwrap();
    assert_eq!(error(&mut two, "SELECT s FROM v").await.sqlstate.code(), "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_parses_as_it_arrives() {
    let database = open(1);
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (a int, b text DEFAULT 'none', c date)").await.unwrap();
    assert_eq!(run(&mut session, "COPY t (a, c) FROM STDIN").await.unwrap(), "COPY 2 columns");
    session.copy_data("1\t2024-02-29\n2\t".into()).await.unwrap();
    session.copy_data("\\N\n".into()).await.unwrap();
    let Response::Complete { tag } = session.copy_done().await.unwrap() else {
        panic!("a COPY ends with a tag")
    };
    assert_eq!(tag, "COPY 2");
    assert_eq!(run(&mut session, "SELECT * FROM t").await.unwrap(), "1 none 2024-02-29 | 2 none NULL");
    run(&mut session, "COPY t FROM STDIN WITH (FORMAT csv)").await.unwrap();
    session.copy_data("3,x,2024-01-01\nfour,x,2024-01-01\n".into()).await.unwrap();
    let Err(bad) = session.copy_done().await else { panic!("the second line is bad") };
    assert_eq!(bad.sqlstate.code(), "22P02");
    assert_eq!(bad.detail.as_deref(), Some("COPY t, line 2, column a: \"four\""));
    assert_eq!(run(&mut session, "SELECT count(*) FROM t").await.unwrap(), "2", "nothing of it was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_is_overtaken_for_ever() {
    let database = open(1);
    let mut session = database.session();
    run(&mut session, "CREATE TABLE t (a int)").await.unwrap();
    run(&mut session, "INSERT INTO t SELECT * FROM generate_series(1, 20000)").await.unwrap();
    let writer = |mut session: springtide_engine::Session| {
        tokio::spawn(async move {
            loop {
                run(&mut session, "INSERT INTO t VALUES (1)").await.unwrap();
            }
        })
    };
    let writers = [writer(database.session()), writer(database.session()), writer(database.session())];
    for _ in 0..5 {
        run(&mut session, "INSERT INTO t SELECT max(a) + 1 FROM t").await.unwrap();
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(run(&mut session, "SELECT max(a) FROM t").await.unwrap(), "20005");
}

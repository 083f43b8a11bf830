//! The extended query protocol, message by message.

use crate::common::{Server, bind, close, describe, execute, flush, parse, query, sync};

#[tokio::test(flavor = "multi_thread")]
async fn unnamed_statement_and_portal() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int PRIMARY KEY, s text)").await;
    let insert = [parse("", "INSERT INTO t VALUES ($1, $2)", &[]), bind("", "", &[Some("1"), None])];
    let insert = [&insert[..], &[describe(b'P', ""), execute("", 0), sync()]].concat();
    assert_eq!(raw.ask(&insert).await, ["1", "2", "n", "C INSERT 0 1", "Z I"]);
    let select = [parse("", "SELECT i, s FROM t WHERE i = $1", &[]), describe(b'S', "")];
    let select =
        [&select[..], &[bind("", "", &[Some("1")]), describe(b'P', ""), execute("", 0), sync()]].concat();
    assert_eq!(
        raw.ask(&select).await,
        [
            "1",
            "t [23]",
            "T i:23:4:-1:0 s:25:-1:-1:0",
            "2",
            "T i:23:4:-1:0 s:25:-1:-1:0",
            "D 1|NULL",
            "C SELECT 1",
            "Z I"
        ]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_statements_last_and_close() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    assert_eq!(raw.ask(&[parse("plus", "SELECT $1::int + 1", &[]), sync()]).await, ["1", "Z I"]);
    for (given, expected) in [("1", "D 2"), ("41", "D 42")] {
        let answer = raw.ask(&[bind("", "plus", &[Some(given)]), execute("", 0), sync()]).await;
        assert_eq!(answer, ["2", expected, "C SELECT 1", "Z I"]);
    }
    let twice = raw.ask(&[parse("plus", "SELECT 1", &[]), sync()]).await;
    assert_eq!(twice, ["E ERROR 42P05 prepared statement \"plus\" already exists", "Z I"]);
    assert_eq!(raw.ask(&[close(b'S', "plus"), close(b'S', "never"), sync()]).await, ["3", "3", "Z I"]);
    let gone = raw.ask(&[bind("", "plus", &[Some("1")]), execute("", 0), sync()]).await;
    assert_eq!(gone, ["E ERROR 26000 prepared statement \"plus\" does not exist", "Z I"]);
    let no_portal = raw.ask(&[execute("nowhere", 0), sync()]).await;
    assert_eq!(no_portal, ["E ERROR 34000 portal \"nowhere\" does not exist", "Z I"]);
    let several = raw.ask(&[parse("", "SELECT 1; SELECT 2", &[]), sync()]).await;
    assert_eq!(several, ["E ERROR 42601 cannot insert multiple commands into a prepared statement", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_give_rows_a_few_at_a_time() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2), (3), (4), (5)").await;
    let open = [parse("", "SELECT i FROM t ORDER BY i", &[]), bind("p", "", &[]), execute("p", 2), flush()];
    raw.send(&[query("BEGIN")]).await;
    assert_eq!(raw.until_ready().await, ["C BEGIN", "Z T"]);
    raw.send(&open).await;
    for expected in ["1", "2", "D 1", "D 2", "s"] {
        assert_eq!(raw.next().await.unwrap(), expected);
    }
    // Another portal in between, and a Sync, which inside a transaction leaves portals open.
    let between = raw.ask(&[bind("", "", &[]), execute("", 1), sync()]).await;
    assert_eq!(between, ["2", "D 1", "s", "Z T"]);
    assert_eq!(raw.ask(&[execute("p", 2), sync()]).await, ["D 3", "D 4", "s", "Z T"]);
    assert_eq!(raw.ask(&[execute("p", 2), sync()]).await, ["D 5", "C SELECT 1", "Z T"]);
    assert_eq!(raw.ask(&[execute("p", 2), sync()]).await, ["C SELECT 0", "Z T"]);
    assert_eq!(raw.query("COMMIT").await, ["C COMMIT", "Z I"]);
    let ended = raw.ask(&[execute("p", 2), sync()]).await;
    assert_eq!(ended, ["E ERROR 34000 portal \"p\" does not exist", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_skips_to_the_sync() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int)").await;
    let insert = [parse("", "INSERT INTO t VALUES (1)", &[]), bind("", "", &[]), execute("", 0)];
    let failing = [parse("", "SELECT * FROM nowhere", &[]), bind("", "", &[]), execute("", 0)];
    let answer = raw.ask(&[&insert[..], &failing, &insert, &[query("SELECT 1"), sync()]].concat()).await;
    assert_eq!(answer.len(), 5, "{answer:?}");
    assert_eq!(answer[..3], ["1", "2", "C INSERT 0 1"]);
    assert!(answer[3].starts_with("E ERROR 42P01 "));
    // All up to the Sync was one transaction.
    assert_eq!(raw.query("SELECT i FROM t").await, ["T i:23:4:-1:0", "C SELECT 0", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_one_transaction() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int)").await;
    raw.ask(&[parse("add", "INSERT INTO t VALUES ($1)", &[]), sync()]).await;
    let mut messages = Vec::new();
    for i in 0..100 {
        messages.extend([bind("", "add", &[Some(&i.to_string())]), execute("", 0)]);
    }
    messages.push(sync());
    let answer = raw.ask(&messages).await;
    assert_eq!(answer.len(), 201);
    assert_eq!(answer[200], "Z I");
    assert_eq!(raw.query("SELECT count(*) AS n FROM t").await[1], "D 100");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_drivers_are_told() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE numbers (i int)").await;
    let too_few = raw.ask(&[parse("", "SELECT $1::int", &[]), bind("", "", &[]), sync()]).await;
    let expected = "E ERROR 08P01 bind message supplies 0 parameters, but prepared statement \"\" requires 1";
    assert_eq!(too_few, ["1", expected, "Z I"]);
    let no_number = raw
        .ask(&[parse("", "SELECT * FROM numbers WHERE i = $1", &[]), bind("", "", &[Some("x")]), sync()])
        .await;
    assert!(
        no_number[1].starts_with("E ERROR 22P02 invalid input syntax for type integer: \"x\""),
        "{no_number:?}"
    );
    let run_twice =
        [parse("", "CREATE TABLE t (i int)", &[]), bind("", "", &[]), execute("", 0), execute("", 0)];
    let run_twice = raw.ask(&[&run_twice[..], &[sync()]].concat()).await;
    assert_eq!(run_twice[3..], ["E ERROR 55000 portal \"\" cannot be run", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_statements() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    let messages = [parse("", "", &[]), bind("", "", &[]), describe(b'P', ""), execute("", 0), sync()];
    assert_eq!(raw.ask(&messages).await, ["1", "2", "n", "I", "Z I"]);
    server.stop().await;
}

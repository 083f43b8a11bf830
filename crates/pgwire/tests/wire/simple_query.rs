//! The simple query protocol, message by message.

use crate::common::Server;

#[tokio::test(flavor = "multi_thread")]
async fn startup_announces_the_settings_that_drivers_read() {
    let server = Server::start().await;
    let greeting = server.raw().await.until_ready().await;
    assert_eq!(greeting[0], "R");
    assert_eq!(greeting.last().unwrap(), "Z I");
    for setting in [
        "S server_encoding=UTF8",
        "S client_encoding=UTF8",
        "S DateStyle=ISO, MDY",
        "S TimeZone=UTC",
        "S IntervalStyle=postgres",
        "S integer_datetimes=on",
        "S standard_conforming_strings=on",
        "S application_name=test",
    ] {
        assert!(greeting.iter().any(|message| message == setting), "{setting} in {greeting:?}");
    }
    assert!(greeting.iter().any(|message| message.starts_with("S server_version=15.0 (Springtide ")));
    assert!(greeting.iter().any(|message| message == "K"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    let create = "CREATE TABLE t (i int PRIMARY KEY, n numeric(10,2), s text, b bool)";
    assert_eq!(raw.query(create).await, ["C CREATE TABLE", "Z I"]);
    let insert = "INSERT INTO t VALUES (1, 2.5, 'y', true), (2, NULL, '', false)";
    assert_eq!(raw.query(insert).await, ["C INSERT 0 2", "Z I"]);
    assert_eq!(
        raw.query("SELECT * FROM t ORDER BY i").await,
        [
            "T i:23:4:-1:0 n:1700:-1:655366:0 s:25:-1:-1:0 b:16:1:-1:0",
            "D 1|2.50|y|t",
            "D 2|NULL||f",
            "C SELECT 2",
            "Z I"
        ]
    );
    assert_eq!(raw.query("UPDATE t SET s = 'z' WHERE i = 2").await, ["C UPDATE 1", "Z I"]);
    assert_eq!(raw.query("DELETE FROM t").await, ["C DELETE 2", "Z I"]);
    assert_eq!(raw.query("SELECT i FROM t").await, ["T i:23:4:-1:0", "C SELECT 0", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_queries() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    for sql in ["", "  ", ";", "-- nothing", "/* nothing */ ; ;"] {
        assert_eq!(raw.query(sql).await, ["I", "Z I"], "{sql:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_their_sqlstate() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    for (sql, sqlstate) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing", "42703"),
        ("SELECT 1/0", "22012"),
        ("SELECT $1", "42P02"),
    ] {
        let answer = raw.query(sql).await;
        assert_eq!(answer.len(), 2 + usize::from(answer[0].starts_with('T')), "{answer:?}");
        let error = &answer[answer.len() - 2];
        assert!(error.starts_with(&format!("E ERROR {sqlstate} ")), "{error}");
        assert_eq!(answer.last().unwrap(), "Z I");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_statements_are_one_transaction() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    assert_eq!(
        raw.query("CREATE TABLE t (i int); INSERT INTO t VALUES (1); SELECT i FROM t;").await,
        ["C CREATE TABLE", "C INSERT 0 1", "T i:23:4:-1:0", "D 1", "C SELECT 1", "Z I"]
    );
    let answer = raw.query("INSERT INTO t VALUES (2); SELECT * FROM nowhere; INSERT INTO t VALUES (3)").await;
    assert_eq!(answer.len(), 3, "{answer:?}");
    assert_eq!(answer[0], "C INSERT 0 1");
    assert!(answer[1].starts_with("E ERROR 42P01 "));
    assert_eq!(raw.query("SELECT i FROM t").await, ["T i:23:4:-1:0", "D 1", "C SELECT 1", "Z I"]);

    let answer =
        raw.query("BEGIN; INSERT INTO t VALUES (2); COMMIT; INSERT INTO t VALUES (3); SELECT 1/0").await;
    assert!(answer.iter().any(|message| message.starts_with("E ERROR 22012 ")), "{answer:?}");
    assert_eq!(
        raw.query("SELECT i FROM t ORDER BY i").await,
        ["T i:23:4:-1:0", "D 1", "D 2", "C SELECT 2", "Z I"]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_byte_follows_the_transaction() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int)").await;
    assert_eq!(raw.query("BEGIN").await, ["C BEGIN", "Z T"]);
    assert_eq!(raw.query("INSERT INTO t VALUES (1)").await, ["C INSERT 0 1", "Z T"]);
    assert_eq!(raw.query("SELECT 1/0").await.last().unwrap(), "Z E");
    let refused = raw.query("SELECT 1").await;
    assert!(refused[0].starts_with("E ERROR 25P02 "), "{refused:?}");
    assert_eq!(refused[1], "Z E");
    assert_eq!(raw.query("COMMIT").await, ["C ROLLBACK", "Z I"]);
    assert_eq!(raw.query("SELECT i FROM t").await, ["T i:23:4:-1:0", "C SELECT 0", "Z I"]);
    // A second BEGIN and a ROLLBACK outside are warned of.
    let warned = raw.query("ROLLBACK").await;
    assert!(warned[0].starts_with("N WARNING 25P01 "), "{warned:?}");
    assert_eq!(warned[1..], ["C ROLLBACK", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_as_text() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    let answer = raw
        .query(
            "SELECT 1::smallint, 2::bigint, 1.5::real, 1e20::float8, date '2024-02-29', \
             timestamp '2024-02-29 12:34:56.5', timestamptz '2024-02-29 12:34:56+02', \
             interval '1 year 2 months 3 days 04:05:06', 12.50::numeric(5,2), true",
        )
        .await;
    assert_eq!(
        answer[1],
        "D 1|2|1.5|1e+20|2024-02-29|2024-02-29 12:34:56.5|2024-02-29 10:34:56+00|1 year 2 mons 3 days 04:05:06|12.50|t"
    );
    let oids = answer[0].split([' ', ':']).skip(2).step_by(5).collect::<Vec<_>>();
    assert_eq!(
        oids,
        ["21", "20", "700", "701", "1082", "1114", "1184", "1186", "1700", "16"],
        "{}",
        answer[0]
    );
    server.stop().await;
}

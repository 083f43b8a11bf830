//! Clients that leave, cancel, send nonsense, or send a lot.

use std::time::Duration;

use crate::common::{Server, execute, query, sync};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_rolls_back() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int PRIMARY KEY)").await;
    raw.query("BEGIN").await;
    raw.query("INSERT INTO t VALUES (1)").await;
    drop(raw);
    let mut other = server.raw_ready().await;
    assert_eq!(other.query("INSERT INTO t VALUES (1)").await, ["C INSERT 0 1", "Z I"]);
    assert_eq!(other.query("SELECT i FROM t").await[1..], ["D 1", "C SELECT 1", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_query() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    let text = "x".repeat(10 << 20);
    let answer = raw.query(&format!("SELECT length('{text}') AS n")).await;
    assert_eq!(answer[1..], [format!("D {}", 10 << 20), "C SELECT 1".to_owned(), "Z I".to_owned()]);
    let answer = raw.query(&format!("SELECT '{text}' AS s")).await;
    assert_eq!(answer[1].len(), (10 << 20) + 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_only_its_own_connection() {
    let server = Server::start().await;
    let mut bystander = server.raw_ready().await;
    let nonsense: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[0xff; 64],
        &[0; 64],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0, 0, 0, 8, 0, 0, 0, 0],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
    ];
    for bytes in nonsense {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // The server may reset the connection instead of closing it.
        let closed = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "the server closes the connection after {bytes:?}");
    }
    // After startup: an unknown message type, a length below that of the length word, a Bind cut short.
    for bytes in [
        &b"\x01\x00\x00\x00\x04"[..],
        b"Q\x00\x00\x00\x00\x00",
        b"B\x00\x00\x00\x05\x00",
        b"Q\xff\xff\xff\xff\x00",
    ] {
        let mut raw = server.raw_ready().await;
        raw.stream.write_all(bytes).await.unwrap();
        raw.stream.shutdown().await.unwrap();
        while raw.next().await.is_some() {}
    }
    assert_eq!(bystander.query("SELECT 1 AS one").await[1], "D 1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_declined() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    socket.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'N');
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_requests() {
    let server = Server::start().await;
    let client = server.connect().await;
    let token = client.cancel_token();
    // Nothing to cancel, no harm.
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    assert_eq!(client.query_one("SELECT 1::int", &[]).await.unwrap().get::<_, i32>(0), 1);

    let endless = client.simple_query("SELECT count(*) FROM generate_series(1, 1000000000000)");
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    };
    let (answer, ()) = tokio::join!(endless, cancel);
    assert_eq!(answer.unwrap_err().code().unwrap().code(), "57014");
    assert_eq!(client.query_one("SELECT 1::int", &[]).await.unwrap().get::<_, i32>(0), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so() {
    let server = Server::start().await;
    let mut idle = server.raw_ready().await;
    let mut in_transaction = server.raw_ready().await;
    in_transaction.query("BEGIN").await;
    server.stop().await;
    for raw in [&mut idle, &mut in_transaction] {
        let farewell = "E FATAL 57P01 terminating connection due to administrator command";
        assert_eq!(raw.next().await.as_deref(), Some(farewell));
        assert_eq!(raw.next().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stray_messages() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    assert_eq!(raw.ask(&[sync()]).await, ["Z I"]);
    // Left over from a failed COPY.
    assert_eq!(
        raw.ask(&[crate::common::copy_data("x"), crate::common::copy_done(), query("SELECT 1 AS one")]).await
            [1],
        "D 1"
    );
    let answer = raw.ask(&[execute("", 0), sync()]).await;
    assert_eq!(answer, ["E ERROR 34000 portal \"\" does not exist", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_cancelled() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i bigint)").await;
    raw.query("SET statement_timeout = 50").await;
    let long = "SELECT a FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b \
                WHERE a * b % 7 = 1";
    let timed_out = ["E ERROR 57014 canceling statement due to statement timeout", "Z I"].map(str::to_owned);
    assert!(raw.query(long).await.ends_with(&timed_out));
    assert_eq!(raw.query(&format!("INSERT INTO t {long}")).await, timed_out);
    // Rows that are on their way are cut off too.
    let endless = raw.query("SELECT a FROM generate_series(1, 1000000000) AS a").await;
    assert!(endless.ends_with(&timed_out));
    raw.query("BEGIN").await;
    raw.query("SAVEPOINT s").await;
    assert_eq!(raw.query(&format!("INSERT INTO t {long}")).await.last().unwrap(), "Z E");
    assert_eq!(raw.query("ROLLBACK TO s").await, ["C ROLLBACK", "Z T"]);
    assert_eq!(raw.query("SELECT count(*) FROM t").await[1..], ["D 0", "C SELECT 1", "Z T"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_idles_in_a_transaction_is_sent_away() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("SET idle_in_transaction_session_timeout = 100").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(raw.query("BEGIN").await, ["C BEGIN", "Z T"]);
    assert_eq!(
        raw.next().await.as_deref(),
        Some("E FATAL 25P03 terminating connection due to idle-in-transaction timeout")
    );
    assert_eq!(raw.next().await, None);
    server.stop().await;
}

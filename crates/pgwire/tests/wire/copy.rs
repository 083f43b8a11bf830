//! COPY FROM STDIN, by hand and with a driver.

use crate::common::{Server, bind, copy_data, copy_done, copy_fail, execute, parse, query, sync};
use bytes::Bytes;
use futures::SinkExt;

#[tokio::test(flavor = "multi_thread")]
async fn copy_in_the_simple_protocol() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int, s text)").await;
    raw.send(&[query("COPY t FROM STDIN")]).await;
    assert_eq!(raw.next().await.unwrap(), "G");
    // Lines need not end where messages do.
    let answer = raw.ask(&[copy_data("1\ton"), copy_data("e\n2\t\\N\n"), copy_done()]).await;
    assert_eq!(answer, ["C COPY 2", "Z I"]);
    assert_eq!(
        raw.query("SELECT i, s FROM t ORDER BY i").await[1..],
        ["D 1|one", "D 2|NULL", "C SELECT 2", "Z I"]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_copy_leaves_nothing() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int)").await;
    raw.send(&[query("COPY t FROM STDIN")]).await;
    assert_eq!(raw.next().await.unwrap(), "G");
    let given_up = raw.ask(&[copy_data("1\n"), copy_fail("changed my mind")]).await;
    assert_eq!(given_up, ["E ERROR 57014 COPY from stdin failed: changed my mind", "Z I"]);

    raw.send(&[query("COPY t FROM STDIN")]).await;
    assert_eq!(raw.next().await.unwrap(), "G");
    let bad = raw.ask(&[copy_data("1\n"), copy_data("two\n"), copy_data("3\n"), copy_done()]).await;
    assert!(bad[0].starts_with("E ERROR 22P02 "), "{bad:?}");
    assert_eq!(bad.len(), 2);
    assert_eq!(raw.query("SELECT i FROM t").await[1..], ["C SELECT 0", "Z I"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_in_the_extended_protocol() {
    let server = Server::start().await;
    let mut raw = server.raw_ready().await;
    raw.query("CREATE TABLE t (i int)").await;
    // Drivers send the Sync before they know that they are to send data.
    raw.send(&[parse("", "COPY t FROM STDIN", &[]), bind("", "", &[]), execute("", 0), sync()]).await;
    for expected in ["1", "2", "G"] {
        assert_eq!(raw.next().await.unwrap(), expected);
    }
    assert_eq!(raw.ask(&[copy_data("7\n"), copy_done(), sync()]).await, ["C COPY 1", "Z I"]);
    assert_eq!(raw.query("SELECT i FROM t").await[1], "D 7");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_with_a_driver() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (i int, s text)").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN (FORMAT csv)").await.unwrap();
    futures::pin_mut!(sink);
    for i in 0..1000 {
        sink.send(Bytes::from(format!("{i},\"row, {i}\"\n"))).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 1000);
    let row = client.query_one("SELECT count(*), max(s) FROM t", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (1000, "row, 999"));

    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN (FORMAT csv)").await.unwrap();
    futures::pin_mut!(sink);
    sink.send(Bytes::from("x,y\n")).await.unwrap();
    let error = sink.finish().await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22P02");
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 1000);
    server.stop().await;
}

//! What sessions know of each other: `pg_stat_activity`, and how they are interrupted.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::common::Server;

async fn pid(client: &Client) -> i32 {
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    i32::try_from(row.get::<_, i64>(0)).unwrap()
}

/// The state and the statement of a session, once the state is this one.
async fn wait_for(client: &Client, pid: i32, state: &str) -> String {
    let asked = format!("SELECT query FROM pg_stat_activity WHERE pid = {pid} AND state = '{state}'");
    let begun = Instant::now();
    loop {
        if let Some(row) = client.query(&asked, &[]).await.unwrap().first() {
            return row.get(0);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{pid} is never {state}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_see_what_others_do() {
    let server = Server::start().await;
    let (watcher, watched) = (server.connect().await, server.connect().await);
    let pid = pid(&watched).await;
    watched.batch_execute("SET application_name = 'the watched'").await.unwrap();
    assert_eq!(wait_for(&watcher, pid, "idle").await, "SET application_name = 'the watched'");
    watched.batch_execute("BEGIN").await.unwrap();
    wait_for(&watcher, pid, "idle in transaction").await;
    watched.batch_execute("SELECT 1 / 0").await.unwrap_err();
    wait_for(&watcher, pid, "idle in transaction (aborted)").await;
    let asked = format!(
        "SELECT usename, application_name, client_addr, backend_type, xact_start IS NOT NULL,
             backend_start <= query_start FROM pg_stat_activity WHERE pid = {pid}"
    );
    let row = watcher.query_one(&asked, &[]).await.unwrap();
    let texts = [0, 1, 2, 3].map(|column| row.get::<_, &str>(column));
    assert_eq!(texts, ["springtide", "the watched", "127.0.0.1", "client backend"]);
    assert!(row.get::<_, bool>(4) && row.get::<_, bool>(5));
    watched.batch_execute("ROLLBACK").await.unwrap();
    watcher.batch_execute("CREATE ROLE ann; SET ROLE ann").await.unwrap();
    let asked = format!("SELECT query, state FROM pg_stat_activity WHERE pid = {pid}");
    let row = watcher.query_one(&asked, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("<insufficient privilege>", None::<&str>));
    drop((watcher, watched));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_and_a_session_ended() {
    let server = Server::start().await;
    let (other, sleeper) = (server.connect().await, server.connect().await);
    let pid = pid(&sleeper).await;
    let begun = Instant::now();
    let sleeping = tokio::spawn(async move {
        let cancelled = sleeper.batch_execute("SELECT pg_sleep(60)").await.unwrap_err();
        assert!(sleeper.batch_execute("SELECT 1").await.is_ok(), "the session goes on");
        let ended = sleeper.batch_execute("SELECT pg_sleep(60)").await.unwrap_err();
        (cancelled, ended)
    });
    wait_for(&other, pid, "active").await;
    let cancel = format!("SELECT pg_cancel_backend({pid})");
    assert!(other.query_one(&cancel, &[]).await.unwrap().get::<_, bool>(0));
    tokio::time::sleep(Duration::from_millis(100)).await;
    wait_for(&other, pid, "active").await;
    let end = format!("SELECT pg_terminate_backend({pid})");
    assert!(other.query_one(&end, &[]).await.unwrap().get::<_, bool>(0));
    let (cancelled, ended) = sleeping.await.unwrap();
    assert_eq!(cancelled.as_db_error().unwrap().message(), "canceling statement due to user request");
    assert!(["57P01", "57014"].contains(&ended.code().unwrap().code()));
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(!other.query_one("SELECT pg_cancel_backend(-1)", &[]).await.unwrap().get::<_, bool>(0));
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    while other.query_one(&gone, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    other.batch_execute("SET statement_timeout = 50").await.unwrap();
    let error = other.batch_execute("SELECT pg_sleep(60)").await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "canceling statement due to statement timeout");
    drop(other);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_its_privileges_interrupt_a_session() {
    let server = Server::start().await;
    let (superuser, other) = (server.connect().await, server.connect().await);
    let pid = pid(&superuser).await;
    other.batch_execute("CREATE ROLE ann; SET ROLE ann").await.unwrap();
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        let error = other.batch_execute(&format!("SELECT {function}({pid})")).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501");
    }
    assert!(superuser.batch_execute("SELECT 1").await.is_ok());
    drop((superuser, other));
    server.stop().await;
}

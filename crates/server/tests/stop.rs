//! The real server, told to stop: it ends well, and what it kept is there when it starts again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio_postgres::{Client, NoTls};

/// A server and its port.
fn start(directory: &Path) -> (Child, u16) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_springtide"))
        .args(["serve", "--listen", "127.0.0.1:0", "--workers", "2", "--data-dir"])
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let stdout = process.stdout.take().expect("stdout is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("the server says that it is ready");
    let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
    (process, port.unwrap_or_else(|| panic!("no port in {line:?}")))
}

async fn connect(port: u16) -> Client {
    let url = format!("host=127.0.0.1 port={port} user=tester dbname=springtide");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the server answers");
    tokio::spawn(async move { connection.await.ok() });
    client
}

fn stop(mut process: Child) {
    let told = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(told.expect("there is kill").success());
    assert!(process.wait().expect("the server ends").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_a_checkpoint_and_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (process, port) = start(directory.path());
    let schema = "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t;
        INSERT INTO t VALUES (1), (2)";
    connect(port).await.batch_execute(schema).await.expect("the schema is right");
    stop(process);
    let manifests =
        std::fs::read_dir(directory.path().join("manifest")).expect("there are manifests").count();
    assert_eq!(manifests, 1);
    let (process, port) = start(directory.path());
    let row = connect(port).await.query_one("SELECT s FROM v", &[]).await.expect("the view is there");
    assert_eq!(row.get::<_, i64>(0), 3);
    stop(process);
}

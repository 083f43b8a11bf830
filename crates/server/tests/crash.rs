//! The real server, killed in the middle of its work: what it acknowledged is there when it starts again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

/// Sessions that write.
const WRITERS: i64 = 4;

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(directory: &Path) -> Server {
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
        Server { process, port: port.unwrap_or_else(|| panic!("no port in {line:?}")) }
    }

    async fn connect(&self) -> Client {
        let url = format!("host=127.0.0.1 port={} user=tester dbname=springtide", self.port);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the server answers");
        // The server is killed on purpose; statements then fail.
        tokio::spawn(async move { connection.await.ok() });
        client
    }

    /// SIGKILL: no chance to tidy up.
    fn kill(mut self) {
        self.process.kill().expect("the server runs");
        self.process.wait().expect("the server ends");
    }
}

/// Inserts rows one by one until the server is gone; `acknowledged` is the last one that it confirmed.
async fn write(client: Client, writer: i64, first: i64, acknowledged: Arc<AtomicI64>) {
    for number in first.. {
        let sql = format!(
            "BEGIN; INSERT INTO event VALUES ({writer}, {number}, 1); INSERT INTO event VALUES ({writer}, -{number}, -1); COMMIT"
        );
        if client.batch_execute(&sql).await.is_err() {
            return;
        }
        acknowledged.store(number, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let acknowledged = (0..WRITERS).map(|_| Arc::new(AtomicI64::new(0))).collect::<Vec<_>>();
    let server = Server::start(directory.path());
    let schema = "CREATE TABLE event (writer bigint, number bigint, x int, PRIMARY KEY (writer, number));
        CREATE MATERIALIZED VIEW progress AS
            SELECT writer, max(number) AS last, count(*) AS n, sum(x) AS total FROM event GROUP BY writer";
    server.connect().await.batch_execute(schema).await.expect("the schema is right");
    server.kill();

    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..4 {
        let server = Server::start(directory.path());
        let mut writers = Vec::new();
        for (writer, acknowledged) in (0..).zip(&acknowledged) {
            // An insert may be on disk though nobody was told.
            let first = acknowledged.load(Ordering::SeqCst) + 2;
            acknowledged.store(first - 1, Ordering::SeqCst);
            let client = server.connect().await;
            let gap = first - 1;
            let fill = format!(
                "INSERT INTO event SELECT {writer}, n, 0 FROM (VALUES ({gap}), (-{gap})) AS v(n)
                 WHERE NOT EXISTS (SELECT 1 FROM event WHERE writer = {writer} AND number = n)"
            );
            client.batch_execute(&fill).await.expect("the gap can be filled");
            writers.push(tokio::spawn(write(client, writer, first, acknowledged.clone())));
        }
        tokio::time::sleep(Duration::from_millis(random.u64(50..400))).await;
        server.kill();
        for writer in writers {
            writer.await.expect("no writer panics");
        }
        check(directory.path(), &acknowledged).await;
    }
}

async fn check(directory: &Path, acknowledged: &[Arc<AtomicI64>]) {
    let server = Server::start(directory);
    let client = server.connect().await;
    let rows = client.query("SELECT writer, last, n, total FROM progress ORDER BY writer", &[]).await;
    let rows = rows.expect("the view is there");
    assert_eq!(rows.len(), acknowledged.len());
    for (row, acknowledged) in rows.iter().zip(acknowledged) {
        let (last, acknowledged) = (row.get::<_, i64>(1), acknowledged.load(Ordering::SeqCst));
        assert!(
            last == acknowledged || last == acknowledged + 1,
            "{acknowledged} was acknowledged, {last} is there"
        );
        assert_eq!((row.get::<_, i64>(2), row.get::<_, i64>(3)), (2 * last, 0), "no commit is there in part");
    }
    let view = "SELECT writer, max(number), count(*), sum(x) FROM event GROUP BY writer";
    let differing = format!(
        "SELECT count(*) FROM (({view} EXCEPT SELECT * FROM progress) UNION ALL (SELECT * FROM progress EXCEPT {view})) d"
    );
    assert_eq!(client.query_one(&differing, &[]).await.expect("a query").get::<_, i64>(0), 0);
    server.kill();
}

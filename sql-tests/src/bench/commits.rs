//! What durable commits cost over the wire: single-row INSERTs from many sessions and a large COPY, against any server that
//! speaks the Postgres protocol, and the latency of commits while a checkpoint of a large table is written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::Client;

use super::{Latencies, median};
use crate::crash::process::{Data, Server};
use crate::directory::Directory;
use crate::server::connect;

/// Whatever goes wrong here ends the bench.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sessions that commit at the same time.
pub const SESSIONS: usize = 16;
/// The clock starts no checkpoint.
const NEVER: u64 = 1 << 30;
/// How much of a COPY is sent at a time.
const COPY_CHUNK: usize = 64 * 1024;

const SCHEMA: &str = "DROP TABLE IF EXISTS bench_entry, bench_line;
    CREATE TABLE bench_entry (id bigint PRIMARY KEY, account integer NOT NULL, amount bigint NOT NULL, note text);
    CREATE TABLE bench_line (id bigint PRIMARY KEY, item integer NOT NULL, price numeric(10, 2) NOT NULL,
        at timestamp NOT NULL, note text)";

/// What a server does.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Single-row INSERTs a second, each a commit of its own, from [`SESSIONS`] sessions.
    pub inserts: f64,
    /// Rows a second of a COPY FROM STDIN into an empty table.
    pub copied: f64,
}

/// The median of each of several measurements.
pub fn median_of(runs: impl Iterator<Item = Throughput> + Clone) -> Throughput {
    Throughput {
        inserts: median(runs.clone().map(|run| run.inserts).collect()),
        copied: median(runs.map(|run| run.copied).collect()),
    }
}

/// Commits without and with a checkpoint beside them.
#[derive(Clone, Debug)]
pub struct DuringCheckpoint {
    /// Nothing else happens.
    pub idle: Latencies,
    /// While the checkpoint runs.
    pub during: Latencies,
    /// How long it runs.
    pub checkpoint: Duration,
}

/// A server of ours in a process of its own, with a directory that goes with it.
pub struct Springtide {
    server: Server,
    _directory: Directory,
}

impl Springtide {
    /// Starts the binary.
    pub fn start(binary: &Path) -> Result<Springtide> {
        let directory = Directory::new()?;
        let (data, log) = (directory.path().join("data"), directory.path().join("log"));
        let server = Server::start(binary, &Data::in_directory(&data), &log, Some(NEVER))?;
        Ok(Springtide { server, _directory: directory })
    }

    /// What to connect to.
    pub fn url(&self) -> String {
        self.server.url()
    }
}

/// Measures INSERTs for a while, then a COPY of `rows` rows. The tables are made for it, and dropped.
pub async fn throughput(url: &str, period: Duration, rows: usize) -> Result<Throughput> {
    let client = connect(url).await?;
    client.batch_execute(SCHEMA).await?;
    let started = Instant::now();
    let latencies = commit_until(url, started + period).await?;
    let inserts = latencies.count() as f64 / started.elapsed().as_secs_f64();
    let data = lines(rows);
    let started = Instant::now();
    let mut sink = Box::pin(client.copy_in::<_, Bytes>("COPY bench_line FROM STDIN").await?);
    for chunk in data {
        sink.send(chunk).await?;
    }
    let copied = sink.as_mut().finish().await?;
    let elapsed = started.elapsed();
    assert_eq!(copied, rows as u64, "every row is copied");
    client.batch_execute("DROP TABLE bench_entry, bench_line").await?;
    Ok(Throughput { inserts, copied: rows as f64 / elapsed.as_secs_f64() })
}

/// Measures commits for a while, changes each of `rows` rows, and measures them again while the checkpoint that this leads to runs.
pub async fn during_checkpoint(url: &str, rows: i64, period: Duration) -> Result<DuringCheckpoint> {
    let client = connect(url).await?;
    client.batch_execute(SCHEMA).await?;
    let fill = format!(
        "INSERT INTO bench_line SELECT n, n % 1000, 1.5, '2026-01-01', 'line' FROM generate_series(1, {rows}) AS g(n)"
    );
    client.batch_execute(&fill).await?;
    client.batch_execute("CHECKPOINT").await?;
    let idle = commit_until(url, Instant::now() + period).await?;
    client.batch_execute("UPDATE bench_line SET item = item + 1").await?;
    let started = Instant::now();
    let running = Arc::new(AtomicBool::new(true));
    let commits = tokio::spawn(commit_while(url.to_owned(), running.clone()));
    client.batch_execute("CHECKPOINT").await?;
    let checkpoint = started.elapsed();
    running.store(false, Ordering::Relaxed);
    let during = commits.await??;
    Ok(DuringCheckpoint { idle, during, checkpoint })
}

async fn commit_until(url: &str, end: Instant) -> Result<Latencies> {
    let running = Arc::new(AtomicBool::new(true));
    let commits = tokio::spawn(commit_while(url.to_owned(), running.clone()));
    tokio::time::sleep_until(end.into()).await;
    running.store(false, Ordering::Relaxed);
    commits.await?
}

/// Inserts rows from all sessions as long as it is told to.
async fn commit_while(url: String, running: Arc<AtomicBool>) -> Result<Latencies> {
    // No two commits share a key, in whatever runs.
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let sessions = (0..SESSIONS).map(|session| {
        let (url, running) = (url.clone(), running.clone());
        tokio::spawn(async move {
            let client = connect(&url).await?;
            insert_while(&client, session as i32, &NEXT, &running).await
        })
    });
    let mut all = Vec::new();
    for session in sessions.collect::<Vec<_>>() {
        all.append(&mut session.await??);
    }
    Ok(Latencies::new(all))
}

async fn insert_while(
    client: &Client,
    account: i32,
    next: &AtomicI64,
    running: &AtomicBool,
) -> Result<Vec<Duration>> {
    let insert = client.prepare("INSERT INTO bench_entry VALUES ($1, $2, $3, $4)").await?;
    let mut latencies = Vec::new();
    while running.load(Ordering::Relaxed) {
        let id = next.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        client.execute(&insert, &[&id, &account, &(id % 1000), &"an entry of the bench"]).await?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}

/// The text of rows for a COPY, in pieces.
fn lines(rows: usize) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for row in 0..rows {
        let (item, cents, day, second) = (row % 1000, row % 100, 1 + row % 28, row % 60);
        piece += &format!(
            "{row}\t{item}\t{item}.{cents:02}\t2026-01-{day:02} 12:30:{second:02}\tline {row} of the bench\n"
        );
        if piece.len() >= COPY_CHUNK || row + 1 == rows {
            pieces.push(Bytes::from(std::mem::take(&mut piece)));
        }
    }
    pieces
}

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::future::join_all;
use tokio_postgres::{Client, Error, Statement};

use super::recording::{Operation, Outcome, Transaction};
use crate::crash::process::{Data, End, Server};
use crate::directory::Directory;

/// How a history comes about.
#[derive(Clone, Debug)]
pub struct Histories {
    /// The `springtide` binary.
    pub server: PathBuf,
    /// Sessions that work at a time.
    pub sessions: usize,
    /// Operations until the end, those of aborted transactions included.
    pub operations: usize,
    /// How often the server is killed meanwhile.
    pub crashes: usize,
    /// What the random choices begin with.
    pub seed: u64,
}

/// Lists that are worked on at a time.
const KEYS: i32 = 16;
/// A key is done with after so many appends to all of them.
const APPENDS_PER_KEY: i32 = 64;

/// Lets sessions work on a server that is killed now and then, and returns what they saw. At the end one reads everything.
pub async fn record(histories: &Histories) -> io::Result<Vec<Transaction>> {
    let directory = Directory::new()?;
    let data = Data::in_directory(&directory.path().join("data"));
    let log = directory.path().join("log");
    let shared = Arc::new(Shared {
        operations: AtomicUsize::new(0),
        appends: AtomicI32::new(0),
        clock: Instant::now(),
    });
    let mut random = Rng::with_seed(histories.seed);
    let mut history = Vec::new();
    for part in 1..=histories.crashes + 1 {
        let mut server = Server::start(&histories.server, &data, &log, Some(1))?;
        if part == 1 {
            let client = server.connect().await.map_err(io::Error::other)?;
            client.batch_execute(SCHEMA).await.map_err(io::Error::other)?;
        }
        let until = histories.operations * part / (histories.crashes + 1);
        let mut sessions = Vec::new();
        for _ in 0..histories.sessions {
            let session =
                Session::new(&server, shared.clone(), random.fork()).await.map_err(io::Error::other)?;
            let until = if part <= histories.crashes { usize::MAX } else { until };
            sessions.push(tokio::spawn(session.work(until)));
        }
        if part <= histories.crashes {
            while shared.operations.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.send(End::Killed)?;
        }
        for session in join_all(sessions).await {
            history.extend(session.map_err(io::Error::other)?);
        }
        if part > histories.crashes {
            let last =
                Session::new(&server, shared.clone(), random.fork()).await.map_err(io::Error::other)?;
            history.push(last.read_everything().await.map_err(io::Error::other)?);
            server.send(End::Terminated)?;
        }
        server.wait()?;
    }
    Ok(history)
}

const SCHEMA: &str = "CREATE TABLE lists (key integer PRIMARY KEY, list integer[] NOT NULL);
    CREATE MATERIALIZED VIEW shown AS SELECT key, list FROM lists";

const APPEND: &str = "INSERT INTO lists VALUES ($1, ARRAY[$2::integer])
    ON CONFLICT (key) DO UPDATE SET list = lists.list || excluded.list";

struct Shared {
    operations: AtomicUsize,
    /// Numbers that were given out.
    appends: AtomicI32,
    clock: Instant,
}

struct Session {
    client: Client,
    shared: Arc<Shared>,
    random: Rng,
    append: Statement,
    /// Of the table, and of the view.
    reads: [Statement; 2],
}

impl Session {
    async fn new(server: &Server, shared: Arc<Shared>, random: Rng) -> Result<Session, Error> {
        let client = server.connect().await?;
        let append = client.prepare(APPEND).await?;
        let table = client.prepare("SELECT list FROM lists WHERE key = $1").await?;
        let view = client.prepare("SELECT list FROM shown WHERE key = $1").await?;
        Ok(Session { client, shared, random, append, reads: [table, view] })
    }

    /// Works until so many operations have been done by all, or until the server is gone.
    async fn work(mut self, until: usize) -> Vec<Transaction> {
        let mut seen = Vec::new();
        while self.shared.operations.load(Ordering::Relaxed) < until {
            let transaction = self.transaction().await;
            let is_over = transaction.outcome == Outcome::Unknown;
            seen.push(transaction);
            if is_over || self.client.is_closed() {
                break;
            }
        }
        seen
    }

    async fn transaction(&mut self) -> Transaction {
        let count = self.random.usize(1..=5);
        let is_block = count > 1 || self.random.bool();
        let began = self.shared.clock.elapsed();
        let mut operations = Vec::new();
        let outcome = match self.operations(&mut operations, count, is_block).await {
            Ok(()) => Outcome::Committed,
            Err(error) if error.as_db_error().is_some() => {
                // The connection may break here; the transaction did not take place in any case.
                let _ = self.client.batch_execute("ROLLBACK").await;
                Outcome::Aborted
            }
            Err(_) => Outcome::Unknown,
        };
        self.shared.operations.fetch_add(operations.len(), Ordering::Relaxed);
        Transaction { operations, outcome, began, ended: self.shared.clock.elapsed() }
    }

    async fn operations(
        &mut self,
        operations: &mut Vec<Operation>,
        count: usize,
        is_block: bool,
    ) -> Result<(), Error> {
        if is_block {
            self.client.batch_execute("BEGIN").await?;
        }
        for _ in 0..count {
            if self.random.bool() {
                let number = self.shared.appends.fetch_add(1, Ordering::Relaxed);
                let key = self.key(number);
                // Written down before: whether it happened is in doubt until there is an answer.
                operations.push(Operation::Append { key, number });
                self.client.execute(&self.append, &[&key, &number]).await?;
            } else {
                let key = self.key(self.shared.appends.load(Ordering::Relaxed));
                let read = &self.reads[self.random.usize(..2)];
                let rows = self.client.query(read, &[&key]).await?;
                let list = rows.first().map_or_else(Vec::new, |row| row.get(0));
                operations.push(Operation::Read { key, list });
            }
        }
        if is_block {
            self.client.batch_execute("COMMIT").await?;
        }
        Ok(())
    }

    /// One of the keys that are worked on when so many numbers have been given out.
    fn key(&mut self, numbers: i32) -> i32 {
        numbers / (KEYS * APPENDS_PER_KEY) * KEYS + self.random.i32(..KEYS)
    }

    async fn read_everything(&self) -> Result<Transaction, Error> {
        let began = self.shared.clock.elapsed();
        let rows = self.client.query("SELECT key, list FROM lists", &[]).await?;
        let operations =
            rows.iter().map(|row| Operation::Read { key: row.get(0), list: row.get(1) }).collect();
        Ok(Transaction { operations, outcome: Outcome::Committed, began, ended: self.shared.clock.elapsed() })
    }
}

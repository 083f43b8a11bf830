//! A database in a directory that crashes between records, and goes on in what a `kill -9` would have left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use regex::Regex;
use springtide_engine::{Database, Options};
use springtide_types::SqlError;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tokio::sync::Mutex;

use super::in_process::InProcess;
use crate::directory::Directory;

/// The clock starts no checkpoint: what is copied while one is written is not what a crash leaves.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// When to crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// Records between two crashes, on average.
    pub every: u32,
    /// What the random choices begin with.
    pub seed: u64,
}

/// The database that the sessions of one file share.
pub(super) struct Host {
    database: Database,
    directory: Directory,
    options: Options,
    restarts: Restarts,
    random: Rng,
    /// Counts the crashes.
    life: u64,
    /// The sessions that are in a transaction block, which a crash would end.
    busy: BTreeSet<u64>,
    sessions: u64,
    /// By relation, the epoch with which its history begins.
    beginnings: BTreeMap<u64, u64>,
}

impl Host {
    pub(super) fn new(workers: usize, restarts: Restarts) -> io::Result<Host> {
        let options = Options { checkpoint_interval: NEVER, ..Options::new(workers) };
        let directory = Directory::new()?;
        let database = Database::open_in(directory.path(), options).map_err(io::Error::other)?;
        Ok(Host {
            database,
            directory,
            options,
            random: Rng::with_seed(restarts.seed),
            restarts,
            life: 0,
            busy: BTreeSet::new(),
            sessions: 0,
            beginnings: BTreeMap::new(),
        })
    }

    /// Ends the database, in good order.
    pub(super) async fn close(&self) {
        self.database.shutdown().await;
    }

    async fn crash_perhaps(&mut self) -> Result<(), SqlError> {
        if !self.busy.is_empty() || self.random.u32(..self.restarts.every) > 0 {
            return Ok(());
        }
        // Often there is no checkpoint, or it is a while ago.
        if self.random.bool() {
            self.database.checkpoint().await?;
            self.check_beginnings()?;
        }
        if self.random.bool() {
            let broken = |error: io::Error| SqlError::internal(format!("the directory: {error}"));
            let copied = self.directory.copy().map_err(broken)?;
            self.database = Database::open_in(copied.path(), self.options)?;
            self.directory = copied;
            self.life += 1;
        }
        Ok(())
    }

    /// The history of a view goes on after a restart, unless its plan has changed: no plan may.
    fn check_beginnings(&mut self) -> Result<(), SqlError> {
        let beginnings =
            beginnings(&self.directory).map_err(|error| SqlError::internal(error.to_string()))?;
        for (relation, since) in &beginnings {
            if self.beginnings.get(relation).is_some_and(|before| before != since) {
                return Err(SqlError::internal(format!("the history of relation {relation} begins anew")));
            }
        }
        self.beginnings = beginnings;
        Ok(())
    }
}

/// What the newest manifest says of the beginning of each history.
fn beginnings(directory: &Directory) -> io::Result<BTreeMap<u64, u64>> {
    let mut manifests = Vec::new();
    for entry in std::fs::read_dir(directory.path().join("manifest"))? {
        manifests.push(entry?.path());
    }
    let Some(newest) = manifests.iter().max() else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(newest)?;
    let history =
        Regex::new(r#""id":(\d+),"directory":"[^"]*","since":(\d+)"#).expect("the pattern is right");
    let number = |text: &str| text.parse().map_err(io::Error::other);
    history.captures_iter(&text).map(|found| Ok((number(&found[1])?, number(&found[2])?))).collect()
}

/// A session that outlives the crashes: its settings are made again.
pub(super) struct Restarting {
    host: Arc<Mutex<Host>>,
    number: u64,
    life: u64,
    settings: Vec<String>,
    session: InProcess,
}

impl Restarting {
    pub(super) async fn new(host: Arc<Mutex<Host>>) -> Restarting {
        let mut locked = host.lock().await;
        locked.sessions += 1;
        let (number, life) = (locked.sessions, locked.life);
        let session = InProcess::new(&locked.database);
        drop(locked);
        Restarting { host, number, life, settings: Vec::new(), session }
    }
}

#[async_trait]
impl AsyncDB for Restarting {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let host = self.host.clone();
        let mut host = host.lock().await;
        host.crash_perhaps().await?;
        if self.life != host.life {
            self.life = host.life;
            self.session = InProcess::new(&host.database);
            for sql in &self.settings {
                self.session.run(sql).await?;
            }
        }
        let output = self.session.run(sql).await;
        if sql.trim_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case("set ")) && output.is_ok() {
            self.settings.push(sql.to_owned());
        }
        match self.session.is_dispensable() {
            true => host.busy.remove(&self.number),
            false => host.busy.insert(self.number),
        };
        output
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "springtide"
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.sqlstate.code().to_owned())
    }
}

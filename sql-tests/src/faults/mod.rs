//! Faults of the disk: a database in this process goes through several lives on a disk that fails, loses and flips bits
//! as a seed has it. After each life it must hold exactly what was acknowledged, and at most the one commit that failed.

mod bucket;
mod damage;
mod disk;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use object_store::path::Path as Key;
use springtide_engine::{Database, Location, ObjectFiles, Options};
use springtide_types::SqlError;

use crate::client::Client;
use crate::directory::Directory;
use crate::workload::{Connection, InProcess, Model, Transaction, check_shared, schema, settle};

use bucket::Bucket;
use disk::{Disk, Fault};

/// A case that takes longer hangs.
const HANG: Duration = Duration::from_secs(60);
/// The clock starts no checkpoint: the seed does.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// What the cases have seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Times that a database was opened.
    pub opened: u64,
    /// Times that the disk did not let it open.
    pub refused: u64,
    /// Transactions that were acknowledged.
    pub commits: u64,
    /// How many of them did not wait for the disk.
    pub unsynced: u64,
    /// Transactions that failed because of the disk.
    pub failures: u64,
    /// Checkpoints that were written, and that failed.
    pub checkpoints: (u64, u64),
    /// Bits that were flipped: noticed when the database opened, and of no consequence.
    pub flips: (u64, u64),
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.commits += other.commits;
        self.unsynced += other.unsynced;
        self.failures += other.failures;
        self.checkpoints.0 += other.checkpoints.0;
        self.checkpoints.1 += other.checkpoints.1;
        self.flips.0 += other.flips.0;
        self.flips.1 += other.flips.1;
    }
}

/// Runs the case of a seed; fails with what is wrong. The same seed gives the same case, save for the moments at which
/// checkpoints that run beside commits, and syncs that none waits for, touch the disk.
pub async fn run(seed: u64) -> Result<Stats, String> {
    let case = async {
        let mut case = Case::new(seed).map_err(|error| error.to_string())?;
        for _ in 0..case.random.usize(2..5) {
            case.live().await?;
        }
        case.flip_bits().await?;
        Ok(case.stats)
    };
    let outcome = tokio::time::timeout(HANG, case).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("no end within {} s", HANG.as_secs())));
    outcome.map_err(|message| format!("seed {seed}: {message}"))
}

struct Case {
    seed: u64,
    random: Rng,
    /// For the lock, which is a real file.
    directory: Directory,
    disk: Disk,
    /// The states of which one must be found.
    candidates: Vec<Model>,
    /// What was acknowledged before each commit that was not waited for and that no later one is known to have made
    /// durable: what a crash may lead back to.
    before_unsynced: Vec<Model>,
    /// What was acknowledged before each commit of which nothing later in the log says that it was durable: what damage
    /// at the end of the log may lead back to, since it can't be told from what a crash leaves.
    before_end: Vec<Model>,
    stats: Stats,
}

impl Case {
    fn new(seed: u64) -> std::io::Result<Case> {
        let directory = Directory::new()?;
        Ok(Case {
            seed,
            random: Rng::with_seed(seed),
            disk: Disk::new(directory.path(), seed),
            directory,
            candidates: vec![Model::new(0)],
            before_unsynced: Vec::new(),
            before_end: Vec::new(),
            stats: Stats::default(),
        })
    }

    /// Opens the database, lets it work for a while, and cuts the power.
    async fn live(&mut self) -> Result<(), String> {
        let is_first = self.stats.opened == 0;
        if !is_first && self.random.u8(..4) > 0 {
            let fault = match self.random.u8(..3) {
                0 => Fault::Once,
                1 => Fault::Full(self.random.u64(1..30)),
                _ => Fault::PowerCut,
            };
            self.disk.arm(self.random.u64(..90), fault);
        }
        match self.open() {
            Ok(database) => {
                self.work(&database, is_first).await?;
                if self.random.bool() {
                    database.shutdown().await;
                }
            }
            Err(error) => self.excuse(&error, "the database does not open")?,
        }
        self.cut_power().map_err(|error| error.to_string())
    }

    fn open(&mut self) -> Result<Database, SqlError> {
        let workers = self.random.usize(1..4);
        let options = Options { checkpoint_interval: NEVER, ..Options::new(workers) };
        let opened = Database::open_at(&self.location(), options);
        match opened {
            Ok(_) => self.stats.opened += 1,
            Err(_) => self.stats.refused += 1,
        }
        opened
    }

    /// The disk, for one half of the seeds with all but the log in a bucket on it.
    fn location(&self) -> Location {
        let (disk, directory) = (self.disk.clone(), self.directory.path());
        if self.seed % 4 < 2 {
            return Location::on(Arc::new(disk), directory);
        }
        let bucket = Bucket::new(disk.clone(), directory);
        let files = ObjectFiles::new(Arc::new(bucket), Key::default(), directory).expect("threads start");
        Location::bucket(Arc::new(files), false, Arc::new(disk), directory)
    }

    fn cut_power(&mut self) -> std::io::Result<()> {
        let directory = Directory::new()?;
        self.disk = self.disk.after_power_cut(directory.path());
        self.directory = directory;
        self.candidates.extend(self.before_unsynced.iter().cloned());
        self.before_end.append(&mut self.before_unsynced);
        Ok(())
    }

    async fn work(&mut self, database: &Database, is_first: bool) -> Result<(), String> {
        let mut connection = InProcess(Client::new(database));
        if is_first {
            for sql in schema() {
                connection.run(&sql).await.map_err(|failure| format!("{sql}: {failure}"))?;
            }
        }
        self.inspect(&mut connection).await?;
        while self.before_end.is_empty() {
            self.transact(&mut connection).await?;
        }
        for _ in 0..self.random.usize(3..25) {
            match self.random.u8(..8) {
                0 => self.checkpoint(database).await?,
                1 if self.seed % 2 == 1 => {
                    let checkpoint = {
                        let database = database.clone();
                        tokio::spawn(async move { database.checkpoint().await })
                    };
                    self.transact(&mut connection).await?;
                    self.transact(&mut connection).await?;
                    let outcome = checkpoint.await.map_err(|error| error.to_string())?;
                    self.count_checkpoint(outcome)?;
                }
                _ => self.transact(&mut connection).await?,
            }
        }
        if self.candidates.len() > 1 {
            // What failed is not to be seen, whatever it has left on the disk.
            settle(&mut connection, &self.candidates[..1]).await?;
        }
        Ok(())
    }

    async fn inspect(&mut self, connection: &mut InProcess) -> Result<(), String> {
        self.candidates = vec![settle(connection, &self.candidates).await?];
        check_shared(connection).await
    }

    async fn transact(&mut self, connection: &mut InProcess) -> Result<(), String> {
        let model = self.candidates[0].clone();
        let transaction = Transaction::random(&mut self.random, &model);
        let waits = self.random.u8(..3) > 0;
        let set = if waits { "SET synchronous_commit = on" } else { "SET synchronous_commit = off" };
        connection.run(set).await.map_err(|failure| format!("{set}: {failure}"))?;
        match transaction.run(connection).await {
            Ok(()) => {
                self.stats.commits += 1;
                self.stats.unsynced += u64::from(!waits);
                if self.candidates.len() > 1 && transaction.after != model {
                    return Err(format!("a commit succeeds after one that failed: {:?}", transaction.steps));
                }
                if transaction.after != model {
                    self.before_unsynced.push(model);
                    if waits {
                        self.before_end = std::mem::take(&mut self.before_unsynced);
                    }
                }
                self.candidates[0] = transaction.after;
            }
            Err(failure) if failure.is_of_disk() && self.disk.has_failed() => {
                self.stats.failures += 1;
                // Later ones are refused before they reach the disk.
                if self.candidates.len() == 1 {
                    self.candidates.push(transaction.after);
                }
            }
            Err(failure) => return Err(format!("{failure}: {:?}", transaction.steps)),
        }
        Ok(())
    }

    async fn checkpoint(&mut self, database: &Database) -> Result<(), String> {
        self.count_checkpoint(database.checkpoint().await)
    }

    fn count_checkpoint(&mut self, outcome: Result<(), SqlError>) -> Result<(), String> {
        match outcome {
            Ok(()) => self.stats.checkpoints.0 += 1,
            Err(error) => {
                self.stats.checkpoints.1 += 1;
                self.excuse(&error, "a checkpoint fails")?;
            }
        }
        Ok(())
    }

    /// The disk is to blame for an error, or the case has failed.
    fn excuse(&self, error: &SqlError, what: &str) -> Result<(), String> {
        let is_of_disk = matches!(error.sqlstate.code(), "53100" | "58030");
        if is_of_disk && self.disk.has_failed() {
            return Ok(());
        }
        Err(format!("{what}: {}: {error}", error.sqlstate.code()))
    }
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use springtide_catalog::{RelationKind, RoleId, SchemaId, SessionSequences, system};
use springtide_sql::Planner;
use springtide_types::{Epoch, Result, SqlError, SqlState};

use crate::activity::Activity;
use crate::checkpoint::Checkpoints;
use crate::commit::{Acknowledged, Commit, CommitError};
use crate::live::Live;
use crate::location::Location;
use crate::reads::Reads;
use crate::recovery::{Recovered, recover};
use crate::replacing::Replacing;
use crate::sequencer::Sequencer;
use crate::session::Session;
use crate::sources::Sources;
use crate::statement::{Target, filled, follow};
use crate::transaction::Transaction;
use crate::turns::{Turn, Turns};

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Worker threads that maintain the views, at least one.
    pub workers: usize,
    /// How long after a checkpoint the next one is due, if there are commits to write down. In a directory only.
    pub checkpoint_interval: Duration,
}

impl Options {
    /// The usual options, with this many workers.
    pub const fn new(workers: usize) -> Options {
        Options { workers, checkpoint_interval: Duration::from_secs(60) }
    }
}

/// A database: tables, views, and the workers that maintain them. Clones share it.
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

/// What the sessions of a database share.
pub(crate) struct Shared {
    pub(crate) planner: Planner,
    pub(crate) reads: Arc<Reads>,
    sequencer: Sequencer,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// `None` in memory.
    checkpoints: Option<Checkpoints>,
    pub(crate) turns: Arc<Turns>,
    sources: Arc<Sources>,
    live: Arc<Live>,
    pub(crate) activity: Arc<Activity>,
    /// How many sessions there have been.
    sessions: AtomicU32,
}

impl Database {
    /// Opens an empty database in memory.
    pub fn open(options: Options) -> Result<Database> {
        Database::start(options, Planner::new(), Recovered::empty())
    }

    /// Opens the database in a directory, or makes one there. Every commit is on disk before it is acknowledged.
    ///
    /// Fails with `55006` if another process has the directory open, `XX001` if what is in it is damaged, and
    /// `58030` if it can't be read or written.
    pub fn open_in(directory: &Path, options: Options) -> Result<Database> {
        Database::open_at(&Location::directory(directory), options)
    }

    /// As [`Database::open_in`], wherever the database is kept.
    pub fn open_at(location: &Location, options: Options) -> Result<Database> {
        let planner = Planner::new();
        let recovered = recover(location, &planner, options.workers)?;
        Database::start(options, planner, recovered)
    }

    fn start(options: Options, planner: Planner, recovered: Recovered) -> Result<Database> {
        if options.workers == 0 {
            let message = "a database needs at least one worker";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let Recovered { objects, epoch, table_frontier, beginnings, durable } = recovered;
        let past = durable.as_ref().map(|durable| durable.past.clone());
        let reads = Reads::new(objects, epoch, past.clone());
        let (sequencer, thread) =
            Sequencer::start(options.workers, reads.clone(), table_frontier, beginnings, durable)?;
        let checkpoints = past.map(|past| {
            let (interval, workers) = (options.checkpoint_interval, options.workers);
            Checkpoints::start(reads.clone(), sequencer.clone(), past, interval, workers)
        });
        let turns = Arc::new(Turns::default());
        let sources = Arc::new(Sources::start(reads.clone(), sequencer.clone(), turns.clone())?);
        let activity = Arc::<Activity>::default();
        let live = Live::new(reads.clone(), sources.clone(), sequencer.meters(), activity.clone());
        let live = Arc::new(live);
        let shared = Shared {
            planner,
            reads,
            sequencer,
            thread: Mutex::new(Some(thread)),
            checkpoints: checkpoints.transpose()?,
            turns,
            sources,
            live,
            activity,
            sessions: AtomicU32::new(0),
        };
        Ok(Database { shared: Arc::new(shared) })
    }

    /// A new session of the first superuser.
    pub fn session(&self) -> Session {
        Session::new(self.shared.clone(), RoleId::BOOTSTRAP)
    }

    /// Appends rows, which have the table's schema, as one commit. Returns the epoch from which on they are
    /// visible. The way in for sources that have their rows in columns already.
    pub async fn append(&self, table: &str, rows: RecordBatch) -> Result<Epoch> {
        let mut transaction = Transaction::begin(&self.shared.reads);
        let relation = transaction.visible_catalog().get(table)?.clone();
        if !matches!(relation.kind, RelationKind::Table { .. }) {
            let message = format!("\"{table}\" is not a table");
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let source = relation.filled_by().and_then(|source| transaction.visible_catalog().by_id(source));
        if let Some(source) = source {
            return Err(filled(&format!("cannot append to table \"{table}\""), source));
        }
        let types = rows.columns().iter().map(|column| column.data_type());
        if !types.eq(relation.schema().fields().iter().map(|field| field.data_type())) {
            let message = format!("the rows do not have the schema of table \"{table}\"");
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let relation = Target::new(&self.shared.planner, transaction.visible_catalog(), relation)?;
        let rows = relation.rows(&self.shared.planner, rows.columns().to_vec()).await?;
        relation.insert(&mut transaction, rows, false)?;
        follow(&self.shared.planner, &mut transaction).await?;
        let epoch = transaction.epoch();
        let turn = self.shared.turns.together();
        match self.shared.commit(transaction, &turn, Acknowledged::Durable).await {
            Ok(committed) => Ok(committed.unwrap_or(epoch)),
            Err(CommitError::Conflict) => {
                let message = format!("table \"{table}\" was dropped meanwhile");
                Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message))
            }
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Waits until every view is complete up to the newest commit, or reports that one is in error.
    pub async fn wait_until_current(&self) -> Result<()> {
        let epoch = self.shared.reads.committed();
        self.wait_until_complete(epoch).await
    }

    /// Waits until every view is complete up to the epoch of a commit.
    pub async fn wait_until_complete(&self, epoch: Epoch) -> Result<()> {
        let point = self.shared.reads.begin();
        for relation in point.objects.catalog.relations().filter(|relation| relation.is_stored()) {
            point.contents_complete_at(relation.id, epoch).await?;
        }
        Ok(())
    }

    /// Bytes that the contents of each stored relation hold.
    pub fn bytes_by_relation(&self) -> Vec<(String, usize)> {
        let objects = self.shared.reads.objects();
        let stored = objects.catalog.relations().filter_map(|relation| {
            objects.contents.get(&relation.id).map(|contents| (relation.name.clone(), contents.bytes()))
        });
        stored.collect()
    }

    /// Writes a checkpoint now: a start goes on from it, and the log up to it goes. Nothing to do in memory.
    pub async fn checkpoint(&self) -> Result<()> {
        self.shared.checkpoint().await
    }

    /// Ends the sources, and the workers once all that was asked before is done, with a checkpoint unless a view is far behind. Later
    /// commits fail.
    pub async fn shutdown(&self) {
        self.shared.sources.stop().await;
        if let Some(checkpoints) = &self.shared.checkpoints {
            checkpoints.stop().await;
        }
        self.shared.sequencer.shut_down();
        let thread = self.shared.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the sequencer ended by a panic");
            }
        }
    }
}

impl Shared {
    /// A schema for the temporary objects of a new session.
    pub(crate) fn next_temporary_schema(&self) -> SchemaId {
        SchemaId::temporary(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes away the temporary objects of a session that has ended.
    pub(crate) fn end_temporary(&self, schema: SchemaId) {
        self.sequencer.drop_temporary(schema);
    }

    /// Writes a checkpoint, unless the database is in memory.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        match &self.checkpoints {
            Some(checkpoints) => checkpoints.checkpoint().await,
            None => Ok(()),
        }
    }

    /// What writes checkpoints and keeps snapshots; `0A000` in memory.
    pub(crate) fn checkpoints(&self) -> Result<&Checkpoints> {
        self.checkpoints.as_ref().ok_or_else(|| {
            SqlError::unsupported("a snapshot of a database in memory")
                .with_hint("Start the server with --data-dir.")
        })
    }

    /// What queries may ask of the running database.
    pub(crate) fn live(&self) -> Arc<dyn system::Live> {
        self.live.clone()
    }

    /// The moments that are kept by name; none in memory.
    pub(crate) fn snapshots(&self) -> Arc<[system::Snapshot]> {
        let kept = self.checkpoints.iter().flat_map(Checkpoints::snapshots);
        kept.map(|kept| system::Snapshot { name: kept.name, at: kept.epoch, created: kept.created }).collect()
    }

    /// Has the numbers written down that a session took from sequences, as far as they were not.
    pub(crate) async fn note_numbers(
        &self,
        sequences: &SessionSequences,
        acknowledged: Acknowledged,
    ) -> Result<()> {
        if !sequences.take_unnoted() {
            return Ok(());
        }
        match self.sequencer.commit(Commit::of_nothing(&self.reads.objects(), acknowledged)).await {
            Ok(_) => Ok(()),
            Err(CommitError::Failed(error)) => Err(error),
            Err(CommitError::Conflict) => Err(SqlError::internal("nothing is in conflict with nothing")),
        }
    }

    /// Commits a transaction. `None` if it changed nothing.
    pub(crate) async fn commit(
        &self,
        transaction: Transaction,
        turn: &Turn<'_>,
        acknowledged: Acknowledged,
    ) -> Result<Option<Epoch>, CommitError> {
        let Some(mut commit) = transaction.into_commit(acknowledged) else { return Ok(None) };
        let _replacing = Replacing::build(&self.sequencer, &self.reads, &mut commit).await?;
        let _entered = turn.enter().await;
        self.sequencer.commit(commit).await.map(Some)
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use parking_lot::RwLock;
use springtide_types::{Changes, Epoch, ErrorDelta, SqlError, ZBatch};

use crate::change_log::ChangeLog;
use crate::shard::Shard;
use crate::store::Access;

/// The contents of a table or view, which its writers keep up to date and readers see as of an epoch.
///
/// Each shard has one writer, which applies deltas at ascending epochs and then advances the shard's
/// frontier. Readers may ask for any epoch from *since* up to the frontier: an undo log leads back from
/// the newest contents.
#[derive(Debug)]
pub struct Relation {
    schema: SchemaRef,
    append_only: bool,
    shards: Vec<RwLock<Shard>>,
    frontiers: Vec<Arc<AtomicU64>>,
    /// No frontier is sure to pass this epoch.
    end: AtomicU64,
}

/// The rows found by [`Relation::lookup`].
#[derive(Clone, Debug)]
pub struct LookedUp {
    /// For each row found, the position of its key among the keys asked for.
    pub probe_rows: Vec<u32>,
    /// The rows.
    pub rows: RecordBatch,
}

/// What [`Relation::recorded`] has kept.
#[derive(Clone, Debug)]
pub struct RecordedChanges {
    /// Changes up to here are not in it.
    pub after: Epoch,
    /// The rows that changed, in pieces that need not follow each other in time.
    pub rows: Vec<Changes>,
    /// The errors that changed, by ascending epoch.
    pub errors: Vec<(Epoch, ErrorDelta)>,
}

impl Relation {
    /// An empty relation of one shard per frontier; a frontier `f` says that every delta of that shard at
    /// an epoch before `f` has been applied. `key` are columns whose values are unique, for
    /// [`lookup`](Relation::lookup). An `append_only` relation never sees a negative weight.
    pub fn new(
        schema: SchemaRef,
        key: Option<Vec<usize>>,
        append_only: bool,
        frontiers: Vec<Arc<AtomicU64>>,
    ) -> Relation {
        let access = match key {
            Some(columns) if append_only => Access::Key { columns, append_only },
            Some(columns) => Access::UniqueKey(columns),
            None if append_only => Access::Scan,
            None => Access::Key { columns: (0..schema.fields().len()).collect(), append_only },
        };
        let shard = |_| RwLock::new(Shard::new(schema.clone(), access.clone()));
        let shards = frontiers.iter().map(shard).collect();
        Relation { schema, append_only, shards, frontiers, end: AtomicU64::new(Epoch::MAX) }
    }

    /// The schema of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Adds a delta at an epoch not less than any before it on this shard.
    ///
    /// # Panics
    /// If the relation is append-only and the delta retracts rows.
    pub fn apply(&self, shard: usize, epoch: Epoch, delta: &ZBatch) {
        assert!(!self.append_only || delta.is_insert_only(), "an append-only relation got a retraction");
        self.shards[shard].write().apply(epoch, delta);
    }

    /// Adds many deltas at one epoch to a shard that has no reader yet: as [`Relation::apply`], but the rows that only come
    /// are indexed together.
    pub fn fill(&self, shard: usize, epoch: Epoch, deltas: impl Iterator<Item = ZBatch>) {
        self.shards[shard].write().fill(epoch, deltas);
    }

    /// Adds errors that appear or go away at an epoch.
    pub fn apply_errors(&self, shard: usize, epoch: Epoch, errors: &[ErrorDelta]) {
        if !errors.is_empty() {
            self.shards[shard].write().apply_errors(epoch, errors);
        }
    }

    /// From here on keeps a log of the changes later than an epoch, until [`Relation::forget_recorded`].
    pub fn record_changes(&self, after: Epoch) {
        self.shards.iter().for_each(|shard| shard.write().record_changes(after));
    }

    /// The logged changes up to an epoch, which the caller knows to be complete; `None` if none are logged.
    pub fn recorded(&self, until: Epoch) -> Option<RecordedChanges> {
        let mut recorded = RecordedChanges { after: 0, rows: Vec::new(), errors: Vec::new() };
        for shard in &self.shards {
            let shard = shard.read();
            let log = shard.log()?;
            recorded.after = recorded.after.max(log.after());
            recorded.rows.extend(log.rows(until));
            recorded.errors.extend(log.errors(until));
        }
        recorded.errors.sort_by_key(|(epoch, _)| *epoch);
        Some(recorded)
    }

    /// Shortens the log: changes up to an epoch are written down elsewhere.
    pub fn forget_recorded(&self, until: Epoch) {
        self.shards.iter().for_each(|shard| shard.write().forget_changes(until));
    }

    /// Rows in the log of changes.
    pub fn recorded_rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().log().map_or(0, ChangeLog::len)).sum()
    }

    /// Bytes that the log of changes holds.
    pub fn recorded_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().log().map_or(0, ChangeLog::bytes)).sum()
    }

    /// Declares that every delta of this shard before `frontier` has been applied.
    pub fn advance(&self, shard: usize, frontier: Epoch) {
        self.frontiers[shard].fetch_max(frontier, Ordering::AcqRel);
    }

    /// The first epoch that may not be complete in every shard.
    pub fn frontier(&self) -> Epoch {
        let frontiers = self.frontiers.iter().map(|frontier| frontier.load(Ordering::Acquire));
        frontiers.min().unwrap_or(Epoch::MAX)
    }

    /// The first epoch that may not be complete in a shard.
    pub fn shard_frontier(&self, shard: usize) -> Epoch {
        self.frontiers[shard].load(Ordering::Acquire)
    }

    /// Declares that it is kept up to date until its frontier is `end`, and no longer.
    pub fn set_end(&self, end: Epoch) {
        self.end.store(end, Ordering::Release);
    }

    /// Whether it is complete as of an epoch, or will be.
    pub fn reaches(&self, epoch: Epoch) -> bool {
        epoch < self.end.load(Ordering::Acquire) || epoch < self.frontier()
    }

    /// The rows of positive weight exactly as of `epoch`, which the caller knows to be complete, or the
    /// first of the errors that the relation holds then. Shares the chunks that nothing was deleted from.
    pub fn snapshot(&self, epoch: Epoch) -> Result<Vec<ZBatch>, SqlError> {
        self.check(epoch)?;
        Ok(self.shards.iter().flat_map(|shard| shard.read().snapshot(epoch)).collect())
    }

    /// Fails with the first of the errors that the relation holds as of `epoch`.
    pub fn check(&self, epoch: Epoch) -> Result<(), SqlError> {
        let errors = self.shards.iter().flat_map(|shard| shard.read().errors(epoch));
        ErrorDelta::first(errors).map_or(Ok(()), Err)
    }

    /// Rows and errors of one shard as of `epoch`.
    pub fn snapshot_shard(&self, shard: usize, epoch: Epoch) -> (Vec<ZBatch>, Vec<ErrorDelta>) {
        let shard = self.shards[shard].read();
        (shard.snapshot(epoch), shard.errors(epoch))
    }

    /// The rows whose unique key equals one of `keys`, one column per key column, as of `epoch` or, if
    /// `None`, in the newest contents. NULL equals NULL. O(keys).
    ///
    /// # Panics
    /// If the relation has no key.
    pub fn lookup(&self, keys: &[ArrayRef], epoch: Option<Epoch>) -> LookedUp {
        let wanted = keys.first().map_or(1, |key| key.len());
        let mut probe_rows = Vec::new();
        let mut batches = Vec::new();
        for shard in &self.shards {
            let (mut found, rows) = shard.read().lookup(keys, epoch);
            probe_rows.append(&mut found);
            if rows.num_rows() > 0 {
                batches.push(rows);
            }
            // A key is in one shard only.
            if wanted == 1 && !probe_rows.is_empty() {
                break;
            }
        }
        let rows = match batches.as_slice() {
            [single] => single.clone(),
            _ => concat_batches(&self.schema, &batches).expect("shards share a schema"),
        };
        LookedUp { probe_rows, rows }
    }

    /// Declares that no reader will ask for an epoch before `since`: the undo log gets shorter, and dead
    /// rows may go.
    pub fn set_since(&self, since: Epoch) {
        for shard in &self.shards {
            shard.write().set_since(since);
        }
    }

    /// Number of rows in the newest contents, each as often as it occurs.
    pub fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes()).sum()
    }
}

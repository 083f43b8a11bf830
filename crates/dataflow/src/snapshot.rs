use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use springtide_state::Relation;
use springtide_types::{Epoch, ZBatch};

use crate::budget::ROWS_PER_ACTIVATION;
use crate::hub::Change;

/// The contents of an input as of the epoch at which a view begins, shared by the workers: whoever is free
/// claims the next piece. It is taken once for all of them, because two snapshots of the same epoch may
/// hold their rows in different orders.
pub(crate) struct Snapshot {
    relation: Arc<Relation>,
    as_of: Epoch,
    pieces: OnceLock<Vec<Change>>,
    claimed: AtomicUsize,
}

impl Snapshot {
    /// A snapshot that is not taken yet.
    pub(crate) fn new(relation: Arc<Relation>, as_of: Epoch) -> Snapshot {
        Snapshot { relation, as_of, pieces: OnceLock::new(), claimed: AtomicUsize::new(0) }
    }

    /// Rows that the caller knows, in place of the contents of the input.
    pub(crate) fn of(relation: Arc<Relation>, as_of: Epoch, rows: &[ZBatch]) -> Snapshot {
        let pieces = rows.iter().flat_map(pieces).map(Change::Rows).collect::<Vec<_>>();
        Snapshot { relation, as_of, pieces: pieces.into(), claimed: AtomicUsize::new(0) }
    }

    /// Whether the input is complete up to the epoch of the snapshot.
    pub(crate) fn is_ready(&self) -> bool {
        self.relation.frontier() > self.as_of
    }

    /// The next piece that no worker has claimed. Call it only when [`Snapshot::is_ready`].
    pub(crate) fn claim(&self) -> Option<Change> {
        let pieces = self.pieces.get_or_init(|| self.take());
        pieces.get(self.claimed.fetch_add(1, Ordering::Relaxed)).cloned()
    }

    fn take(&self) -> Vec<Change> {
        let mut pieces = Vec::new();
        for shard in 0..self.relation.shards() {
            let (batches, errors) = self.relation.snapshot_shard(shard, self.as_of);
            if !errors.is_empty() {
                pieces.push(Change::Errors(errors.into()));
            }
            pieces.extend(batches.iter().flat_map(self::pieces).map(Change::Rows));
        }
        pieces
    }
}

/// A batch in pieces of which an import can emit one in an activation.
fn pieces(batch: &ZBatch) -> impl Iterator<Item = ZBatch> {
    let starts = (0..batch.len()).step_by(ROWS_PER_ACTIVATION);
    starts.map(|start| batch.slice(start, ROWS_PER_ACTIVATION.min(batch.len() - start)))
}

/// Shared by the imports of a new view on all workers until each has emitted its part of the snapshots.
/// Dropping the last reference tells the engine, be it that the view is hydrated or that it was dropped.
pub(crate) struct Hydration(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Hydration {
    /// Calls `done` once, when the last reference is gone.
    pub(crate) fn new(done: Box<dyn FnOnce() + Send>) -> Hydration {
        Hydration(Mutex::new(Some(done)))
    }
}

impl Drop for Hydration {
    fn drop(&mut self) {
        let done = self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(done) = done {
            done();
        }
    }
}

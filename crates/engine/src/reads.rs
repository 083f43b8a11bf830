use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parking_lot::{Condvar, Mutex};
use springtide_catalog::Relation;
use springtide_types::{Epoch, RelationId, Result, SqlError, SqlState, ZBatch};
use tokio::sync::Notify;

use crate::objects::Objects;
use crate::past::Past;

/// Hands out read points: the moments at which statements and transactions see the database.
///
/// Strict serializability of reads: a read point begun after a commit was acknowledged has an epoch that
/// is not before the commit's, and everything read through it is read at that epoch.
pub(crate) struct Reads {
    current: Mutex<Current>,
    progress: Notify,
    /// Other objects are shown, or none will be any more.
    changed: Condvar,
    /// `None` in memory.
    past: Option<Arc<Past>>,
}

struct Current {
    committed: Epoch,
    objects: Arc<Objects>,
    /// How many read points stand at each epoch. Nothing they may ask for is forgotten.
    holds: BTreeMap<Epoch, usize>,
    /// Nobody is to wait for other objects any more.
    closed: bool,
}

impl Reads {
    /// Read points for a database whose newest commit is `committed`.
    pub(crate) fn new(objects: Objects, committed: Epoch, past: Option<Arc<Past>>) -> Arc<Reads> {
        let current =
            Current { committed, objects: Arc::new(objects), holds: BTreeMap::new(), closed: false };
        let (progress, changed) = (Notify::new(), Condvar::new());
        Arc::new(Reads { current: Mutex::new(current), progress, changed, past })
    }

    /// A read point that covers every commit acknowledged so far.
    pub(crate) fn begin(self: &Arc<Self>) -> ReadPoint {
        let mut current = self.current.lock();
        let epoch = current.committed;
        *current.holds.entry(epoch).or_default() += 1;
        ReadPoint { epoch, objects: current.objects.clone(), hold: Hold { reads: self.clone(), epoch } }
    }

    /// Makes a commit visible to the read points begun from now on.
    pub(crate) fn publish(&self, epoch: Epoch, objects: Option<Arc<Objects>>) {
        let mut current = self.current.lock();
        assert!(epoch > current.committed, "epochs ascend");
        current.committed = epoch;
        if let Some(objects) = objects {
            current.objects = objects;
            self.changed.notify_all();
        }
    }

    /// Puts objects in the place of those that are shown, in which nothing differs that anybody can have seen.
    pub(crate) fn replace_objects(&self, objects: Arc<Objects>) {
        self.current.lock().objects = objects;
    }

    /// The epoch of the newest commit.
    pub(crate) fn committed(&self) -> Epoch {
        self.current.lock().committed
    }

    /// The newest objects.
    pub(crate) fn objects(&self) -> Arc<Objects> {
        self.current.lock().objects.clone()
    }

    /// The newest objects once they are of another version than `seen`; `None` once nobody is to wait for them. Blocks the
    /// thread.
    pub(crate) fn objects_after(&self, seen: Option<u64>) -> Option<Arc<Objects>> {
        let mut current = self.current.lock();
        while !current.closed && Some(current.objects.version) == seen {
            self.changed.wait(&mut current);
        }
        (!current.closed).then(|| current.objects.clone())
    }

    /// Lets nobody wait for other objects any more.
    pub(crate) fn close(&self) {
        self.current.lock().closed = true;
        self.changed.notify_all();
    }

    /// No read point asks for an epoch before this one, now or later.
    pub(crate) fn since(&self) -> Epoch {
        let current = self.current.lock();
        current.holds.keys().next().copied().unwrap_or(current.committed)
    }

    /// Waits until something holds that a view makes true by going on.
    pub(crate) async fn wait_until(&self, holds: impl Fn() -> bool) {
        while !holds() {
            let notified = self.progress.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if holds() {
                return;
            }
            notified.await;
        }
    }

    /// Wakes the readers that wait for a view.
    pub(crate) fn notify_progress(&self) {
        self.progress.notify_waiters();
    }
}

/// Keeps one epoch readable until it is dropped.
pub(crate) struct Hold {
    reads: Arc<Reads>,
    epoch: Epoch,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut current = self.reads.current.lock();
        let count = current.holds.get_mut(&self.epoch).expect("a hold was counted");
        *count -= 1;
        if *count == 0 {
            current.holds.remove(&self.epoch);
        }
    }
}

/// The database at one epoch.
pub(crate) struct ReadPoint {
    pub(crate) epoch: Epoch,
    pub(crate) objects: Arc<Objects>,
    hold: Hold,
}

impl ReadPoint {
    /// Everything in a relation at this epoch. Waits until the relation is complete up to it. Fails with
    /// the relation's own error if a row of it could not be computed.
    pub(crate) async fn snapshot(&self, relation: RelationId) -> Result<Vec<ZBatch>> {
        self.contents_when_complete(relation).await?.snapshot(self.epoch)
    }

    /// Everything in a relation at an epoch that is not later than this one.
    pub(crate) async fn snapshot_at(&self, relation: RelationId, epoch: Epoch) -> Result<Vec<ZBatch>> {
        if epoch == self.epoch {
            return self.snapshot(relation).await;
        }
        let present = self.epoch;
        self.of_past(relation, move |past, relation, contents| past.rows(relation, contents, epoch, present))
            .await
    }

    /// What changed in a relation after one epoch and until another that is not later than this one: its columns,
    /// then `_epoch` and `_weight`.
    pub(crate) async fn changes(
        &self,
        relation: RelationId,
        after: Epoch,
        until: Epoch,
    ) -> Result<RecordBatch> {
        self.of_past(relation, move |past, relation, contents| past.changes(relation, contents, after, until))
            .await
    }

    /// The rows that a relation has had until an epoch that is not later than this one: its columns, then `valid_from`
    /// and `valid_to`.
    pub(crate) async fn versions(&self, relation: RelationId, until: Epoch) -> Result<ZBatch> {
        self.of_past(relation, move |past, relation, contents| past.versions(relation, contents, until)).await
    }

    /// Reads files, on a thread that may wait for them.
    async fn of_past<T: Send + 'static>(
        &self,
        id: RelationId,
        read: impl FnOnce(&Past, &Relation, &springtide_state::Relation) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let past = self.hold.reads.past.clone().ok_or_else(|| {
            SqlError::unsupported("reading the past of a database in memory")
                .with_hint("Start the server with --data-dir, and it keeps its history.")
        })?;
        let contents = self.contents_when_complete(id).await?.clone();
        let relation = self.objects.catalog.by_id(id).ok_or_else(dropped)?.clone();
        let reading = tokio::task::spawn_blocking(move || read(&past, &relation, &contents));
        reading.await.unwrap_or_else(|error| Err(SqlError::internal(format!("reading the past: {error}"))))
    }

    /// The contents of a relation once they are complete up to this epoch.
    pub(crate) async fn contents_when_complete(
        &self,
        relation: RelationId,
    ) -> Result<&Arc<springtide_state::Relation>> {
        self.contents_complete_at(relation, self.epoch).await
    }

    /// The contents of a relation once they are complete up to an epoch.
    pub(crate) async fn contents_complete_at(
        &self,
        relation: RelationId,
        epoch: Epoch,
    ) -> Result<&Arc<springtide_state::Relation>> {
        let contents = self.objects.contents.get(&relation).ok_or_else(dropped)?;
        let reads = &self.hold.reads;
        while contents.frontier() <= epoch {
            let notified = reads.progress.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if contents.frontier() > epoch {
                break;
            }
            if !contents.reaches(epoch) {
                return Err(dropped());
            }
            notified.await;
        }
        Ok(contents)
    }
}

fn dropped() -> SqlError {
    SqlError::new(SqlState::SERIALIZATION_FAILURE, "could not read a relation that was dropped meanwhile")
        .with_hint("Retry the transaction.")
}

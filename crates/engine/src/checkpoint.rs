//! Checkpoints: what happened since the last one goes into the history, by relation, and a manifest says so.
//!
//! A start begins at the newest manifest, so the log before it can go; it is kept back to the manifest before that, which
//! serves should the newest be damaged. Commits go on meanwhile: a checkpoint reads what the contents of the relations
//! have kept for it, as of the epoch at which the log was divided.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use parking_lot::Mutex;
use springtide_catalog::Relation;
use springtide_dataflow::Freeze;
use springtide_state as state;
use springtide_storage::{
    Base, DataFile, ErrorChange, FILE_ROWS, Manifest, RelationHistory, Snapshot, StateFiles,
};
use springtide_types::{Changes, Epoch, ErrorDelta, RelationId, Result, SqlError, SqlState, ZBatch};
use tokio::sync::oneshot;

use crate::log::storage_error;
use crate::moment::now;
use crate::past::Past;
use crate::reads::{ReadPoint, Reads};
use crate::recovery::plan_fingerprint;
use crate::restore::check_readable;
use crate::sequencer::Sequencer;
use crate::view_state;

/// How often to look whether a checkpoint is due.
const TICK: Duration = Duration::from_millis(250);
/// A checkpoint is due once the changes that wait for it hold so many bytes.
const MOST_BYTES: usize = 256 << 20;
/// How long the last checkpoint waits for views that lag.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look whether a view is up to date.
const POLL: Duration = Duration::from_millis(1);
/// A base is written when the changes since the last one are so many times as many as the rows, and no fewer than
/// `LEAST_BASE`: then reading an epoch costs a few times its rows at most, and writing twice the changes.
const BASE_FACTOR: u64 = 2;
const LEAST_BASE: u64 = 64 * 1024;
/// So many small files at the end of a history are put together.
const MERGED_FILES: usize = 8;

/// A handle to the thread that writes checkpoints.
pub(crate) struct Checkpoints {
    requests: Mutex<Sender<Request>>,
    past: Arc<Past>,
    stop_by: Arc<OnceLock<Instant>>,
}

enum Request {
    /// Write one now.
    Now(oneshot::Sender<Result<()>>),
    /// Keep a moment, now if none is given, by a name.
    CreateSnapshot(String, Option<Epoch>, oneshot::Sender<Result<()>>),
    /// Keep the moment of this name no longer.
    DropSnapshot(String, oneshot::Sender<Result<()>>),
    /// Write a last one, if that takes not long, and end.
    Stop(oneshot::Sender<Result<()>>),
}

impl Checkpoints {
    /// Starts the thread. It ends when the handle is dropped.
    pub(crate) fn start(
        reads: Arc<Reads>,
        sequencer: Sequencer,
        past: Arc<Past>,
        interval: Duration,
        workers: usize,
    ) -> Result<Checkpoints> {
        let (requests, receiver) = channel();
        let stop_by = Arc::new(OnceLock::new());
        let last = Instant::now();
        let stopping = stop_by.clone();
        let writer =
            Writer { reads, sequencer, past: past.clone(), workers, interval, stop_by: stopping, last };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned());
        thread
            .spawn(move || writer.run(&receiver))
            .map_err(|error| SqlError::internal(format!("could not start the checkpoints: {error}")))?;
        Ok(Checkpoints { requests: Mutex::new(requests), past, stop_by })
    }

    /// Writes a checkpoint of everything that is committed now.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        self.ask(Request::Now).await
    }

    /// Keeps a moment of the whole database, now if none is given, by a name; durable once it returns.
    pub(crate) async fn create_snapshot(&self, name: String, epoch: Option<Epoch>) -> Result<()> {
        self.ask(|reply| Request::CreateSnapshot(name, epoch, reply)).await
    }

    /// Keeps the moment of this name no longer.
    pub(crate) async fn drop_snapshot(&self, name: String) -> Result<()> {
        self.ask(|reply| Request::DropSnapshot(name, reply)).await
    }

    /// The moments that are kept by name.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        self.past.manifest().snapshots.clone()
    }

    /// Ends the thread.
    pub(crate) async fn stop(&self) {
        self.stop_by.get_or_init(|| Instant::now() + PATIENCE);
        if let Err(error) = self.ask(Request::Stop).await {
            tracing::warn!("there is no last checkpoint, a start reads the log instead: {error}");
        }
    }

    async fn ask(&self, request: impl FnOnce(oneshot::Sender<Result<()>>) -> Request) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.requests.lock().send(request(reply)).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

struct Writer {
    reads: Arc<Reads>,
    sequencer: Sequencer,
    past: Arc<Past>,
    workers: usize,
    interval: Duration,
    /// If the database is to stop: until when to wait for views.
    stop_by: Arc<OnceLock<Instant>>,
    /// When the last attempt was.
    last: Instant,
}

impl Writer {
    fn run(mut self, requests: &Receiver<Request>) {
        loop {
            match requests.recv_timeout(TICK) {
                Ok(Request::Now(reply)) => answer(reply, self.checkpoint()),
                Ok(Request::CreateSnapshot(name, epoch, reply)) => {
                    answer(reply, self.create_snapshot(name, epoch));
                }
                Ok(Request::DropSnapshot(name, reply)) => answer(reply, self.drop_snapshot(&name)),
                Ok(Request::Stop(reply)) => return answer(reply, self.checkpoint()),
                Err(RecvTimeoutError::Timeout) if self.is_due() => {
                    if let Err(error) = self.checkpoint() {
                        tracing::error!("a checkpoint failed, the log is kept instead: {error}");
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn is_due(&self) -> bool {
        let waited = self.last.elapsed();
        if waited < TICK || self.reads.committed() == self.past.manifest().epoch {
            return false;
        }
        let objects = self.reads.objects();
        let bytes = || objects.contents.values().map(|contents| contents.recorded_bytes()).sum::<usize>();
        waited >= self.interval || bytes() >= MOST_BYTES
    }

    fn checkpoint(&mut self) -> Result<()> {
        let started = Instant::now();
        let result = self.write();
        if result.is_err()
            && let Err(error) = self.past.collect_garbage()
        {
            tracing::error!("what a checkpoint that failed has written stays until the next one: {error}");
        }
        self.last = Instant::now();
        if let Ok(Some(epoch)) = result {
            tracing::debug!("checkpoint at epoch {epoch} in {:.3} s", started.elapsed().as_secs_f64());
        }
        result.map(|_| ())
    }

    /// Returns the epoch of the checkpoint; `None` if nothing was committed since the last.
    fn write(&self) -> Result<Option<Epoch>> {
        let before = self.past.manifest();
        if self.reads.committed() == before.epoch {
            return Ok(None);
        }
        let due = view_state::due(&self.reads.objects(), &before, self.workers);
        let (point, freezes) = self.sequencer.divide_log(due)?;
        let catalog = &point.objects.catalog;
        let mut relations = self.dropped(&before, &point);
        let mut written = Vec::new();
        let is_kept = |relation: &&Arc<Relation>| relation.is_stored() && !relation.in_schema.is_temporary();
        for relation in catalog.relations().filter(is_kept) {
            // A view that was dropped meanwhile has no history that anyone can ask for.
            let Some(contents) = self.wait_for(&point, relation.id)? else { continue };
            let mut history = self.extend(&before, relation, contents, point.epoch)?;
            if let Some(freeze) = freezes.get(&relation.id)
                && let Some(state) = self.write_state(&history, freeze)?
            {
                history.state = Some(state);
            }
            relations.push(history);
            written.push(contents.clone());
        }
        relations.sort_by_key(|relation| relation.id);
        let catalog = self.past.catalog_changes(point.epoch);
        let snapshots = before.snapshots.clone();
        drop(before);
        self.install(Manifest { catalog, relations, snapshots, ..Manifest::new(point.epoch) })?;
        written.iter().for_each(|contents| contents.forget_recorded(point.epoch));
        Ok(Some(point.epoch))
    }

    fn create_snapshot(&mut self, name: String, epoch: Option<Epoch>) -> Result<()> {
        self.checkpoint()?;
        let mut manifest = (*self.past.manifest()).clone();
        let epoch = epoch.unwrap_or(manifest.epoch);
        if manifest.snapshots.iter().any(|snapshot| snapshot.name == name) {
            let message = format!("snapshot \"{name}\" already exists");
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        check_readable(&manifest, epoch)?;
        manifest.snapshots.push(Snapshot { name, epoch, created: Some(now()) });
        manifest.snapshots.sort_by(|left, right| left.name.cmp(&right.name));
        self.install(manifest)
    }

    fn drop_snapshot(&mut self, name: &str) -> Result<()> {
        self.checkpoint()?;
        let mut manifest = (*self.past.manifest()).clone();
        let known = manifest.snapshots.len();
        manifest.snapshots.retain(|snapshot| snapshot.name != name);
        if manifest.snapshots.len() == known {
            let message = format!("snapshot \"{name}\" does not exist");
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        self.install(manifest)
    }

    fn install(&self, manifest: Manifest) -> Result<()> {
        let unneeded = self.past.install(manifest)?;
        self.sequencer.forget_log(unneeded)?;
        self.past.collect_garbage()
    }

    /// The histories of relations that are no more, as far as a snapshot needs them.
    fn dropped(&self, before: &Manifest, point: &ReadPoint) -> Vec<RelationHistory> {
        let gone = before.relations.iter().filter(|known| point.objects.catalog.by_id(known.id).is_none());
        let gone = gone.map(|known| {
            let dropped = known.dropped.or(Some(before.epoch + 1));
            RelationHistory { dropped, ..known.clone() }
        });
        gone.filter(|known| before.snapshots.iter().any(|snapshot| known.existed(snapshot.epoch))).collect()
    }

    /// The contents of a relation once they are complete up to a read point; `None` if it is dropped before that. Fails
    /// if the database is to stop and they are far behind.
    fn wait_for<'a>(
        &self,
        point: &'a ReadPoint,
        relation: RelationId,
    ) -> Result<Option<&'a Arc<state::Relation>>> {
        loop {
            if let Some(contents) = point.contents_when_complete(relation).now_or_never() {
                return Ok(contents.ok());
            }
            if self.stop_by.get().is_some_and(|stop_by| Instant::now() >= *stop_by) {
                return Err(ended());
            }
            std::thread::sleep(POLL);
        }
    }

    /// The state of a view, as soon as all operators have handed theirs out; `None` if that will not be.
    fn write_state(&self, history: &RelationHistory, freeze: &Freeze) -> Result<Option<StateFiles>> {
        while !freeze.is_complete() {
            let stops = self.stop_by.get().is_some_and(|stop_by| Instant::now() >= *stop_by);
            if stops || self.reads.objects().catalog.by_id(history.id).is_none() {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
        view_state::write(&self.past, history, freeze, self.workers)
    }

    /// The history of a relation up to an epoch, with files for what is new.
    fn extend(
        &self,
        before: &Manifest,
        relation: &Relation,
        contents: &state::Relation,
        epoch: Epoch,
    ) -> Result<RelationHistory> {
        let recorded = contents.recorded(epoch).ok_or_else(|| SqlError::internal("no changes are kept"))?;
        let known = before.relation(relation.id).cloned();
        let from = known.as_ref().map_or(recorded.after, |_| before.epoch);
        let mut history =
            known.unwrap_or_else(|| RelationHistory::new(relation.id, &relation.name, recorded.after + 1));
        history.fingerprint = plan_fingerprint(relation);
        let pieces = recorded.rows.iter().map(|piece| piece.between(from, epoch)).collect::<Vec<_>>();
        let changes = Changes::merge(relation.schema(), &pieces);
        history.changes.extend(self.write_files(&history, &format!("{epoch:020}"), &changes)?);
        history.errors.extend(error_changes(recorded.errors, from));
        self.merge_small_files(&mut history, relation, epoch)?;
        let last_base = history.bases.last().map_or(0, |base| base.epoch);
        let since = history.changes(last_base, epoch).map(|file| file.rows).sum::<u64>();
        if since >= LEAST_BASE.max(BASE_FACTOR * contents.len()) {
            history.bases.push(self.write_base(&history, contents, epoch)?);
        }
        let snapshots = before.snapshots.iter().map(|snapshot| snapshot.epoch);
        history.forget(snapshots.fold(relation.history.oldest(epoch), Epoch::min));
        Ok(history)
    }

    fn write_files(
        &self,
        history: &RelationHistory,
        label: &str,
        changes: &Changes,
    ) -> Result<Vec<DataFile>> {
        self.past.history().write(&history.directory, label, changes).map_err(storage_error)
    }

    /// Puts the newest files together once there are many small ones. Those before a base stay apart from those after
    /// it, which alone are read with it.
    fn merge_small_files(
        &self,
        history: &mut RelationHistory,
        relation: &Relation,
        epoch: Epoch,
    ) -> Result<()> {
        let last_base = history.bases.last().map_or(0, |base| base.epoch);
        let is_small = |file: &&DataFile| file.rows < FILE_ROWS as u64 / 2 && file.first > last_base;
        let small = history.changes.iter().rev().take_while(is_small).count();
        if small < MERGED_FILES {
            return Ok(());
        }
        let kept = history.changes.len() - small;
        let mut pieces = Vec::new();
        let merged = history.changes[kept..].iter();
        if let Err(error) = self.past.read(history, merged, &relation.schema(), |piece| pieces.push(piece)) {
            // The past is damaged, but what is new can be kept all the same.
            tracing::error!("files of the history of {} can't be put together: {error}", relation.name);
            return Ok(());
        }
        let changes = Changes::merge(relation.schema(), &pieces);
        let written = self.write_files(history, &format!("{epoch:020}-merged"), &changes)?;
        history.changes.truncate(kept);
        history.changes.extend(written);
        Ok(())
    }

    fn write_base(
        &self,
        history: &RelationHistory,
        contents: &state::Relation,
        epoch: Epoch,
    ) -> Result<Base> {
        let mut files = Vec::new();
        let mut pending = Vec::new();
        let mut rows = 0;
        let write = |pending: &mut Vec<ZBatch>, part: usize| {
            let batch = ZBatch::concat(contents.schema(), &std::mem::take(pending));
            self.write_files(history, &format!("{epoch:020}-base{part}"), &Changes::at(epoch, batch))
        };
        for batch in (0..contents.shards()).flat_map(|shard| contents.snapshot_shard(shard, epoch).0) {
            rows += batch.len();
            pending.push(batch);
            if rows >= FILE_ROWS {
                rows = 0;
                files.extend(write(&mut pending, files.len())?);
            }
        }
        files.extend(write(&mut pending, files.len())?);
        Ok(Base { epoch, files })
    }
}

/// The errors that changed after an epoch: one record for all rows that have the same error at the same time.
fn error_changes(recorded: Vec<(Epoch, ErrorDelta)>, after: Epoch) -> impl Iterator<Item = ErrorChange> {
    let mut weights = BTreeMap::<(Epoch, SqlError), i64>::new();
    for (epoch, delta) in recorded.into_iter().filter(|(epoch, _)| *epoch > after) {
        *weights.entry((epoch, delta.error)).or_default() += delta.weight;
    }
    let changed = weights.into_iter().filter(|(_, weight)| *weight != 0);
    changed.map(|((epoch, error), weight)| ErrorChange::new(epoch, &ErrorDelta { error, weight }))
}

/// What is said to those who ask too late.
fn ended() -> SqlError {
    SqlError::new(SqlState::ADMIN_SHUTDOWN, "the database is shutting down")
}

/// Whoever asked may be gone.
fn answer(reply: oneshot::Sender<Result<()>>, result: Result<()>) {
    let _ = reply.send(result);
}

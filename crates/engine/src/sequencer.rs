//! The one place where commits get their order.
//!
//! The sequencer is a thread. All commits that wait when it looks form a group: each is validated against
//! the newest contents and applied to its tables; then the group gets one pass through the workers at one
//! epoch, becomes visible to readers, and is acknowledged. Transactions are optimistic: a commit whose
//! reads have been overtaken is refused (Kung and Robinson, *On Optimistic Methods for Concurrency
//! Control*, 1981, backward validation).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::datatypes::Schema;
use springtide_catalog::{Catalog, CatalogChange, Counter, Position, Relation, RelationKind, SchemaId};
use springtide_dataflow::{Beginning, CreateView, Freeze, Meters, Workers};
use springtide_state::consolidate;
use springtide_types::{Epoch, RelationId, SqlError, ZBatch};
use tokio::sync::oneshot;

use crate::commit::{Acknowledged, Commit, CommitError, PointRead, TableReads};
use crate::constraints::check_unique;
use crate::foreign_keys;
use crate::log::Log;
use crate::moment::now;
use crate::objects::Objects;
use crate::past::Past;
use crate::reads::{ReadPoint, Reads};
use crate::recovery::{Durable, Happened, Tail};
use crate::sequence_rows;

mod build;

pub(crate) use build::{Built, ToBuild};

/// Commits in one group, at most.
const MAX_GROUP: usize = 1024;
/// Epochs sent to the workers and not yet complete in every view, at most. Timely's channels are
/// unbounded; this bounds what they hold.
const MAX_EPOCHS_IN_FLIGHT: usize = 64;
/// While there are so many, small commits are let gather to one group: a row costs less in it than in an epoch of its own, and
/// views that are kept busy show what is committed after so many epochs.
const FEW_EPOCHS_IN_FLIGHT: usize = 3;
/// Rows of a group that is not small: it costs what its rows cost, and the sooner the workers have it the better.
const MANY_ROWS: usize = 256;
/// Small commits gather for so long at most: a view that takes its time holds up nobody for more.
const PATIENCE: Duration = Duration::from_millis(2);
/// Groups between two rounds of forgetting what no reader can ask for.
const GROUPS_PER_TRIM: u64 = 16;

/// A commit and where its answer goes.
pub(crate) enum Request {
    Commit(Box<Commit>, oneshot::Sender<Result<Epoch, CommitError>>),
    /// Divide the log: what is committed before the read point that is sent back, and what comes after. At this point cut
    /// through the state of some views.
    Divide(Vec<RelationId>, oneshot::Sender<Result<(ReadPoint, Freezes), SqlError>>),
    /// Drop the temporary objects of a session.
    DropTemporary(SchemaId),
    /// Drop the parts of the log that hold nothing later than an epoch.
    Forget(Epoch, oneshot::Sender<Result<(), SqlError>>),
    /// Begin to maintain views that no catalog has yet.
    Build(ToBuild, oneshot::Sender<Result<Built, CommitError>>),
    /// Stop maintaining those of these views that no catalog has.
    Discard(Vec<RelationId>),
    Shutdown,
}

/// Cuts through the state of views that have been asked for.
pub(crate) type Freezes = HashMap<RelationId, Arc<Freeze>>;

/// A handle to the running sequencer.
#[derive(Clone)]
pub(crate) struct Sequencer {
    requests: Sender<Request>,
    meters: Arc<Meters>,
}

impl Sequencer {
    /// Starts the sequencer and its workers, and waits until what the log holds has happened again.
    ///
    /// The sequencer goes on from what `reads` shows: `table_frontier` belongs to the tables there, and the views
    /// there begin as `beginnings` says, or else are computed from them. Commits are kept in the log of `durable`, if there is one.
    pub(crate) fn start(
        workers: usize,
        reads: Arc<Reads>,
        table_frontier: Arc<AtomicU64>,
        beginnings: HashMap<RelationId, Beginning>,
        durable: Option<Durable>,
    ) -> Result<(Sequencer, JoinHandle<()>), SqlError> {
        let (requests, receiver) = std::sync::mpsc::channel();
        let (is_ready, ready) = std::sync::mpsc::channel();
        let (past, tail) = durable.map(|Durable { past, tail }| (past, tail)).unzip();
        let thread = std::thread::Builder::new().name("sequencer".to_owned()).spawn(move || {
            let sequencer = std::thread::current();
            let progress = reads.clone();
            let on_progress = Arc::new(move || {
                progress.notify_progress();
                sequencer.unpark();
            });
            let workers = (Workers::start(workers, on_progress), workers);
            let mut state = State::new(reads, workers, table_frontier, past);
            let recovered = state.recover(beginnings, tail).map(|()| state.workers.meters());
            let failed = recovered.is_err();
            // Whoever started the sequencer waits for it.
            let _ = is_ready.send(recovered);
            if failed {
                state.workers.shutdown();
            } else {
                state.run(&receiver);
            }
        });
        let thread =
            thread.map_err(|error| SqlError::internal(format!("could not start the sequencer: {error}")))?;
        let meters =
            ready.recv().unwrap_or_else(|_| Err(SqlError::internal("the sequencer ended by a panic")))?;
        Ok((Sequencer { requests, meters }, thread))
    }

    /// A read point that covers all commits in the part of the log that ends with this call, and cuts through these views
    /// at its epoch.
    pub(crate) fn divide_log(&self, views: Vec<RelationId>) -> Result<(ReadPoint, Freezes), SqlError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Divide(views, reply)).map_err(|_| shutting_down())?;
        answer.blocking_recv().map_err(|_| shutting_down())?
    }

    /// Drops the parts of the log that hold nothing later than an epoch.
    pub(crate) fn forget_log(&self, epoch: Epoch) -> Result<(), SqlError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Forget(epoch, reply)).map_err(|_| shutting_down())?;
        answer.blocking_recv().map_err(|_| shutting_down())?
    }

    /// Drops the temporary objects of a session that has ended, as soon as may be.
    pub(crate) fn drop_temporary(&self, schema: SchemaId) {
        // They are gone anyway if nobody receives.
        let _ = self.requests.send(Request::DropTemporary(schema));
    }

    /// What the operators of the views do and hold.
    pub(crate) fn meters(&self) -> Arc<Meters> {
        self.meters.clone()
    }

    /// Commits, and returns the epoch from which on the commit is visible.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Epoch, CommitError> {
        let pending = self.submit(commit).map_err(CommitError::Failed)?;
        pending.0.await.unwrap_or_else(|_| Err(CommitError::Failed(shutting_down())))
    }

    /// Commits, and leaves it to the caller to wait for it.
    pub(crate) fn submit(&self, commit: Commit) -> Result<Pending, SqlError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Commit(Box::new(commit), reply)).map_err(|_| shutting_down())?;
        Ok(Pending(answer))
    }

    /// Ends the sequencer once it has done what was asked before.
    pub(crate) fn shut_down(&self) {
        // It has already ended if nobody receives.
        let _ = self.requests.send(Request::Shutdown);
    }
}

/// A commit that the sequencer has been asked for.
pub(crate) struct Pending(oneshot::Receiver<Result<Epoch, CommitError>>);

impl Pending {
    /// Waits for it, on a thread that may. Returns the epoch from which on the commit is visible.
    pub(crate) fn wait(self) -> Result<Epoch, CommitError> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(CommitError::Failed(shutting_down())))
    }
}

fn shutting_down() -> SqlError {
    SqlError::new(springtide_types::SqlState::ADMIN_SHUTDOWN, "the database is shutting down")
}

struct State {
    reads: Arc<Reads>,
    workers: Workers,
    worker_count: usize,
    /// Where commits are made durable; `None` if the database lives in memory only.
    log: Option<Log>,
    /// Where what happens is kept for the next checkpoint; `None` in memory.
    past: Option<Arc<Past>>,
    objects: Objects,
    /// Every table is complete up to here: one frontier for all, because the sequencer alone writes them.
    table_frontier: Arc<AtomicU64>,
    last_epoch: Epoch,
    last_change: HashMap<RelationId, Epoch>,
    /// Materialized views and the epochs they were created as of.
    views: BTreeMap<RelationId, Epoch>,
    in_flight: Vec<Epoch>,
    /// Rows of the last group that was sent.
    sent_rows: usize,
    groups: u64,
}

/// Where the answer to a commit goes.
type Reply = oneshot::Sender<Result<Epoch, CommitError>>;

/// The commits of one epoch that have been applied to their tables.
struct Group {
    epoch: Epoch,
    deltas: BTreeMap<RelationId, Vec<ZBatch>>,
    /// Durable if any of its commits is to be.
    acknowledged: Acknowledged,
    acknowledgements: Vec<oneshot::Sender<Result<Epoch, CommitError>>>,
}

impl Group {
    fn new(epoch: Epoch) -> Group {
        Group {
            epoch,
            deltas: BTreeMap::new(),
            acknowledged: Acknowledged::Visible,
            acknowledgements: Vec::new(),
        }
    }

    /// One delta per table.
    fn take_deltas(&mut self) -> BTreeMap<RelationId, ZBatch> {
        let deltas = std::mem::take(&mut self.deltas).into_iter();
        deltas.map(|(table, deltas)| (table, ZBatch::concat(deltas[0].schema(), &deltas))).collect()
    }
}

/// What a commit of DDL made.
struct Ddl {
    /// What existed before.
    before: Objects,
    created: Vec<Arc<Relation>>,
    /// What is to be kept of it; `None` where it was about temporary objects alone.
    change: Option<CatalogChange>,
}

impl State {
    fn new(
        reads: Arc<Reads>,
        (workers, worker_count): (Workers, usize),
        table_frontier: Arc<AtomicU64>,
        past: Option<Arc<Past>>,
    ) -> State {
        State {
            objects: (*reads.objects()).clone(),
            last_epoch: reads.begin().epoch,
            reads,
            workers,
            worker_count,
            log: None,
            past,
            table_frontier,
            last_change: HashMap::new(),
            views: BTreeMap::new(),
            in_flight: Vec::new(),
            sent_rows: 0,
            groups: 0,
        }
    }

    /// Starts the views, and lets what the log holds happen again.
    fn recover(
        &mut self,
        beginnings: HashMap<RelationId, Beginning>,
        tail: Option<Tail>,
    ) -> Result<(), SqlError> {
        self.objects.create_indexes(&self.table_frontier, self.last_epoch)?;
        self.resume_views(beginnings);
        if let Some(tail) = tail {
            self.log = Some(tail.replay(|happened| self.repeat(happened))?);
        }
        self.resume_sequences()?;
        self.reads.replace_objects(Arc::new(self.objects.clone()));
        Ok(())
    }

    /// Lets the sequences go on from what was written down of them.
    fn resume_sequences(&self) -> Result<(), SqlError> {
        for sequence in &self.objects.sequences {
            let rows = self.objects.contents[&sequence.id].snapshot(self.last_epoch)?;
            if let Some((_, counter)) = sequence_rows::parts(sequence)
                && let Some(position) = sequence_rows::position(&rows)
            {
                counter.resume(position);
            }
        }
        Ok(())
    }

    /// Does again what the log says of an epoch; fails with what is wrong with it.
    fn repeat(&mut self, happened: Happened) -> Result<(), String> {
        self.wait_for_room();
        self.last_epoch = happened.epoch;
        let mut group = Group::new(happened.epoch);
        let before = self.objects.catalog.clone();
        let ddl = happened.ddl.map(|(change, catalog)| {
            self.note_catalog_change(happened.epoch, &change);
            self.adopt(catalog, happened.epoch).map_err(|error| error.to_string())
        });
        let ddl = ddl.transpose()?;
        for (table, delta) in &happened.writes {
            let contents = self.objects.contents.get(table).ok_or(format!("there is no table {table}"))?;
            if !have_same_types(&contents.schema(), &delta.schema()) {
                return Err(format!("rows of table {table} do not have its columns"));
            }
        }
        self.apply(happened.writes, &mut group);
        if ddl.is_some() {
            self.drop_missing(&before, happened.epoch);
        }
        self.send(group.epoch, group.take_deltas());
        self.publish(group.epoch, ddl.is_some().then(|| Arc::new(self.objects.clone())));
        self.start_views(ddl.as_deref().unwrap_or_default(), group.epoch);
        self.trim();
        Ok(())
    }

    /// Starts the views of the catalog.
    fn resume_views(&mut self, mut beginnings: HashMap<RelationId, Beginning>) {
        let catalog = self.objects.catalog.clone();
        let mut views = catalog.relations().collect::<Vec<_>>();
        views.sort_by_key(|relation| relation.id);
        if self.last_epoch > 0 {
            self.workers.commit(self.last_epoch, Vec::new());
        }
        let views = views.into_iter().cloned().collect::<Vec<_>>();
        for view in views {
            let beginning = beginnings.remove(&view.id).unwrap_or(Beginning::New);
            self.start_view(&view, self.last_epoch, beginning);
        }
    }

    fn start_views(&mut self, relations: &[Arc<Relation>], as_of: Epoch) {
        for relation in relations {
            self.start_view(relation, as_of, Beginning::New);
        }
    }

    fn run(mut self, requests: &Receiver<Request>) {
        while let Some(first) = self.next_request(requests) {
            self.wait_for_room();
            let mut group = self.begin_group();
            let mut next = Some(first);
            while let Some(request) = next {
                match request {
                    Request::Commit(commit, reply) => group = self.take(*commit, reply, group),
                    Request::Divide(views, reply) => {
                        self.finish_group(group);
                        let divided = self.log.as_mut().map_or(Ok(()), Log::rotate);
                        // A checkpoint that nobody waits for any more needs no read point.
                        let _ = reply.send(divided.map(|()| self.cut(views)));
                        group = self.begin_group();
                    }
                    Request::DropTemporary(schema) => {
                        self.finish_group(group);
                        self.drop_temporary(schema);
                        group = self.begin_group();
                    }
                    Request::Build(views, reply) => {
                        self.finish_group(group);
                        // Whoever has gone away discards what was begun for it.
                        let _ = reply.send(self.build(views));
                        group = self.begin_group();
                    }
                    Request::Discard(views) => self.discard(&views),
                    Request::Forget(epoch, reply) => {
                        let _ = reply.send(self.log.as_mut().map_or(Ok(()), |log| log.forget(epoch)));
                    }
                    Request::Shutdown => {
                        self.finish_group(group);
                        return self.shut_down();
                    }
                }
                let room = group.acknowledgements.len() < MAX_GROUP;
                next = if room { requests.try_recv().ok() } else { None };
            }
            self.finish_group(group);
        }
        self.shut_down();
    }

    fn shut_down(mut self) {
        self.note_exact_positions();
        if let Some(log) = &mut self.log {
            log.sync();
        }
        self.workers.shutdown();
    }

    /// Writes down where sequences stand, so that after an orderly end no number is left out.
    fn note_exact_positions(&mut self) {
        if self.log.as_ref().is_none_or(|log| log.check().is_err()) {
            return;
        }
        let mut group = self.begin_group();
        for sequence in self.objects.sequences.clone() {
            let Some((_, counter)) = sequence_rows::parts(&sequence) else { continue };
            let position = counter.position();
            let noted = self.objects.contents[&sequence.id].snapshot(group.epoch);
            if noted.is_ok_and(|rows| sequence_rows::position(&rows) != Some(position)) {
                self.put_position(&sequence, position, &mut group);
            }
        }
        group.acknowledged = Acknowledged::Durable;
        let deltas = group.take_deltas();
        if let Err(error) = self.write_log(&group, &deltas, None) {
            tracing::warn!("sequences will leave out numbers: {error}");
        }
    }

    /// Everything that is committed, and cuts through these views right after it.
    fn cut(&self, views: Vec<RelationId>) -> (ReadPoint, Freezes) {
        let point = self.reads.begin();
        let freeze = |view| Some((view, self.workers.freeze(view, point.epoch)?));
        let freezes = views.into_iter().filter_map(freeze).collect();
        (point, freezes)
    }

    /// Waits for a request, and sees to it meanwhile that what was written gets to disk. `None` if none can come any more.
    fn next_request(&mut self, requests: &Receiver<Request>) -> Option<Request> {
        let Some(log) = &mut self.log else { return requests.recv().ok() };
        let Some(sync_by) = log.sync_by() else { return requests.recv().ok() };
        match requests.recv_timeout(sync_by.saturating_duration_since(Instant::now())) {
            // Whoever commits all the time does not put it off.
            Ok(request) if Instant::now() < sync_by => Some(request),
            Ok(request) => {
                log.sync();
                Some(request)
            }
            Err(RecvTimeoutError::Timeout) => {
                log.sync();
                requests.recv().ok()
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn begin_group(&mut self) -> Group {
        let epoch = now().max(self.last_epoch + 1);
        self.last_epoch = epoch;
        Group::new(epoch)
    }

    /// Validates and applies one commit. DDL has a group of its own.
    fn take(
        &mut self,
        commit: Commit,
        reply: oneshot::Sender<Result<Epoch, CommitError>>,
        mut group: Group,
    ) -> Group {
        if commit.catalog.is_some() {
            self.finish_group(group);
            let mut own = self.begin_group();
            own.acknowledged = Acknowledged::Durable;
            match self.apply_ddl(commit, &mut own) {
                Ok(ddl) => self.finish_ddl(own, ddl, Some(reply)),
                Err(error) => answer(reply, Err(error)),
            }
            return self.begin_group();
        }
        let acknowledged = commit.acknowledged;
        match self.validate(&commit).and_then(|()| self.apply_writes(commit, &mut group)) {
            Ok(()) => {
                if acknowledged == Acknowledged::Durable {
                    group.acknowledged = acknowledged;
                }
                group.acknowledgements.push(reply);
            }
            Err(error) => answer(reply, Err(error)),
        }
        group
    }

    fn validate(&self, commit: &Commit) -> Result<(), CommitError> {
        self.log.as_ref().map_or(Ok(()), Log::check).map_err(CommitError::Failed)?;
        let ddl = commit.catalog.is_some();
        if ddl && commit.catalog_version != self.objects.version {
            return Err(CommitError::Conflict);
        }
        for (table, reads) in commit.reads.iter() {
            if self.last_change.get(&table).is_none_or(|change| *change <= commit.as_of) {
                continue;
            }
            let TableReads::Points(points) = reads else { return Err(CommitError::Conflict) };
            let relation = self.objects.catalog.by_id(table).ok_or(CommitError::Conflict)?;
            let has_changed = |point: &PointRead| {
                let found = self.objects.lookup(relation, &point.key, &point.keys, None);
                found.as_ref() != Some(&point.found)
            };
            if points.iter().any(has_changed) {
                return Err(CommitError::Conflict);
            }
        }
        Ok(())
    }

    fn apply_writes(&mut self, commit: Commit, group: &mut Group) -> Result<(), CommitError> {
        let writes = commit.writes;
        for (table, delta) in &writes {
            let relation = self.objects.catalog.by_id(*table).ok_or(CommitError::Conflict)?;
            let bound = commit.bound_to.by_id(*table);
            let has_new_rules = bound.is_some_and(|bound| !has_same_rules(bound, relation));
            if has_new_rules || !have_same_types(&relation.schema(), &delta.schema()) {
                return Err(CommitError::Conflict);
            }
            check_unique(relation, &self.objects, delta).map_err(CommitError::Failed)?;
        }
        // The statements saw to foreign keys as of the epoch that they read at. What is violated now, others have done since.
        if foreign_keys::are_violated(&self.objects, &writes) {
            return Err(CommitError::Conflict);
        }
        self.apply(writes, group);
        Ok(())
    }

    /// Writes down where the sequences are whose numbers were handed out, before anything that depends on them. Returns
    /// those.
    fn note_sequences(&mut self, group: &mut Group) -> Vec<Arc<Counter>> {
        let mut noted = Vec::new();
        for sequence in self.objects.sequences.clone() {
            if let Some((options, counter)) = sequence_rows::parts(&sequence)
                && let Some(position) = counter.note(options)
            {
                self.put_position(&sequence, position, group);
                noted.push(counter.clone());
            }
        }
        noted
    }

    /// Puts a row in the place of that of a sequence.
    fn put_position(&mut self, sequence: &Relation, position: Position, group: &mut Group) {
        let contents = &self.objects.contents[&sequence.id];
        let row = sequence_rows::row(sequence, position, 0);
        let before = contents.snapshot(group.epoch).unwrap_or_default();
        let mut change = before.iter().map(ZBatch::negate).collect::<Vec<_>>();
        change.push(row);
        let change = consolidate(&ZBatch::concat(contents.schema(), &change));
        if !change.is_empty() {
            contents.apply(0, group.epoch, &change);
            group.deltas.entry(sequence.id).or_default().push(change);
        }
    }

    fn apply(&mut self, writes: Vec<(RelationId, ZBatch)>, group: &mut Group) {
        for (table, delta) in writes {
            self.objects.contents[&table].apply(0, group.epoch, &delta);
            for index in self.objects.indexes.get(&table).into_iter().flatten() {
                index.apply(group.epoch, &delta);
            }
            self.last_change.insert(table, group.epoch);
            group.deltas.entry(table).or_default().push(delta);
        }
    }

    /// Writes the group to the log, sends it to the workers, lets readers see it, and acknowledges it.
    fn finish_group(&mut self, mut group: Group) {
        if group.acknowledgements.is_empty() && group.deltas.is_empty() {
            return;
        }
        let noted = self.note_sequences(&mut group);
        let deltas = group.take_deltas();
        if let Err(error) = self.write_log(&group, &deltas, None) {
            for reply in group.acknowledgements {
                answer(reply, Err(CommitError::Failed(error.clone())));
            }
            return;
        }
        noted.iter().for_each(|counter| counter.keep());
        self.send(group.epoch, deltas);
        self.publish(group.epoch, None);
        for reply in group.acknowledgements {
            answer(reply, Ok(group.epoch));
        }
        self.trim();
    }

    /// If this fails, what the tables hold of the group is never published.
    fn write_log(
        &mut self,
        group: &Group,
        deltas: &BTreeMap<RelationId, ZBatch>,
        ddl: Option<&CatalogChange>,
    ) -> Result<(), SqlError> {
        let catalog = &self.objects.catalog;
        let is_kept = |table: &RelationId| {
            catalog.by_id(*table).is_none_or(|relation| !relation.in_schema.is_temporary())
        };
        let deltas = deltas.iter().filter(|(table, _)| is_kept(table));
        let deltas = deltas.map(|(table, delta)| (*table, delta.clone())).collect::<Vec<_>>();
        match &mut self.log {
            Some(log) if ddl.is_some() || !deltas.is_empty() => {
                log.append(group.epoch, ddl, deltas, group.acknowledged)
            }
            // Numbers that somebody waits for may have been written down with a commit that nobody waited for.
            Some(log) if group.acknowledged == Acknowledged::Durable => {
                log.sync();
                log.check()
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, epoch: Epoch, deltas: BTreeMap<RelationId, ZBatch>) {
        self.sent_rows = deltas.values().map(ZBatch::len).sum();
        self.workers.commit(epoch, deltas.into_iter().collect());
        if !self.views.is_empty() {
            self.in_flight.push(epoch);
        }
    }

    fn publish(&mut self, epoch: Epoch, objects: Option<Arc<Objects>>) {
        self.table_frontier.store(epoch + 1, Ordering::Release);
        self.reads.publish(epoch, objects);
    }

    /// Brings the objects in line with the catalog that the transaction leaves behind, then applies its
    /// writes.
    fn apply_ddl(&mut self, mut commit: Commit, group: &mut Group) -> Result<Ddl, CommitError> {
        self.validate(&commit)?;
        let catalog = commit.catalog.take().expect("DDL brings a catalog");
        let before = self.objects.clone();
        let adopted = self.adopt(catalog, group.epoch).map_err(CommitError::Failed);
        let applied = adopted.and_then(|created| self.apply_writes(commit, group).map(|()| created));
        let created = match applied {
            Ok(created) => created,
            Err(error) => {
                self.objects = before;
                return Err(error);
            }
        };
        let change = CatalogChange::between(&before.catalog, &self.objects.catalog);
        let change = Some(change).filter(|change| !change.is_empty());
        Ok(Ddl { before, created, change })
    }

    /// Drops the temporary objects of a session. The log knows nothing of them.
    fn drop_temporary(&mut self, schema: SchemaId) {
        if !self.objects.catalog.has_schema(schema) {
            return;
        }
        let group = self.begin_group();
        let before = self.objects.clone();
        let mut catalog = before.catalog.as_ref().clone();
        catalog.drop_temporary(schema);
        match self.adopt(catalog, group.epoch) {
            Ok(created) => self.finish_ddl(group, Ddl { before, created, change: None }, None),
            Err(error) => {
                tracing::error!("temporary objects are left behind: {error}");
                self.objects = before;
            }
        }
    }

    /// Makes a catalog the one that holds, and gives what is new in it contents, whose changes are kept from their
    /// beginning.
    fn adopt(&mut self, catalog: Catalog, epoch: Epoch) -> Result<Vec<Arc<Relation>>, SqlError> {
        self.objects.catalog = Arc::new(catalog);
        self.objects.version += 1;
        let created = self.objects.create_contents(&self.table_frontier, self.worker_count);
        if self.past.is_some() {
            let kept = created.iter().filter(|relation| !relation.in_schema.is_temporary());
            kept.for_each(|relation| self.objects.contents[&relation.id].record_changes(epoch - 1));
        }
        self.objects.create_indexes(&self.table_frontier, epoch)?;
        Ok(created)
    }

    fn note_catalog_change(&self, epoch: Epoch, change: &CatalogChange) {
        if let Some(past) = &self.past {
            past.note_catalog_change(epoch, change);
        }
    }

    /// Ends what a catalog has no more. Whoever reads a view at an earlier epoch finds it complete, if it has been up to date.
    fn drop_missing(&mut self, before: &Catalog, epoch: Epoch) {
        let after = self.objects.catalog.clone();
        for relation in before.relations().filter(|relation| after.by_id(relation.id).is_none()) {
            self.objects.indexes.remove(&relation.id);
            self.last_change.remove(&relation.id);
            let frontier = self.objects.contents.get(&relation.id).map_or(0, |contents| contents.frontier());
            let was_complete = self.views.get(&relation.id).is_some_and(|as_of| frontier > *as_of);
            self.end_contents(relation.id, if was_complete { epoch } else { 0 });
        }
    }

    /// Keeps the contents of a relation up to date until they are complete before an epoch, and no longer.
    fn end_contents(&mut self, relation: RelationId, end: Epoch) {
        self.objects.primary.remove(&relation);
        let contents = self.objects.contents.remove(&relation);
        if self.views.remove(&relation).is_some() {
            contents.into_iter().for_each(|contents| contents.set_end(end));
            self.workers.drop_view(relation, end);
        }
    }

    /// Nothing is dropped before that is durable: if it can't be made so, readers go on with what existed before.
    fn finish_ddl(&mut self, mut group: Group, ddl: Ddl, reply: Option<Reply>) {
        let answer_all = |result| reply.map(|reply| answer(reply, result));
        let noted = self.note_sequences(&mut group);
        let deltas = group.take_deltas();
        if let Err(error) = self.write_log(&group, &deltas, ddl.change.as_ref()) {
            self.objects = ddl.before;
            answer_all(Err(CommitError::Failed(error)));
            return;
        }
        noted.iter().for_each(|counter| counter.keep());
        self.drop_missing(&ddl.before.catalog, group.epoch);
        for known in self.objects.catalog.types().iter() {
            known.publish().expect("an identity is given to one type");
        }
        if let Some(change) = &ddl.change {
            self.note_catalog_change(group.epoch, change);
        }
        self.send(group.epoch, deltas);
        let objects = Arc::new(self.objects.clone());
        self.publish(group.epoch, Some(objects));
        self.start_views(&ddl.created, group.epoch);
        self.reads.notify_progress();
        answer_all(Ok(group.epoch));
    }

    /// Begins to maintain a relation, if it is a view.
    fn start_view(&mut self, relation: &Relation, as_of: Epoch, beginning: Beginning) {
        let RelationKind::MaterializedView { plan, .. } = &relation.kind else { return };
        let (view, plan) = (relation.id, plan.clone());
        let hold = self.reads.begin();
        assert_eq!(hold.epoch, as_of, "nothing commits while a view is started");
        let inputs = plan.sources().into_iter().map(|id| (id, self.objects.contents[&id].clone())).collect();
        let contents = self.objects.contents[&view].clone();
        let on_hydrated = Box::new(move || drop(hold));
        self.workers.create_view(CreateView { view, plan, as_of, inputs, contents, beginning, on_hydrated });
        self.views.insert(view, as_of);
    }

    /// Waits while too many epochs are in flight.
    fn wait_for_room(&mut self) {
        if self.sent_rows < MANY_ROWS {
            self.wait_for_fewer(FEW_EPOCHS_IN_FLIGHT, Some(Instant::now() + PATIENCE));
        }
        self.wait_for_fewer(MAX_EPOCHS_IN_FLIGHT, None);
    }

    /// Waits until fewer epochs than `most` are in flight through the views that are up to date, or until a moment. A view
    /// that still hydrates holds nobody up.
    fn wait_for_fewer(&mut self, most: usize, until: Option<Instant>) {
        let Some(last) = self.in_flight.len().checked_sub(most) else { return };
        let epoch = self.in_flight[last];
        for (view, as_of) in &self.views {
            // The contents may have been complete from the beginning, before the operators were.
            let lags = || (*as_of + 2..=epoch).contains(&self.objects.contents[view].frontier());
            while lags() {
                if until.is_some_and(|until| Instant::now() >= until) {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        self.in_flight.drain(..=last);
    }

    fn trim(&mut self) {
        self.groups += 1;
        if self.groups.is_multiple_of(GROUPS_PER_TRIM) {
            let since = self.reads.since();
            self.objects.contents.values().for_each(|contents| contents.set_since(since));
            self.objects.indexes.values().flatten().for_each(|index| index.set_since(since));
        }
    }
}

/// Whether rows of the one schema can stand among rows of the other. Columns may have got other names since the one or the
/// other was made.
fn have_same_types(one: &Schema, other: &Schema) -> bool {
    let types =
        |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    types(one) == types(other)
}

/// Whether rows that fulfil what the one definition of a table asks of a row fulfil that of the other.
fn has_same_rules(one: &Relation, other: &Relation) -> bool {
    let nullable = |table: &Relation| {
        (0..table.columns.len()).map(|column| table.is_nullable(column)).collect::<Vec<_>>()
    };
    one.rules() == other.rules() && nullable(one) == nullable(other)
}

/// A client that went away needs no answer.
fn answer(reply: oneshot::Sender<Result<Epoch, CommitError>>, result: Result<Epoch, CommitError>) {
    let _ = reply.send(result);
}

//! One shard of a relation: the newest contents, and how to undo what came after a given epoch.

use std::collections::{BTreeMap, HashMap, VecDeque};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::SlicesIterator;
use arrow::datatypes::SchemaRef;
use springtide_types::hash::hash_columns;
use springtide_types::{Epoch, ErrorDelta, SqlError, ZBatch};

use crate::change_log::ChangeLog;
use crate::indexed::MIN_COMPACTION;
use crate::store::{Access, Store, clip};
use crate::weights::ones;

/// A change of the weight of a row that an epoch made.
#[derive(Clone, Copy, Debug)]
struct Change {
    epoch: Epoch,
    row: u32,
    weight: i64,
}

#[derive(Debug)]
pub(crate) struct Shard {
    store: Store,
    /// Sum of all weights.
    total: i64,
    /// For each epoch that appended rows: how many rows there were before it. Ascending.
    births: VecDeque<(Epoch, u32)>,
    /// Changes to rows that were there already, by ascending epoch.
    changes: VecDeque<Change>,
    errors: BTreeMap<SqlError, i64>,
    error_changes: VecDeque<(Epoch, ErrorDelta)>,
    /// What is still to be written down, if somebody does that.
    log: Option<ChangeLog>,
}

/// What to undo in order to see an earlier epoch: rows from `limit` on did not exist, others had other
/// weights.
struct Undo {
    limit: u32,
    /// By ascending row, which may repeat.
    changes: Vec<(u32, i64)>,
}

impl Shard {
    pub(crate) fn new(schema: SchemaRef, access: Access) -> Shard {
        Shard {
            store: Store::new(schema, access),
            total: 0,
            births: VecDeque::new(),
            changes: VecDeque::new(),
            errors: BTreeMap::new(),
            error_changes: VecDeque::new(),
            log: None,
        }
    }

    /// From here on keeps a log of the changes later than an epoch.
    pub(crate) fn record_changes(&mut self, after: Epoch) {
        self.log = Some(ChangeLog::new(after));
    }

    pub(crate) fn log(&self) -> Option<&ChangeLog> {
        self.log.as_ref()
    }

    /// Shortens the log.
    pub(crate) fn forget_changes(&mut self, until: Epoch) {
        if let Some(log) = &mut self.log {
            log.forget(until);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.total.max(0) as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        let undo = self.changes.capacity() * size_of::<Change>() + self.births.capacity() * 16;
        let log = self.log.as_ref().map_or(0, ChangeLog::bytes);
        self.store.bytes()
            + undo
            + log
            + (self.errors.len() + self.error_changes.len()) * size_of::<ErrorDelta>()
    }

    /// Adds deltas that no checkpoint has to write down.
    pub(crate) fn fill(&mut self, epoch: Epoch, deltas: impl Iterator<Item = ZBatch>) {
        for delta in deltas {
            self.note(epoch, &delta, Store::fill);
        }
        self.store.index();
    }

    pub(crate) fn apply(&mut self, epoch: Epoch, delta: &ZBatch) {
        self.note(epoch, delta, |store, delta, changes| store.apply(delta, None, changes));
        if let Some(log) = &mut self.log {
            log.push(epoch, delta);
        }
    }

    /// Adds a delta in some way, and notes how to undo it.
    fn note(
        &mut self,
        epoch: Epoch,
        delta: &ZBatch,
        add: impl FnOnce(&mut Store, &ZBatch, &mut Vec<(u32, i64)>),
    ) {
        let before = self.store.weights().len();
        let mut changes = Vec::new();
        add(&mut self.store, delta, &mut changes);
        self.total += delta.weights().values().iter().sum::<i64>();
        self.changes.extend(changes.into_iter().map(|(row, weight)| Change { epoch, row, weight }));
        let known = self.births.back().is_some_and(|(last, _)| *last == epoch);
        if !known && self.store.weights().len() > before {
            self.births.push_back((epoch, before as u32));
        }
    }

    pub(crate) fn apply_errors(&mut self, epoch: Epoch, errors: &[ErrorDelta]) {
        for delta in errors {
            add_error(&mut self.errors, &delta.error, delta.weight);
            self.error_changes.push_back((epoch, delta.clone()));
        }
        if let Some(log) = &mut self.log {
            log.push_errors(epoch, errors);
        }
    }

    fn undo(&self, epoch: Epoch) -> Undo {
        let birth = self.births.partition_point(|(born, _)| *born <= epoch);
        let limit = self.births.get(birth).map_or(self.store.weights().len() as u32, |(_, before)| *before);
        let first = self.changes.partition_point(|change| change.epoch <= epoch);
        let changes = self.changes.range(first..).map(|change| (change.row, change.weight));
        let mut changes = changes.filter(|(row, _)| *row < limit).collect::<Vec<_>>();
        changes.sort_unstable_by_key(|(row, _)| *row);
        Undo { limit, changes }
    }

    /// The rows of positive weight as of an epoch. O(chunks), plus the weights of the chunks where one is
    /// not 1 or has changed since; rows are copied only where dead ones are dense.
    pub(crate) fn snapshot(&self, epoch: Epoch) -> Vec<ZBatch> {
        let undo = self.undo(epoch);
        let mut batches = Vec::new();
        for part in self.store.chunks().parts() {
            let end = part.start + part.len() as u32;
            let length = clip(part.start..end, undo.limit);
            if length == 0 {
                break;
            }
            let rows = if length < part.len() { part.rows().slice(0, length) } else { part.rows() };
            let from = undo.changes.partition_point(|(row, _)| *row < part.start);
            let to = undo.changes.partition_point(|(row, _)| *row < end);
            if part.odd == 0 && from == to {
                batches.push(ZBatch::new(rows, ones(length)));
                continue;
            }
            let start = part.start as usize;
            let mut weights = self.store.weights().of(start..start + length);
            for (row, weight) in &undo.changes[from..to] {
                weights[*row as usize - start] -= weight;
            }
            let mask = BooleanBuffer::collect_bool(length, |row| weights[row] > 0).into();
            push_positive(&ZBatch::new(rows, Int64Array::from(weights)), &mask, &mut batches);
        }
        batches
    }

    /// The errors of this shard as of an epoch, in order. A weight may be negative: the row that causes an
    /// error may come to another shard than it goes from.
    pub(crate) fn errors(&self, epoch: Epoch) -> Vec<ErrorDelta> {
        let mut errors = self.errors.clone();
        let first = self.error_changes.partition_point(|(changed, _)| *changed <= epoch);
        for (_, delta) in self.error_changes.range(first..) {
            add_error(&mut errors, &delta.error, -delta.weight);
        }
        errors.into_iter().map(|(error, weight)| ErrorDelta { error, weight }).collect()
    }

    /// The rows of positive weight whose key equals one of `keys`, newest contents if `epoch` is `None`.
    pub(crate) fn lookup(&self, keys: &[ArrayRef], epoch: Option<Epoch>) -> (Vec<u32>, RecordBatch) {
        let hashes = hash_columns(keys, keys.first().map_or(1, |key| key.len()));
        let (mut at, mut rows) = self.store.find(keys, &hashes);
        let undo = self.undo(epoch.unwrap_or(Epoch::MAX));
        self.find_dead(keys, &hashes, &undo, &mut at, &mut rows);
        let mut undone: HashMap<u32, i64> = HashMap::new();
        for (row, weight) in &undo.changes {
            *undone.entry(*row).or_default() += weight;
        }
        let weight = |row: u32| self.store.weights().get(row) - undone.get(&row).copied().unwrap_or(0);
        let positive = |row: u32| row < undo.limit && weight(row) > 0;
        let found = at.into_iter().zip(rows).filter(|(_, row)| positive(*row));
        let (at, rows): (Vec<u32>, Vec<u32>) = found.unzip();
        (at, self.store.chunks().gather_rows(&rows))
    }

    /// Adds the matching rows that have died since: no chain leads to them any more.
    fn find_dead(
        &self,
        keys: &[ArrayRef],
        hashes: &[u64],
        undo: &Undo,
        at: &mut Vec<u32>,
        rows: &mut Vec<u32>,
    ) {
        let mut dead = undo.changes.iter().map(|(row, _)| *row).collect::<Vec<_>>();
        dead.dedup();
        dead.retain(|row| self.store.weights().get(*row) == 0);
        if dead.is_empty() {
            return;
        }
        let columns = self.store.key().expect("a relation that is looked up has a key");
        let dead_hashes = hash_columns(&self.store.chunks().gather(columns, &dead), dead.len());
        let mut positions: HashMap<u64, Vec<u32>> = HashMap::new();
        for (position, hash) in hashes.iter().enumerate() {
            positions.entry(*hash).or_default().push(position as u32);
        }
        let (mut more_at, mut more_rows) = (Vec::new(), Vec::new());
        for (row, hash) in dead.iter().zip(dead_hashes) {
            for position in positions.get(&hash).into_iter().flatten() {
                more_at.push(*position);
                more_rows.push(*row);
            }
        }
        self.store.retain_equal_keys(keys, &mut more_at, &mut more_rows);
        at.append(&mut more_at);
        rows.append(&mut more_rows);
    }

    /// Forgets how to undo epochs up to `since`, and drops dead rows once they are the majority.
    pub(crate) fn set_since(&mut self, since: Epoch) {
        self.births.drain(..self.births.partition_point(|(epoch, _)| *epoch <= since));
        self.changes.drain(..self.changes.partition_point(|change| change.epoch <= since));
        self.error_changes.drain(..self.error_changes.partition_point(|(epoch, _)| *epoch <= since));
        let rows = self.store.weights().len();
        let droppable = self.store.dead().saturating_sub(self.changes.len());
        if rows >= MIN_COMPACTION && droppable * 2 > rows {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut pinned = vec![false; self.store.weights().len()];
        self.changes.iter().for_each(|change| pinned[change.row as usize] = true);
        let moved = self.store.compact(|row| pinned[row as usize]);
        self.changes.iter_mut().for_each(|change| change.row = moved[change.row as usize]);
        self.births.iter_mut().for_each(|(_, before)| *before = moved[*before as usize]);
    }
}

fn add_error(errors: &mut BTreeMap<SqlError, i64>, error: &SqlError, weight: i64) {
    let total = errors.entry(error.clone()).or_default();
    *total += weight;
    if *total == 0 {
        errors.remove(error);
    }
}

/// Appends the records where `mask` is true: as slices if they lie in long runs, as a copy otherwise.
fn push_positive(batch: &ZBatch, mask: &BooleanArray, batches: &mut Vec<ZBatch>) {
    const LONG_RUN: usize = 256;
    if SlicesIterator::new(mask).count() * LONG_RUN <= batch.len() {
        batches.extend(SlicesIterator::new(mask).map(|(start, end)| batch.slice(start, end - start)));
    } else if mask.true_count() > 0 {
        batches.push(batch.filter(mask));
    }
}

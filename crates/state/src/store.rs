//! Rows with weights, indexed for look-up by key and for retraction.

use std::ops::Range;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use springtide_types::hash::hash_columns;
use springtide_types::{Result, Rows, ZBatch};

use crate::chunks::Chunks;
use crate::consolidate::consolidate;
use crate::frozen::{freeze_delta, thaw_delta};
use crate::hash_index::{END, HashIndex};
use crate::weights::{Weights, ones};

/// How the rows of a [`Store`] are found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Not at all: rows only come.
    Scan,
    /// By a key that any number of rows share. With retractions, rows are also indexed as a whole unless
    /// the key is the whole row.
    Key { columns: Vec<usize>, append_only: bool },
    /// By a key that few rows share at a time, so that retractions find their row by it, too.
    UniqueKey(Vec<usize>),
}

/// A hash index over some columns of the rows.
#[derive(Debug)]
struct Index {
    columns: Vec<usize>,
    chains: HashIndex,
}

impl Index {
    fn new(columns: Vec<usize>, unlinks: bool) -> Index {
        Index { columns, chains: HashIndex::new(unlinks) }
    }

    fn hashes(&self, rows: &Rows) -> Vec<u64> {
        let columns = self.columns.iter().map(|column| rows.column(*column).clone()).collect::<Vec<_>>();
        hash_columns(&columns, rows.len())
    }

    /// Appends rows that are not dead.
    fn push(&mut self, rows: &Rows) {
        let hashes = self.hashes(rows);
        self.chains.push_all(&hashes);
    }
}

/// An append-only sequence of rows, each with a weight that may change. A retraction takes weight from
/// rows equal to it; what it does not find waits as a row of negative weight for its insertion.
#[derive(Debug)]
pub(crate) struct Store {
    chunks: Chunks,
    weights: Weights,
    /// Rows of weight 0. They are in no chain.
    dead: usize,
    /// Rows of negative weight.
    negative: usize,
    by_key: Option<Index>,
    by_row: Option<Index>,
    append_only: bool,
}

impl Store {
    pub(crate) fn new(schema: SchemaRef, access: Access) -> Store {
        let all = (0..schema.fields().len()).collect::<Vec<_>>();
        let (by_key, by_row, append_only) = match access {
            Access::Scan => (None, None, true),
            Access::Key { columns, append_only } => {
                let whole = all.iter().all(|column| columns.contains(column));
                let by_row = (!append_only && !whole).then(|| Index::new(all, true));
                (Some(Index::new(columns, !append_only)), by_row, append_only)
            }
            Access::UniqueKey(columns) => (Some(Index::new(columns, true)), None, false),
        };
        Store {
            chunks: Chunks::new(schema),
            weights: Weights::default(),
            dead: 0,
            negative: 0,
            by_key,
            by_row,
            append_only,
        }
    }

    pub(crate) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    pub(crate) fn key(&self) -> Option<&[usize]> {
        self.by_key.as_ref().map(|index| index.columns.as_slice())
    }

    pub(crate) fn key_chains(&self) -> Option<&HashIndex> {
        self.by_key.as_ref().map(|index| &index.chains)
    }

    pub(crate) fn bytes(&self) -> usize {
        let indexes = self.by_key.iter().chain(&self.by_row).map(|index| index.chains.bytes()).sum::<usize>();
        self.chunks.bytes() + self.weights.bytes() + indexes
    }

    /// Adds a delta. `key_hashes` are the hashes of its key columns if the caller has them already;
    /// `changes` takes (row, change of weight) for each change to a row that was there. O(delta).
    pub(crate) fn apply(
        &mut self,
        delta: &ZBatch,
        key_hashes: Option<&[u64]>,
        changes: &mut Vec<(u32, i64)>,
    ) {
        if delta.is_empty() {
            return;
        }
        if self.negative == 0 && delta.is_insert_only() {
            self.append(delta.selected_rows(), delta.weights().values(), key_hashes);
            return;
        }
        // Where nothing comes and goes at once, equal rows do each what they would do together.
        let delta = if delta.is_delete_only() { delta.clone() } else { consolidate(delta) };
        if delta.is_empty() {
            return;
        }
        if self.append_only {
            self.append(delta.selected_rows(), delta.weights().values(), None);
            return;
        }
        let weights = delta.weights().values();
        let (inserts, deletes): (Vec<u32>, Vec<u32>) =
            (0..delta.len() as u32).partition(|row| weights[*row as usize] > 0);
        for (part, may_cancel) in [(inserts, self.negative > 0), (deletes, true)] {
            if part.is_empty() {
                continue;
            }
            let whole = part.len() == delta.len();
            let part = if whole { delta.clone() } else { delta.take(&UInt32Array::from(part)) };
            let rest = if may_cancel { self.cancel(&part, changes) } else { Some(part) };
            if let Some(rest) = rest {
                self.append(rest.selected_rows(), rest.weights().values(), None);
            }
        }
    }

    fn append(&mut self, rows: &Rows, weights: &[i64], key_hashes: Option<&[u64]>) {
        self.push(rows, weights);
        if let Some(index) = &mut self.by_key {
            match key_hashes {
                Some(hashes) => index.chains.push_all(hashes),
                None => index.push(rows),
            }
        }
        if let Some(index) = &mut self.by_row {
            index.push(rows);
        }
    }

    /// The rows that are not dead, and their weights. Shares the chunks all of whose weights are 1; O(rows) for the others.
    pub(crate) fn freeze(&self) -> Vec<Rows> {
        let parts = self.chunks.parts().iter().map(|part| {
            if part.odd == 0 {
                return freeze_delta(&ZBatch::new(part.rows(), ones(part.len())));
            }
            let start = part.start as usize;
            let weights = Int64Array::from(self.weights.of(start..start + part.len()));
            let alive = BooleanArray::from_unary(&weights, |weight| weight != 0);
            freeze_delta(&ZBatch::new(part.rows(), weights).filter(&alive))
        });
        parts.filter(|rows| !rows.is_empty()).collect()
    }

    /// Fills an empty store with what another one froze. O(rows).
    pub(crate) fn restore(&mut self, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            let delta = thaw_delta(batch, self.chunks.schema())?;
            self.push(delta.selected_rows(), delta.weights().values());
        }
        self.index();
        Ok(())
    }

    /// Adds a delta, whose rows no index may lead to until [`Store::index`].
    pub(crate) fn fill(&mut self, delta: &ZBatch, changes: &mut Vec<(u32, i64)>) {
        if self.negative == 0 && delta.is_insert_only() {
            self.push(delta.selected_rows(), delta.weights().values());
        } else {
            self.index();
            self.apply(delta, None, changes);
        }
    }

    /// Brings the indexes up to the last row.
    pub(crate) fn index(&mut self) {
        for index in [&mut self.by_key, &mut self.by_row].into_iter().flatten() {
            let indexed = index.chains.len();
            let mut hashes = Vec::with_capacity(self.weights.len() - indexed);
            for part in self.chunks.parts() {
                let skipped = indexed.saturating_sub(part.start as usize).min(part.len());
                let rows = part.rows().slice(skipped, part.len() - skipped);
                hashes.extend(index.hashes(&rows));
            }
            index.chains.push_all(&hashes);
        }
    }

    fn push(&mut self, rows: &Rows, weights: &[i64]) {
        debug_assert!(weights.iter().all(|weight| *weight != 0), "a row of weight 0");
        self.chunks.push(rows, |range| count_odd(&weights[range]));
        self.weights.extend(weights);
        self.negative += weights.iter().filter(|weight| **weight < 0).count();
    }

    /// Takes the weights of `part`, rows whose weights have one sign, from equal rows of the other sign, and returns what
    /// is left over.
    fn cancel(&mut self, part: &ZBatch, changes: &mut Vec<(u32, i64)>) -> Option<ZBatch> {
        let mut remaining = part.weights().values().to_vec();
        let key_hashes = self.by_key.as_ref().map(|index| index.hashes(part.selected_rows()));
        let row_hashes = self.by_row.as_ref().map(|index| index.hashes(part.selected_rows()));
        // A chain of whole rows holds nothing but rows equal to this one, save for collisions, so the
        // first round stops as soon as it has seen enough weight.
        for exhaustive in [false, true] {
            let hashes = row_hashes.as_ref().or(key_hashes.as_ref()).expect("retractable rows are indexed");
            let (at, rows) = self.candidates(hashes, &remaining, exhaustive);
            if rows.is_empty() {
                break;
            }
            let all = (0..part.columns().len()).collect::<Vec<_>>();
            let equal = self.chunks.equal(&all, &rows, part.columns(), &at);
            for ((at, row), _) in at.iter().zip(&rows).zip(&equal).filter(|(_, equal)| **equal) {
                let at = *at as usize;
                let taken = self.take(*row, &mut remaining[at]);
                if taken == 0 {
                    continue;
                }
                changes.push((*row, -taken));
                if self.weights.get(*row) == 0 {
                    self.unlink(*row, key_hashes.as_ref().map(|h| h[at]), row_hashes.as_ref().map(|h| h[at]));
                }
            }
            if remaining.iter().all(|weight| *weight == 0) {
                break;
            }
        }
        leftover(part, &remaining)
    }

    /// Pairs of a position in `remaining` and a row that may be equal to it and has the other sign.
    fn candidates(&self, hashes: &[u64], remaining: &[i64], exhaustive: bool) -> (Vec<u32>, Vec<u32>) {
        let by_row = self.by_row.as_ref();
        let index = by_row.or(self.by_key.as_ref()).expect("retractable rows are indexed");
        let exhaustive = exhaustive || index.columns.len() < self.chunks.schema().fields().len();
        let (mut at, mut rows) = (Vec::new(), Vec::new());
        for (position, (hash, wanted)) in hashes.iter().zip(remaining).enumerate() {
            let mut missing = *wanted;
            let mut row = if missing == 0 { END } else { index.chains.head(*hash) };
            while row != END {
                let weight = self.weights.get(row);
                if weight.signum() == -wanted.signum() {
                    at.push(position as u32);
                    rows.push(row);
                    missing += weight;
                    if !exhaustive && missing.signum() != wanted.signum() {
                        break;
                    }
                }
                row = index.chains.next(row);
            }
        }
        (at, rows)
    }

    /// Lets `remaining` and the weight of `row`, of opposite signs, cancel out as far as they do. Returns
    /// what the row lost.
    fn take(&mut self, row: u32, remaining: &mut i64) -> i64 {
        let old = self.weights.get(row);
        if old == 0 || old.signum() == remaining.signum() {
            return 0;
        }
        let taken = old.signum() * old.abs().min(remaining.abs());
        let new = old - taken;
        self.weights.set(row, new);
        *remaining += taken;
        if (old != 1) != (new != 1) {
            self.chunks.mark(row, new != 1);
        }
        self.dead += usize::from(new == 0);
        self.negative -= usize::from(old < 0 && new == 0);
        taken
    }

    fn unlink(&mut self, row: u32, key_hash: Option<u64>, row_hash: Option<u64>) {
        for (index, hash) in [(&mut self.by_key, key_hash), (&mut self.by_row, row_hash)] {
            if let (Some(index), Some(hash)) = (index, hash) {
                index.chains.unlink(hash, row);
            }
        }
    }

    /// Lets a row of a store without indexes die.
    pub(crate) fn drop_row(&mut self, row: u32) {
        debug_assert!(self.by_key.is_none() && self.by_row.is_none(), "a row that an index leads to");
        let weight = self.weights.set(row, 0);
        if weight == 1 {
            self.chunks.mark(row, true);
        }
        self.dead += usize::from(weight != 0);
    }

    /// Drops the dead rows for which `keep` is false, and returns the position before which each dropped
    /// row lay, as the number of rows kept before each old position. O(rows).
    pub(crate) fn compact(&mut self, keep: impl Fn(u32) -> bool) -> Vec<u32> {
        let kept = BooleanBuffer::collect_bool(self.weights.len(), |row| {
            self.weights.get(row as u32) != 0 || keep(row as u32)
        });
        let mut moved = Vec::with_capacity(self.weights.len() + 1);
        let mut count = 0;
        for bit in &kept {
            moved.push(count);
            count += u32::from(bit);
        }
        moved.push(count);
        self.weights.retain(|row| kept.value(row));
        let weights = &self.weights;
        self.chunks.retain(&kept, |range| weights.odd(range));
        self.dead = (0..weights.len() as u32).filter(|row| weights.get(*row) == 0).count();
        for index in [&mut self.by_key, &mut self.by_row].into_iter().flatten() {
            index.chains = HashIndex::new(!self.append_only);
            for part in self.chunks.parts() {
                let hashes = index.hashes(&part.rows());
                for hash in &hashes {
                    if self.weights.get(index.chains.len() as u32) == 0 {
                        index.chains.push_unlinked();
                    } else {
                        index.chains.push(*hash);
                    }
                }
            }
        }
        moved
    }

    /// Pairs of a position in `keys` and a row whose key columns equal it and whose weight is not 0.
    pub(crate) fn find(&self, keys: &[ArrayRef], hashes: &[u64]) -> (Vec<u32>, Vec<u32>) {
        let index = self.by_key.as_ref().expect("a store that is looked up has a key");
        let (mut at, mut rows) = (Vec::new(), Vec::new());
        for (position, hash) in hashes.iter().enumerate() {
            let mut row = index.chains.head(*hash);
            while row != END {
                at.push(position as u32);
                rows.push(row);
                row = index.chains.next(row);
            }
        }
        self.retain_equal_keys(keys, &mut at, &mut rows);
        (at, rows)
    }

    /// Drops the pairs of which the hashes, but not the keys, are equal.
    pub(crate) fn retain_equal_keys(&self, keys: &[ArrayRef], at: &mut Vec<u32>, rows: &mut Vec<u32>) {
        let index = self.by_key.as_ref().expect("a store that is looked up has a key");
        let equal = self.chunks.equal(&index.columns, rows, keys, at);
        if equal.iter().all(|equal| *equal) {
            return;
        }
        for pairs in [at, rows] {
            let mut equal = equal.iter();
            pairs.retain(|_| equal.next().is_some_and(|equal| *equal));
        }
    }
}

/// How many weights are not 1.
pub(crate) fn count_odd(weights: &[i64]) -> u32 {
    weights.iter().filter(|weight| **weight != 1).count() as u32
}

fn leftover(part: &ZBatch, remaining: &[i64]) -> Option<ZBatch> {
    let rows = (0..part.len() as u32).filter(|row| remaining[*row as usize] != 0).collect::<Vec<_>>();
    if rows.is_empty() {
        return None;
    }
    let weights = rows.iter().map(|row| remaining[*row as usize]).collect::<Vec<_>>();
    let rows = part.selected_rows().take(&UInt32Array::from(rows));
    Some(ZBatch::new(rows, Int64Array::from(weights)))
}

/// The part of `range` that lies before `limit`.
pub(crate) fn clip(range: Range<u32>, limit: u32) -> usize {
    (range.end.min(limit)).saturating_sub(range.start) as usize
}

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use springtide_types::hash::hash_columns;
use springtide_types::take_rows;

use crate::chunks::Chunks;
use crate::hash_index::{END, HashIndex};
use crate::indexed::MIN_COMPACTION;

/// Keys of any types. They lie in columnar chunks; a hash index leads to them.
#[derive(Debug)]
pub(crate) struct WideKeys {
    keys: Chunks,
    columns: Vec<usize>,
    index: HashIndex,
    /// The slot of each stored key, [`END`] once released.
    slots: Vec<u32>,
    /// Where the key of each slot is stored.
    rows: Vec<u32>,
    free: Vec<u32>,
}

impl WideKeys {
    /// An empty table of keys of this schema.
    pub(crate) fn new(schema: SchemaRef) -> WideKeys {
        let columns = (0..schema.fields().len()).collect();
        let (slots, rows, free) = (Vec::new(), Vec::new(), Vec::new());
        WideKeys { keys: Chunks::new(schema), columns, index: HashIndex::new(true), slots, rows, free }
    }

    /// One more than the greatest slot ever given.
    pub(crate) fn slots(&self) -> usize {
        self.rows.len()
    }

    /// Keys that have a slot now.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let vectors = self.slots.capacity() + self.rows.capacity() + self.free.capacity();
        self.keys.bytes() + self.index.bytes() + 4 * vectors
    }

    /// The slot of each key; keys not seen before get one.
    pub(crate) fn intern(&mut self, keys: &RecordBatch) -> Vec<u32> {
        let hashes = hash_columns(keys.columns(), keys.num_rows());
        let mut candidates = Vec::with_capacity(hashes.len());
        let mut new = Vec::new();
        for (position, hash) in hashes.iter().enumerate() {
            let mut row = self.index.head(*hash);
            if row == END {
                row = self.index.len() as u32;
                self.index.push(*hash);
                new.push(position as u32);
            }
            candidates.push(row);
        }
        if new.len() == keys.num_rows() {
            self.store(keys);
        } else if !new.is_empty() {
            let new = take_rows(keys, &UInt32Array::from(new));
            self.store(&new);
        }
        self.resolve_collisions(keys, &hashes, &mut candidates);
        candidates.iter().map(|row| self.slots[*row as usize]).collect()
    }

    /// Slots below [`slots`](Self::slots) without a key.
    pub(crate) fn free(&self) -> &[u32] {
        &self.free
    }

    pub(crate) fn find(&self, keys: &RecordBatch) -> Vec<Option<u32>> {
        let hashes = hash_columns(keys.columns(), keys.num_rows());
        let mut slots = vec![None; hashes.len()];
        let mut chains = hashes.iter().map(|hash| self.index.head(*hash)).collect::<Vec<_>>();
        let mut pending = (0..hashes.len() as u32).collect::<Vec<_>>();
        // A second round is only needed for different keys of one hash.
        loop {
            pending.retain(|position| chains[*position as usize] != END);
            if pending.is_empty() {
                return slots;
            }
            let rows = pending.iter().map(|position| chains[*position as usize]).collect::<Vec<_>>();
            let equal = self.keys.equal(&self.columns, &rows, keys.columns(), &pending);
            for ((position, row), equal) in pending.iter().zip(&rows).zip(equal) {
                let position = *position as usize;
                slots[position] = equal.then(|| self.slots[*row as usize]);
                chains[position] = if equal { END } else { self.index.next(*row) };
            }
        }
    }

    /// Stores keys whose index entries are already there.
    fn store(&mut self, keys: &RecordBatch) {
        self.keys.push(&keys.clone().into(), |_| 0);
        for _ in 0..keys.num_rows() {
            let row = self.slots.len() as u32;
            let slot = match self.free.pop() {
                Some(slot) => {
                    self.rows[slot as usize] = row;
                    slot
                }
                None => {
                    self.rows.push(row);
                    self.rows.len() as u32 - 1
                }
            };
            self.slots.push(slot);
        }
    }

    /// Replaces candidates whose hash, but not whose key, is the right one.
    fn resolve_collisions(&mut self, keys: &RecordBatch, hashes: &[u64], candidates: &mut [u32]) {
        let all = (0..keys.num_rows() as u32).collect::<Vec<_>>();
        let equal = self.keys.equal(&self.columns, candidates, keys.columns(), &all);
        for position in (0..equal.len()).filter(|position| !equal[*position]) {
            let mut row = self.index.head(hashes[position]);
            let at = [position as u32];
            while row != END && !self.keys.equal(&self.columns, &[row], keys.columns(), &at)[0] {
                row = self.index.next(row);
            }
            if row == END {
                row = self.index.len() as u32;
                self.index.push(hashes[position]);
                self.store(&keys.slice(position, 1));
            }
            candidates[position] = row;
        }
    }

    /// The given columns of the keys of the given slots.
    pub(crate) fn gather(&self, columns: &[usize], slots: &[u32]) -> Vec<ArrayRef> {
        let rows = slots.iter().map(|slot| self.rows[*slot as usize]).collect::<Vec<_>>();
        self.keys.gather(columns, &rows)
    }

    fn keys(&self, slots: &[u32]) -> RecordBatch {
        let rows = slots.iter().map(|slot| self.rows[*slot as usize]).collect::<Vec<_>>();
        self.keys.gather_rows(&rows)
    }

    /// Forgets the keys of these slots, each named once.
    pub(crate) fn release(&mut self, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        let keys = self.keys(slots);
        let hashes = hash_columns(keys.columns(), keys.num_rows());
        for (slot, hash) in slots.iter().zip(hashes) {
            let row = self.rows[*slot as usize];
            self.index.unlink(hash, row);
            self.slots[row as usize] = END;
            self.free.push(*slot);
        }
        let stored = self.slots.len();
        if stored >= MIN_COMPACTION && self.len() * 2 < stored {
            self.compact();
        }
    }

    /// Drops the stored keys of no slot. Slots stay.
    fn compact(&mut self) {
        let live = BooleanBuffer::collect_bool(self.slots.len(), |row| self.slots[row] != END);
        self.keys.retain(&live, |_| 0);
        self.slots.retain(|slot| *slot != END);
        self.slots.shrink_to_fit();
        for (row, slot) in self.slots.iter().enumerate() {
            self.rows[*slot as usize] = row as u32;
        }
        self.index = HashIndex::new(true);
        for part in self.keys.parts() {
            self.index.push_all(&hash_columns(part.rows().batch().columns(), part.len()));
        }
    }
}

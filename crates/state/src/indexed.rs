use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use springtide_types::hash::hash_columns;
use springtide_types::{Result, Rows, ZBatch};

use crate::hash_index::END;
use crate::store::{Access, Store};

/// Fewer rows than this are never compacted.
pub(crate) const MIN_COMPACTION: usize = 1024;

/// A Z-set that is probed by key: one side of a join.
///
/// Rows lie in columnar chunks; a hash index leads from a key to its rows. A change costs O(1), a probe
/// O(matches), whatever the state holds.
#[derive(Debug)]
pub struct IndexedZSet {
    store: Store,
}

/// The rows that match a probe.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// Positions in the probing batch.
    pub probe_rows: Vec<u32>,
    /// The row that matches each of them. Valid until the next [`IndexedZSet::apply`].
    pub row_ids: Vec<u32>,
    /// The weight of that row, never 0.
    pub weights: Vec<i64>,
}

/// How far a probe has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    row: usize,
    /// Where in the chain of `row` to go on; `None` at its head.
    at: Option<u32>,
}

impl IndexedZSet {
    /// An empty Z-set keyed by the columns `key`. An `append_only` one keeps no index for retractions;
    /// should negative weights come all the same, they stay as rows of their own.
    pub fn new(schema: SchemaRef, key: Vec<usize>, append_only: bool) -> IndexedZSet {
        IndexedZSet { store: Store::new(schema, Access::Key { columns: key, append_only }) }
    }

    /// An empty Z-set keyed by columns that contain a unique key of the rows. Retractions find their row
    /// by the key alone.
    pub fn unique(schema: SchemaRef, key: Vec<usize>) -> IndexedZSet {
        IndexedZSet { store: Store::new(schema, Access::UniqueKey(key)) }
    }

    /// Adds a delta.
    pub fn apply(&mut self, delta: &ZBatch) {
        self.apply_with(delta, None);
    }

    /// Adds a delta the hashes of whose key columns are known.
    pub fn apply_hashed(&mut self, delta: &ZBatch, key_hashes: &[u64]) {
        self.apply_with(delta, Some(key_hashes));
    }

    fn apply_with(&mut self, delta: &ZBatch, key_hashes: Option<&[u64]>) {
        self.store.apply(delta, key_hashes, &mut Vec::new());
        let rows = self.store.weights().len();
        if rows >= MIN_COMPACTION && self.store.dead() * 2 > rows {
            self.store.compact(|_| false);
        }
    }

    /// The hashes by which `keys`, columns like the key columns, are looked up.
    pub fn hashes(keys: &[ArrayRef], rows: usize) -> Vec<u64> {
        hash_columns(keys, rows)
    }

    /// The next matches of `keys`, whose hashes are `hashes`: about `limit` of them, or, at the end, none
    /// at all. NULL matches NULL. `cursor` starts as the default.
    pub fn probe(&self, keys: &[ArrayRef], hashes: &[u64], cursor: &mut Cursor, limit: usize) -> Matches {
        let mut matches = Matches::default();
        while matches.row_ids.is_empty() && cursor.row < hashes.len() {
            self.collect(hashes, cursor, limit, &mut matches);
            self.store.retain_equal_keys(keys, &mut matches.probe_rows, &mut matches.row_ids);
        }
        let weights = self.store.weights();
        matches.weights = matches.row_ids.iter().map(|row| weights.get(*row)).collect();
        matches
    }

    fn collect(&self, hashes: &[u64], cursor: &mut Cursor, limit: usize, matches: &mut Matches) {
        let chains = self.store.key_chains().expect("an indexed Z-set has a key");
        while cursor.row < hashes.len() {
            let mut row = cursor.at.take().unwrap_or_else(|| chains.head(hashes[cursor.row]));
            while row != END {
                if matches.row_ids.len() >= limit {
                    cursor.at = Some(row);
                    return;
                }
                matches.probe_rows.push(cursor.row as u32);
                matches.row_ids.push(row);
                row = chains.next(row);
            }
            cursor.row += 1;
        }
    }

    /// All columns of the given rows.
    pub fn gather_rows(&self, row_ids: &[u32]) -> RecordBatch {
        self.store.chunks().gather_rows(row_ids)
    }

    /// The state as Arrow batches. O(chunks + dead rows).
    pub fn freeze(&self) -> Vec<Rows> {
        self.store.freeze()
    }

    /// Fills an empty Z-set with what another one froze. O(rows).
    pub fn restore(&mut self, batches: &[RecordBatch]) -> Result<()> {
        self.store.restore(batches)
    }

    /// Rows whose weight is not 0.
    pub fn len(&self) -> usize {
        self.store.weights().len() - self.store.dead()
    }

    /// Whether no row has a weight other than 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }
}

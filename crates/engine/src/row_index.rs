use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::interleave_record_batch;
use hashbrown::HashTable;
use springtide_state::{consolidate, equal_pairs};
use springtide_types::ZBatch;
use springtide_types::hash::hash_columns;

use crate::constraints::columns;

/// A key that so many changes have been made to has its changes summed up when it is looked up.
const LONG: usize = 16;

/// The changes of a transaction to one table by key, without copying them. A change costs O(1), and a look-up
/// O(keys), however often the rows of a key have changed.
pub(crate) struct RowIndex {
    key: Vec<usize>,
    batches: Vec<ZBatch>,
    rows: HashTable<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Row {
    hash: u64,
    batch: u32,
    row: u32,
}

impl RowIndex {
    pub(crate) fn new(key: Vec<usize>) -> RowIndex {
        RowIndex { key, batches: Vec::new(), rows: HashTable::new() }
    }

    /// Adds changes.
    pub(crate) fn push(&mut self, delta: ZBatch) {
        let hashes = hash_columns(&columns(delta.rows(), &self.key), delta.len());
        let batch = self.batches.len() as u32;
        self.rows.reserve(hashes.len(), |row| row.hash);
        for (row, hash) in (0..).zip(hashes) {
            self.rows.insert_unique(hash, Row { hash, batch, row }, |row| row.hash);
        }
        self.batches.push(delta);
    }

    /// The changes to rows that have one of these keys; `None` if there are none.
    pub(crate) fn find(&mut self, keys: &[ArrayRef]) -> Option<ZBatch> {
        let hashes = hash_columns(keys, keys.first().map_or(0, |column| column.len()));
        let mut found = Vec::new();
        let mut positions = Vec::new();
        for (position, hash) in (0_u32..).zip(&hashes) {
            let matches = self.rows.iter_hash(*hash).filter(|row| row.hash == *hash);
            found.extend(matches.copied());
            positions.resize(found.len(), position);
        }
        if found.is_empty() {
            return None;
        }
        let delta = self.gather(&found);
        let gathered = (0..delta.len() as u32).collect::<Vec<_>>();
        let equal = equal_pairs(&columns(delta.rows(), &self.key), &gathered, keys, &positions);
        let delta = if equal.contains(&false) {
            found = found.into_iter().zip(&equal).filter(|(_, equal)| **equal).map(|(row, _)| row).collect();
            let rows = gathered.into_iter().filter(|row| equal[*row as usize]);
            delta.take(&UInt32Array::from_iter_values(rows))
        } else {
            delta
        };
        if found.len() < LONG * hashes.len() {
            return (!delta.is_empty()).then_some(delta);
        }
        Some(self.sum_up(&found, &delta))
    }

    /// Puts the sum of some changes in their place.
    fn sum_up(&mut self, rows: &[Row], delta: &ZBatch) -> ZBatch {
        for row in rows {
            if let Ok(entry) = self.rows.find_entry(row.hash, |other| other == row) {
                entry.remove();
            }
        }
        let sum = consolidate(delta);
        self.push(sum.clone());
        sum
    }

    fn gather(&self, rows: &[Row]) -> ZBatch {
        if let [single] = rows {
            return self.batches[single.batch as usize].slice(single.row as usize, 1);
        }
        let mut used = rows.iter().map(|row| row.batch).collect::<Vec<_>>();
        used.sort_unstable();
        used.dedup();
        let batches = used.iter().map(|batch| self.batches[*batch as usize].rows()).collect::<Vec<_>>();
        let place = |row: &Row| (used.partition_point(|batch| *batch < row.batch), row.row as usize);
        let places = rows.iter().map(place).collect::<Vec<_>>();
        let gathered: RecordBatch =
            interleave_record_batch(&batches, &places).expect("batches of one table share a schema");
        let weights =
            rows.iter().map(|row| self.batches[row.batch as usize].weights().value(row.row as usize));
        ZBatch::new(gathered, Int64Array::from_iter_values(weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn delta(rows: &[(i64, i64, i64)]) -> ZBatch {
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let keys = column(rows.iter().map(|row| row.0).collect());
        let values = column(rows.iter().map(|row| row.1).collect());
        let rows_ = RecordBatch::try_from_iter([("key", keys), ("value", values)]).unwrap();
        ZBatch::new(rows_, rows.iter().map(|row| row.2).collect::<Vec<_>>().into())
    }

    fn assert_same(found: &ZBatch, expected: &ZBatch) {
        assert_eq!((found.rows(), found.weights()), (expected.rows(), expected.weights()));
    }

    fn keys(keys: &[i64]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(keys.to_vec()))]
    }

    #[test]
    fn finds_the_changes_of_each_key() {
        let mut index = RowIndex::new(vec![0]);
        index.push(delta(&[(1, 10, 1), (2, 20, 1), (3, 30, -1)]));
        index.push(delta(&[(2, 20, -1), (2, 21, 1)]));
        assert!(index.find(&keys(&[4])).is_none());
        assert_same(&index.find(&keys(&[3])).unwrap(), &delta(&[(3, 30, -1)]));
        let found = consolidate(&index.find(&keys(&[2, 1, 5])).unwrap());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_key_that_changes_often_stays_short() {
        let mut index = RowIndex::new(vec![0]);
        index.push(delta(&[(7, 0, 1), (8, 0, 1)]));
        for value in 0..1000 {
            let found = index.find(&keys(&[7])).unwrap();
            assert!(found.len() <= LONG, "{} changes", found.len());
            assert_same(&consolidate(&found), &delta(&[(7, value, 1)]));
            index.push(delta(&[(7, value, -1)]));
            index.push(delta(&[(7, value + 1, 1)]));
        }
        assert_same(&index.find(&keys(&[8])).unwrap(), &delta(&[(8, 0, 1)]));
    }
}

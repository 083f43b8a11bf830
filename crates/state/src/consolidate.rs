//! Summing up the weights of equal rows.

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use springtide_types::ZBatch;
use springtide_types::hash::hash_columns;

use crate::buckets::in_bucket_order;
use crate::equality::equal_pairs;

/// The same Z-set with each row at most once, in order of first occurrence, and no zero weights. Rows are
/// equal as in GROUP BY: NULL equals NULL, −0.0 equals 0.0, NaN equals NaN. O(rows).
pub fn consolidate(batch: &ZBatch) -> ZBatch {
    if batch.len() <= 1 && batch.weights().values().iter().all(|weight| *weight != 0) {
        return batch.clone();
    }
    let first = first_equal(batch.columns(), batch.len());
    let mut weights = vec![0; batch.len()];
    for (first, weight) in first.iter().zip(batch.weights().values()) {
        weights[*first as usize] += weight;
    }
    let kept = (0..batch.len() as u32).filter(|row| weights[*row as usize] != 0).collect::<Vec<_>>();
    if kept.len() == batch.len() {
        return batch.with_rows(batch.rows().clone());
    }
    let kept_weights = kept.iter().map(|row| weights[*row as usize]).collect::<Vec<_>>();
    let kept = batch.take(&UInt32Array::from(kept));
    ZBatch::new(kept.rows().clone(), Int64Array::from(kept_weights))
}

/// For each of so many rows, the first row that is equal to it: itself, if there is none before it. O(rows).
pub fn first_equal(columns: &[ArrayRef], rows: usize) -> Vec<u32> {
    let hashes = hash_columns(columns, rows);
    let mut first = (0..rows as u32).collect::<Vec<_>>();
    let mut pending = in_bucket_order(&hashes, rows);
    // A second round is only needed for different rows of one hash.
    while !pending.is_empty() {
        // The hash beside the row: to look it up at the row would be another miss of the cache.
        let mut table: HashTable<(u64, u32)> = HashTable::with_capacity(pending.len());
        let (mut repeated, mut candidates, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (hash, row) in pending {
            match table.entry(hash, |other| other.0 == hash, |entry| entry.0) {
                Entry::Occupied(entry) => {
                    repeated.push((hash, row));
                    candidates.push(entry.get().1);
                    rows.push(row);
                }
                Entry::Vacant(entry) => drop(entry.insert((hash, row))),
            }
        }
        let equal = equal_pairs(columns, &candidates, columns, &rows);
        for ((row, candidate), equal) in rows.iter().zip(&candidates).zip(&equal) {
            if *equal {
                first[*row as usize] = *candidate;
            }
        }
        let mut equal = equal.into_iter();
        repeated.retain(|_| !equal.next().unwrap_or(true));
        pending = repeated;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Float64Array, RecordBatch, StringArray};
    use std::sync::Arc;

    #[test]
    fn sums_weights_of_equal_rows() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(0.0),
            Some(f64::NAN),
            Some(-0.0),
            None,
            Some(-f64::NAN),
            None,
        ]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "c", "b", "d"]));
        let rows = RecordBatch::try_from_iter([("f", floats), ("t", texts)]).unwrap();
        let batch = ZBatch::new(rows, vec![1, 2, 1, 5, -2, 7].into());
        let found = consolidate(&batch);
        assert_eq!(found.weights().values(), &[2, 5, 7]);
        let texts = found.columns()[1].as_string::<i32>().iter().flatten().collect::<Vec<_>>();
        assert_eq!(texts, ["a", "c", "d"]);
    }

    #[test]
    fn empty_and_zero() {
        let rows =
            RecordBatch::try_from_iter([("t", Arc::new(StringArray::from(vec!["a"])) as ArrayRef)]).unwrap();
        assert!(consolidate(&ZBatch::new(rows.clone(), vec![0].into())).is_empty());
        assert!(consolidate(&ZBatch::empty(rows.schema())).is_empty());
        assert_eq!(consolidate(&ZBatch::inserts(rows)).len(), 1);
    }
}

//! Summing up the weights of equal rows.

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use springtide_types::hash::hash_columns;
use springtide_types::{ZBatch, take_rows};

use crate::buckets::in_bucket_order;
use crate::equality::equal_pairs;
use crate::key_table::{KeyTable, is_narrow};

/// The same Z-set with each row at most once, in order of first occurrence, and no zero weights. Rows are
/// equal as in GROUP BY: NULL equals NULL, −0.0 equals 0.0, NaN equals NaN. O(rows).
pub fn consolidate(batch: &ZBatch) -> ZBatch {
    if batch.len() <= 1 && batch.weights().values().iter().all(|weight| *weight != 0) {
        return batch.clone();
    }
    let (rows, weights) = if is_narrow(&batch.schema()) { narrow_sums(batch) } else { sums(batch) };
    if rows.len() == batch.len() {
        return batch.clone();
    }
    let rows = take_rows(batch.rows(), &UInt32Array::from(rows));
    ZBatch::new(rows, Int64Array::from(weights))
}

/// The first row of each set of equal rows, and the sum of their weights where it is not zero.
fn sums(batch: &ZBatch) -> (Vec<u32>, Vec<i64>) {
    let first = first_equal(batch.columns(), batch.len());
    let mut weights = vec![0; batch.len()];
    for (first, weight) in first.iter().zip(batch.weights().values()) {
        weights[*first as usize] += weight;
    }
    (0..).zip(weights).filter(|(_, weight)| *weight != 0).unzip()
}

/// [`sums`] of rows that are cheap to look up.
fn narrow_sums(batch: &ZBatch) -> (Vec<u32>, Vec<i64>) {
    let slots = KeyTable::new(batch.schema()).intern(batch.rows());
    let mut sums: Vec<(u32, i64)> = Vec::new();
    for ((row, slot), weight) in (0..).zip(slots).zip(batch.weights().values()) {
        match sums.get_mut(slot as usize) {
            Some((_, sum)) => *sum += weight,
            None => sums.push((row, *weight)),
        }
    }
    sums.into_iter().filter(|(_, weight)| *weight != 0).unzip()
}

/// Whether a row that one of the deltas brings may be one that another takes. If not, nothing cancels out, and that is cheaper
/// to find out than what does. O(rows).
pub fn may_cancel(deltas: &[ZBatch]) -> bool {
    if deltas.iter().all(ZBatch::is_insert_only) || deltas.iter().all(ZBatch::is_delete_only) {
        return false;
    }
    let mut gone: HashTable<u64> = HashTable::new();
    let mut come = Vec::new();
    for delta in deltas {
        let hashes = hash_columns(delta.columns(), delta.len());
        for (hash, weight) in hashes.into_iter().zip(delta.weights().values()) {
            match weight {
                0 => return true,
                1.. => come.push(hash),
                _ => _ = gone.entry(hash, |other| *other == hash, |hash| *hash).or_insert(hash),
            }
        }
    }
    come.into_iter().any(|hash| gone.find(hash, |other| *other == hash).is_some())
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
    fn narrow_rows() {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(1), None, Some(2), Some(1), None, Some(0)]));
        let others: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 7, 7, 7, 7]));
        let more = others.clone();
        let rows = RecordBatch::try_from_iter([("n", numbers), ("o", others), ("m", more)]).unwrap();
        let found = consolidate(&ZBatch::new(rows, vec![1, 2, 3, -1, 2, 5].into()));
        let numbers = found.columns()[0].as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [None, Some(2), Some(0)]);
        assert_eq!(found.weights().values(), &[4, 3, 5]);
    }

    #[test]
    fn rows_that_come_and_go_may_cancel() {
        let batch = |values: Vec<i64>, weight: i64| {
            let weights = vec![weight; values.len()];
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            ZBatch::new(RecordBatch::try_from_iter([("a", column)]).unwrap(), weights.into())
        };
        assert!(!may_cancel(&[]));
        assert!(!may_cancel(&[batch(vec![1, 2], 1), batch(vec![2], 3)]));
        assert!(!may_cancel(&[batch(vec![1, 2], -1), batch(vec![2], -3)]));
        assert!(!may_cancel(&[batch(vec![1, 2], -1), batch(vec![3], 1)]));
        assert!(may_cancel(&[batch(vec![1, 2], -1), batch(vec![3, 2], 1)]));
        assert!(may_cancel(&[batch(vec![1], 0)]));
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

//! Changes on top of a snapshot.

use std::panic::resume_unwind;

use arrow::array::{BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use hashbrown::HashTable;
use springtide_state::{consolidate, equal_pairs, in_bucket_order};
use springtide_types::ZBatch;
use springtide_types::hash::hash_columns;

/// Rows of a snapshot that are worth a thread.
const PART: usize = 1 << 17;

/// The rows of positive weight of a snapshot, all of whose weights are positive, with changes on top. Rows are equal as
/// in [`consolidate`]. Batches from which nothing is retracted are shared. O(snapshot + changes), of which all but what is
/// retracted is only hashed, and not at all if nothing is.
pub(crate) fn overlay(snapshot: Vec<ZBatch>, deltas: &[ZBatch]) -> Vec<ZBatch> {
    let mut rows = snapshot;
    let mut retracted = Vec::new();
    for delta in deltas {
        if delta.is_insert_only() {
            rows.push(delta.clone());
        } else {
            let (added, gone) = by_sign(delta);
            rows.push(added);
            retracted.push(gone);
        }
    }
    if let Some(first) = retracted.first() {
        let retracted = ZBatch::concat(first.schema(), &retracted);
        rows = Retractions::new(retracted).take_from(&rows);
    }
    rows.retain(|batch| !batch.is_empty());
    rows
}

/// The records of positive and those of negative weight.
fn by_sign(delta: &ZBatch) -> (ZBatch, ZBatch) {
    let weights = delta.weights().values();
    let positive = BooleanBuffer::collect_bool(weights.len(), |row| weights[row] > 0);
    let negative = BooleanBuffer::collect_bool(weights.len(), |row| weights[row] < 0);
    (delta.filter(&positive.into()), delta.filter(&negative.into()))
}

/// A row of a batch, and the row equal to it that is to go.
struct Found {
    row: u32,
    retracted: u32,
}

/// Rows that are to go, each of them once: one that was retracted a thousand times is looked for once.
struct Retractions {
    rows: ZBatch,
    /// The hash of each row, and its position.
    by_hash: HashTable<(u64, u32)>,
    /// What is still to be taken of each row.
    remaining: Vec<i64>,
}

impl Retractions {
    fn new(rows: ZBatch) -> Retractions {
        // Mostly no row is retracted twice, and then none has to be compared with another.
        let (rows, by_hash) = match positions_by_hash(&rows, Repeated::Refused) {
            Some(by_hash) => (rows, by_hash),
            None => {
                let rows = consolidate(&rows);
                let by_hash = positions_by_hash(&rows, Repeated::Taken).expect("none is refused");
                (rows, by_hash)
            }
        };
        let remaining = rows.weights().values().iter().map(|weight| -weight).collect();
        Retractions { rows, by_hash, remaining }
    }

    /// What is left of batches once the rows that are to go have gone, as far as they have them.
    fn take_from(mut self, batches: &[ZBatch]) -> Vec<ZBatch> {
        let found = self.find_all(batches);
        let left = batches.iter().zip(found).map(|(batch, found)| self.take_found(batch, &found));
        left.collect()
    }

    fn take_found(&mut self, batch: &ZBatch, found: &[Found]) -> ZBatch {
        let mut left: Option<Vec<i64>> = None;
        for Found { row, retracted } in found {
            let remaining = &mut self.remaining[*retracted as usize];
            if *remaining > 0 {
                let left = left.get_or_insert_with(|| batch.weights().values().to_vec());
                let taken = left[*row as usize].min(*remaining);
                left[*row as usize] -= taken;
                *remaining -= taken;
            }
        }
        let Some(left) = left else { return batch.clone() };
        let kept = BooleanArray::from(BooleanBuffer::collect_bool(left.len(), |row| left[row] > 0));
        ZBatch::new(batch.rows().clone(), Int64Array::from(left)).filter(&kept)
    }

    /// [`Retractions::find`] for each batch, by as many threads as that is worth.
    fn find_all(&self, batches: &[ZBatch]) -> Vec<Vec<Found>> {
        let rows = batches.iter().map(ZBatch::len).sum::<usize>();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(rows / PART).max(1);
        let find = |batches: &[ZBatch]| batches.iter().map(|batch| self.find(batch)).collect::<Vec<_>>();
        let (find, (own, others)) = (&find, batches.split_at(batches.len().div_ceil(threads)));
        std::thread::scope(|scope| {
            let others = others.chunks(own.len().max(1)).map(|part| scope.spawn(move || find(part)));
            let others = others.collect::<Vec<_>>();
            let mut found = find(own);
            for part in others {
                found.append(&mut part.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            found
        })
    }

    /// The rows of a batch of which some are to go.
    fn find(&self, batch: &ZBatch) -> Vec<Found> {
        let hashes = hash_columns(batch.columns(), batch.len());
        let (mut at, mut retracted) = (Vec::new(), Vec::new());
        for (hash, row) in in_bucket_order(&hashes, self.by_hash.len()) {
            for entry in self.by_hash.iter_hash(hash).filter(|entry| entry.0 == hash) {
                at.push(row);
                retracted.push(entry.1);
            }
        }
        let equal = equal_pairs(self.rows.columns(), &retracted, batch.columns(), &at);
        let found = at.into_iter().zip(retracted).zip(equal).filter(|(_, equal)| *equal);
        found.map(|((row, retracted), _)| Found { row, retracted }).collect()
    }
}

/// What to do about a hash that occurs twice.
#[derive(Clone, Copy, PartialEq)]
enum Repeated {
    Taken,
    Refused,
}

/// The positions of rows by their hashes; `None` at the first hash that is refused.
fn positions_by_hash(rows: &ZBatch, repeated: Repeated) -> Option<HashTable<(u64, u32)>> {
    let hashes = hash_columns(rows.columns(), rows.len());
    let mut by_hash = HashTable::with_capacity(rows.len());
    for (hash, row) in in_bucket_order(&hashes, rows.len()) {
        let is_same = |entry: &(u64, u32)| entry.0 == hash;
        if repeated == Repeated::Refused && by_hash.find(hash, is_same).is_some() {
            return None;
        }
        by_hash.insert_unique(hash, (hash, row), |entry| entry.0);
    }
    Some(by_hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
    use arrow::datatypes::Float64Type;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// Numbers, texts and weights.
    type Rows = Vec<(Option<f64>, Option<&'static str>, i64)>;

    fn batch(rows: &Rows) -> ZBatch {
        let numbers: ArrayRef = Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.0)));
        let texts: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1)));
        let batch = RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]);
        ZBatch::new(batch.unwrap(), Int64Array::from_iter_values(rows.iter().map(|row| row.2)))
    }

    /// The weights of the rows, by what SQL tells apart.
    fn weights<'a>(batches: impl IntoIterator<Item = &'a ZBatch>) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for batch in batches {
            let (numbers, texts) = (batch.columns()[0].as_primitive::<Float64Type>(), &batch.columns()[1]);
            for (row, (number, text)) in numbers.iter().zip(texts.as_string::<i32>()).enumerate() {
                let number = number.map(|number| if number.is_nan() { f64::NAN } else { number + 0.0 });
                *sums.entry(format!("{number:?} {text:?}")).or_default() += batch.weights().value(row);
            }
        }
        sums
    }

    fn positive(mut weights: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        weights.retain(|_, weight| *weight > 0);
        weights
    }

    #[test]
    fn retracts_what_is_equal_in_sql() {
        let snapshot = batch(&vec![
            (Some(0.0), Some("a"), 1),
            (Some(f64::NAN), Some("a"), 2),
            (None, None, 1),
            (Some(1.0), Some("a"), 1),
        ]);
        let delta =
            batch(&vec![(Some(-0.0), Some("a"), -1), (Some(-f64::NAN), Some("a"), -1), (None, None, -1)]);
        let found = overlay(vec![snapshot.clone()], &[delta]);
        assert_eq!(
            weights(&found),
            weights([&batch(&vec![(Some(f64::NAN), Some("a"), 1), (Some(1.0), Some("a"), 1)])])
        );
        assert!(overlay(vec![snapshot.clone()], &[snapshot.negate()]).is_empty());
        assert_eq!(overlay(vec![snapshot.clone()], &[]).len(), 1);
    }

    #[test]
    fn is_the_sum_of_weights() {
        let mut random = fastrand::Rng::with_seed(3);
        let numbers = [None, Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), Some(1.5)];
        let texts = [None, Some(""), Some("a"), Some("b")];
        for _ in 0..300 {
            let mut rows = |count: usize, weights: std::ops::RangeInclusive<i64>| -> Rows {
                let row =
                    |_| (numbers[random.usize(..6)], texts[random.usize(..4)], random.i64(weights.clone()));
                (0..count).map(row).collect()
            };
            let snapshot = [batch(&rows(12, 1..=3)), batch(&rows(0, 1..=1)), batch(&rows(7, 1..=1))];
            let deltas = [batch(&rows(9, -2..=2)), batch(&rows(6, -3..=1))];
            let found = overlay(snapshot.to_vec(), &deltas);
            assert!(found.iter().all(ZBatch::is_insert_only));
            assert_eq!(weights(&found), positive(weights(snapshot.iter().chain(&deltas))));
        }
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let row = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
        let found = overlay(vec![ZBatch::new(row.clone(), vec![3].into())], &[ZBatch::deletes(row)]);
        assert_eq!(found.iter().map(|batch| batch.weights().value(0)).collect::<Vec<_>>(), [2]);
    }
}

//! The right side of an ASOF JOIN, by key and sorted by time, so that the nearest row is found by a binary search.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take_record_batch;
use arrow::row::{Row, Rows};
use datafusion::common::Result;
use datafusion::logical_expr::Operator;

use super::order::RowOrder;

/// The keys and times of rows, in a form that compares.
pub(super) struct Points {
    keys: Rows,
    times: Rows,
    /// Rows with a NULL among them, which match nothing.
    nulls: Option<NullBuffer>,
}

/// How keys and times compare.
pub(super) struct PointOrder {
    keys: RowOrder,
    times: RowOrder,
}

impl PointOrder {
    /// For columns of these types.
    fn new(keys: &[ArrayRef], time: &ArrayRef) -> Result<PointOrder> {
        let keys = RowOrder::new(keys.iter().map(|key| key.data_type()))?;
        Ok(PointOrder { keys, times: RowOrder::new([time.data_type()].into_iter())? })
    }

    /// The points of rows with these keys and this time.
    pub(super) fn points(&self, keys: &[ArrayRef], time: &ArrayRef) -> Result<Points> {
        let nulls = keys.iter().chain([time]).map(|column| column.logical_nulls());
        let nulls = nulls.reduce(|one, other| NullBuffer::union(one.as_ref(), other.as_ref())).flatten();
        Ok(Points { keys: self.keys.rows(keys)?, times: self.times.rows(std::slice::from_ref(time))?, nulls })
    }
}

impl Points {
    fn len(&self) -> usize {
        self.times.num_rows()
    }

    /// The key and the time of a row, unless there is a NULL among them.
    fn get(&self, row: usize) -> Option<(Row<'_>, Row<'_>)> {
        let is_null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        (!is_null).then(|| (self.keys.row(row), self.times.row(row)))
    }
}

/// A row, with the beginning of its time: most comparisons need no more, and then stay in one place in memory.
#[derive(Clone, Copy)]
struct Candidate {
    begins: u128,
    row: u32,
}

/// The first bytes of a time as a number of the same order. The byte before tells only NULL from others, and the empty
/// text, which is all zeros here, from others.
fn beginning(time: Row<'_>) -> u128 {
    let bytes = time.as_ref().get(1..).unwrap_or_default();
    let mut word = [0; 16];
    let length = bytes.len().min(word.len());
    word[..length].copy_from_slice(&bytes[..length]);
    u128::from_be_bytes(word)
}

/// See the module.
pub(super) struct Candidates {
    /// How the points of both sides compare.
    pub(super) order: PointOrder,
    /// The rows.
    pub(super) rows: RecordBatch,
    times: Rows,
    /// Those of a key stand together, ascending in time, one for each.
    sorted: Vec<Candidate>,
    by_key: HashMap<Box<[u8]>, Range<usize>>,
}

impl Candidates {
    /// Sorts rows with these keys and times. O(n log n).
    pub(super) fn new(rows: RecordBatch, keys: &[ArrayRef], time: &ArrayRef) -> Result<Candidates> {
        let order = PointOrder::new(keys, time)?;
        let points = order.points(keys, time)?;
        let mut groups = HashMap::<Box<[u8]>, Vec<Candidate>>::new();
        for row in 0..points.len() {
            let Some((key, time)) = points.get(row) else { continue };
            let candidate = Candidate { begins: beginning(time), row: row as u32 };
            if let Some(group) = groups.get_mut(key.as_ref()) {
                group.push(candidate);
            } else {
                groups.insert(key.as_ref().into(), vec![candidate]);
            }
        }
        let (mut sorted, mut by_key) =
            (Vec::with_capacity(points.len()), HashMap::with_capacity(groups.len()));
        for (key, mut group) in groups {
            group.sort_unstable_by(|one, other| compare(&points.times, *one, *other));
            let start = sorted.len();
            sorted.append(&mut group);
            by_key.insert(key, start..sorted.len());
        }
        let mut candidates = Candidates { order, rows, times: points.times, sorted, by_key };
        candidates.keep_last_of_ties()?;
        Ok(candidates)
    }

    /// For each row of the left side, the nearest of those with its key for which `left op right` holds.
    /// O(log n) for each.
    pub(super) fn nearest(&self, left: &Points, op: Operator) -> Vec<Option<u32>> {
        (0..left.len()).map(|row| self.nearest_to(left.get(row)?, op)).collect()
    }

    fn nearest_to(&self, (key, time): (Row<'_>, Row<'_>), op: Operator) -> Option<u32> {
        let group = &self.sorted[self.by_key.get(key.as_ref())?.clone()];
        let begins = beginning(time);
        let until = |reached: fn(Ordering) -> bool| {
            group.partition_point(|candidate| {
                let full = || self.times.row(candidate.row as usize).cmp(&time);
                reached(candidate.begins.cmp(&begins).then_with(full))
            })
        };
        let position = match op {
            Operator::GtEq => until(Ordering::is_le).checked_sub(1)?,
            Operator::Gt => until(Ordering::is_lt).checked_sub(1)?,
            Operator::LtEq => until(Ordering::is_lt),
            _ => until(Ordering::is_le),
        };
        group.get(position).map(|found| found.row)
    }

    /// Leaves of each key and time the row that is last in the order of all columns.
    fn keep_last_of_ties(&mut self) -> Result<()> {
        let times = &self.times;
        let ties = |range: &Range<usize>| {
            let group = &self.sorted[range.clone()];
            group.chunk_by(|one, other| compare(times, *one, *other).is_eq())
        };
        let tied = self.by_key.values().flat_map(ties).filter(|tie| tie.len() > 1).flatten();
        let tied = tied.map(|candidate| candidate.row).collect::<Vec<_>>();
        if tied.is_empty() {
            return Ok(());
        }
        let ranks = ranks(&self.rows, &tied)?;
        let rank = |candidate: &&Candidate| ranks.get(&candidate.row).copied();
        let mut kept = Vec::with_capacity(self.sorted.len());
        let mut by_key = self.by_key.clone();
        for range in by_key.values_mut() {
            let start = kept.len();
            kept.extend(ties(range).filter_map(|tie| tie.iter().max_by_key(rank)));
            *range = start..kept.len();
        }
        (self.sorted, self.by_key) = (kept, by_key);
        Ok(())
    }
}

fn compare(times: &Rows, one: Candidate, other: Candidate) -> Ordering {
    let full = || times.row(one.row as usize).cmp(&times.row(other.row as usize));
    one.begins.cmp(&other.begins).then_with(full)
}

/// The place of each of some rows in the order of all columns.
fn ranks(rows: &RecordBatch, some: &[u32]) -> Result<HashMap<u32, usize>> {
    let compared = take_record_batch(rows, &UInt32Array::from(some.to_vec()))?;
    let order = RowOrder::new(compared.schema().fields().iter().map(|field| field.data_type()))?;
    let compared = order.rows(compared.columns())?;
    let mut sorted = (0..some.len()).collect::<Vec<_>>();
    sorted.sort_unstable_by(|one, other| compared.row(*one).cmp(&compared.row(*other)));
    Ok(sorted.into_iter().enumerate().map(|(rank, position)| (some[position], rank)).collect())
}

//! The right side of an ASOF JOIN, sorted so that the nearest row of a key and a time is found by a binary search.

use std::cmp::Ordering;

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
#[derive(Debug)]
pub(super) struct PointOrder {
    keys: RowOrder,
    times: RowOrder,
}

impl PointOrder {
    /// For columns of these types.
    pub(super) fn new(keys: &[ArrayRef], time: &ArrayRef) -> Result<PointOrder> {
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
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.times.num_rows()
    }

    /// The key and the time of a row, unless there is a NULL among them.
    fn get(&self, row: usize) -> Option<(Row<'_>, Row<'_>)> {
        let is_null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        (!is_null).then(|| self.at(row))
    }

    fn at(&self, row: usize) -> (Row<'_>, Row<'_>) {
        (self.keys.row(row), self.times.row(row))
    }
}

/// See the module.
pub(super) struct Candidates {
    /// How the points of both sides compare.
    pub(super) order: PointOrder,
    /// The rows.
    pub(super) rows: RecordBatch,
    points: Points,
    /// One row for each key and time, in ascending order.
    sorted: Vec<u32>,
}

impl Candidates {
    /// Sorts rows with these keys and times. O(n log n).
    pub(super) fn new(rows: RecordBatch, keys: &[ArrayRef], time: &ArrayRef) -> Result<Candidates> {
        let order = PointOrder::new(keys, time)?;
        let points = order.points(keys, time)?;
        let mut sorted = (0..points.len() as u32).collect::<Vec<_>>();
        sorted.retain(|row| points.get(*row as usize).is_some());
        sorted.sort_unstable_by(|one, other| points.at(*one as usize).cmp(&points.at(*other as usize)));
        let sorted = last_of_ties(&rows, &points, &sorted)?;
        Ok(Candidates { order, rows, points, sorted })
    }

    /// For each row of the left side, the nearest of those with its key for which `left op right` holds.
    pub(super) fn nearest(&self, left: &Points, op: Operator) -> Vec<Option<u32>> {
        (0..left.len()).map(|row| self.nearest_to(left.get(row)?, op)).collect()
    }

    fn nearest_to(&self, point: (Row<'_>, Row<'_>), op: Operator) -> Option<u32> {
        let until = |reached: fn(Ordering) -> bool| {
            self.sorted.partition_point(|row| reached(self.points.at(*row as usize).cmp(&point)))
        };
        let position = match op {
            Operator::GtEq => until(Ordering::is_le).checked_sub(1)?,
            Operator::Gt => until(Ordering::is_lt).checked_sub(1)?,
            Operator::LtEq => until(Ordering::is_lt),
            _ => until(Ordering::is_le),
        };
        let found = *self.sorted.get(position)?;
        (self.points.keys.row(found as usize) == point.0).then_some(found)
    }
}

/// Of sorted rows, for each key and time the one that is last in the order of all columns.
fn last_of_ties(rows: &RecordBatch, points: &Points, sorted: &[u32]) -> Result<Vec<u32>> {
    let is_tie = |one: &u32, other: &u32| points.at(*one as usize) == points.at(*other as usize);
    let groups = || sorted.chunk_by(is_tie);
    let tied = groups().filter(|group| group.len() > 1).flatten().copied().collect::<Vec<_>>();
    if tied.is_empty() {
        return Ok(sorted.to_vec());
    }
    let compared = take_record_batch(rows, &UInt32Array::from(tied))?;
    let order = RowOrder::new(compared.schema().fields().iter().map(|field| field.data_type()))?;
    let compared = order.rows(compared.columns())?;
    let mut seen = 0;
    let last = groups().map(|group| match group {
        [single] => *single,
        group => {
            let first = seen;
            seen += group.len();
            let best = (first..seen).max_by(|one, other| compared.row(*one).cmp(&compared.row(*other)));
            group[best.map_or(0, |best| best - first)]
        }
    });
    Ok(last.collect())
}

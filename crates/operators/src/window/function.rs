//! Window functions over the rows of many partitions at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array, UInt64Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::Field;
use arrow::record_batch::RecordBatch;
use datafusion::physical_expr::window::WindowExpr;
use springtide_plan::{Bound, Frame, Ranking, WindowFunction, arrow_error, sql_error};
use springtide_types::{Result, SqlError};

use super::extremes::extremes;
use super::peers::Peers;
use super::scope::{Part, Scope};
use super::sums::sums;

/// The results of some functions for the wanted rows of a scope.
#[derive(Default)]
pub(super) struct Results {
    pub(super) columns: Vec<ArrayRef>,
    /// By place among the wanted rows: the errors of rows without a result.
    pub(super) failed_rows: BTreeMap<usize, SqlError>,
    /// By place among the parts: the errors that stand for all rows of a partition.
    pub(super) failed_parts: BTreeMap<usize, SqlError>,
}

impl Results {
    /// Adds the column of one function, given the rows that are read. O(rows), save for functions that DataFusion evaluates.
    pub(super) fn add(
        &mut self,
        function: &WindowFunction,
        output: &Field,
        scope: &Scope,
        rows: &RecordBatch,
        peers: &Peers,
    ) -> Result<()> {
        let column = match function {
            WindowFunction::Rank(ranking) => Arc::new(ranks(*ranking, scope, peers)),
            WindowFunction::Shift { column, before } => {
                let shifted = |part: &Part, row: usize| {
                    let at = row as i64 - before;
                    let is_there = part.read.start as i64 <= at && at < part.read.end as i64;
                    is_there.then_some(at as u32)
                };
                values(rows, *column, scope, shifted)?
            }
            WindowFunction::First(column, frame) => {
                let first = |frame: Range<usize>| (!frame.is_empty()).then_some(frame.start as u32);
                values(rows, *column, scope, |part, row| first(bounds(*frame, part, row, peers)))?
            }
            WindowFunction::Last(column, frame) => {
                let last = |frame: Range<usize>| (!frame.is_empty()).then(|| frame.end as u32 - 1);
                values(rows, *column, scope, |part, row| last(bounds(*frame, part, row, peers)))?
            }
            WindowFunction::Count(column, frame) => {
                let values = column.map(|column| rows.column(column));
                Arc::new(counts(values, &frames(*frame, scope, peers)))
            }
            WindowFunction::Sum(column, frame) => {
                let frames = frames(*frame, scope, peers);
                let evaluation = sums(rows.column(*column), &frames, output.data_type());
                for (row, error) in evaluation.errors {
                    self.failed_rows.entry(row).or_insert(error);
                }
                evaluation.column
            }
            WindowFunction::Extreme { column, greatest, frame } => {
                let places = extremes(rows.column(*column), *greatest, *frame, scope, peers)?;
                take(rows.column(*column), &places, None).map_err(|error| arrow_error(&error))?
            }
            WindowFunction::Other(function) => self.by_partition(function.as_ref(), output, scope, rows)?,
        };
        self.columns.push(column);
        Ok(())
    }

    fn by_partition(
        &mut self,
        function: &dyn WindowExpr,
        output: &Field,
        scope: &Scope,
        rows: &RecordBatch,
    ) -> Result<ArrayRef> {
        let mut columns = vec![new_null_array(output.data_type(), 0)];
        for (place, part) in scope.parts().iter().enumerate() {
            debug_assert_eq!(part.read, part.wanted, "a function of which it isn't known how far it looks");
            match function.evaluate(&rows.slice(part.read.start, part.read.len())) {
                Ok(column) => columns.push(column),
                Err(error) => {
                    self.failed_parts.entry(place).or_insert_with(|| sql_error(&error));
                    columns.push(new_null_array(output.data_type(), part.read.len()));
                }
            }
        }
        let columns = columns.iter().map(|column| column.as_ref()).collect::<Vec<_>>();
        concat(&columns).map_err(|error| arrow_error(&error))
    }
}

/// The column at the row that `at` names for each wanted one.
fn values(
    rows: &RecordBatch,
    column: usize,
    scope: &Scope,
    at: impl Fn(&Part, usize) -> Option<u32>,
) -> Result<ArrayRef> {
    let at = &at;
    let places = scope.parts().iter().flat_map(|part| part.wanted.clone().map(move |row| at(part, row)));
    take(rows.column(column), &places.collect::<UInt32Array>(), None).map_err(|error| arrow_error(&error))
}

/// The frame of each wanted row.
fn frames(frame: Frame, scope: &Scope, peers: &Peers) -> Vec<Range<usize>> {
    let of_part = |part| move |row| bounds(frame, part, row, peers);
    scope.parts().iter().flat_map(|part| part.wanted.clone().map(of_part(part))).collect()
}

pub(super) fn bounds(frame: Frame, part: &Part, row: usize, peers: &Peers) -> Range<usize> {
    let within = |place: i64| place.clamp(part.read.start as i64, part.read.end as i64) as usize;
    let start = match frame.start {
        Bound::Partition => part.read.start,
        Bound::Peers => peers.of(row).start,
        Bound::Rows(offset) => within(row as i64 + offset),
    };
    let end = match frame.end {
        Bound::Partition => part.read.end,
        Bound::Peers => peers.of(row).end,
        Bound::Rows(offset) => within(row as i64 + offset + 1),
    };
    start..end.max(start)
}

fn ranks(ranking: Ranking, scope: &Scope, peers: &Peers) -> UInt64Array {
    let mut ranks = Vec::new();
    for part in scope.parts() {
        match ranking {
            Ranking::RowNumber => ranks.extend(part.wanted.clone().map(|row| row - part.read.start + 1)),
            Ranking::Rank => {
                ranks.extend(part.wanted.clone().map(|row| peers.of(row).start - part.read.start + 1));
            }
            Ranking::DenseRank => {
                let mut groups = 0;
                for row in part.read.start..part.wanted.end {
                    groups += usize::from(peers.of(row).start == row);
                    if row >= part.wanted.start {
                        ranks.push(groups);
                    }
                }
            }
        }
    }
    ranks.into_iter().map(|rank| rank as u64).collect()
}

/// How many rows of each frame are not NULL.
fn counts(values: Option<&ArrayRef>, frames: &[Range<usize>]) -> Int64Array {
    let nulls = values.and_then(|values| values.logical_nulls());
    let nulls = nulls.map(|nulls| running(nulls.iter().map(|valid| i64::from(!valid))));
    let count = |frame: &Range<usize>| {
        let nulls = nulls.as_ref().map_or(0, |nulls| nulls[frame.end] - nulls[frame.start]);
        frame.len() as i64 - nulls
    };
    frames.iter().map(count).collect()
}

/// The sums of all before each value, and of all.
pub(super) fn running<T: Copy + Default + std::ops::Add<Output = T>>(
    values: impl Iterator<Item = T>,
) -> Vec<T> {
    let mut sums = vec![T::default()];
    let mut sum = T::default();
    sums.extend(values.map(|value| {
        sum = sum + value;
        sum
    }));
    sums
}

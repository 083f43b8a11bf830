//! What all aggregates have in common.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema};
use springtide_plan::{Aggregate, AggregateFunction};
use springtide_types::{SqlError, ZBatch};

use super::{count, distinct, extremum, sum};

/// One aggregate of every group. Groups are slots, small numbers that are used again.
pub(super) trait Accumulator: Send {
    /// Makes room for groups below `groups`.
    fn resize(&mut self, groups: usize);

    /// Adds each value, none of them NULL, `weight` times to its group.
    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]);

    /// The results of these groups, in this order.
    fn evaluate(&self, groups: &[u32]) -> Evaluation;

    /// Forgets what is kept for a group that has become empty.
    fn clear(&mut self, _group: u32) {}

    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// Results of some groups.
pub(super) struct Evaluation {
    pub(super) column: ArrayRef,
    /// Positions whose result cannot be represented; the column holds NULL there.
    pub(super) errors: Vec<(usize, SqlError)>,
}

impl Evaluation {
    pub(super) fn of(column: ArrayRef) -> Evaluation {
        Evaluation { column, errors: Vec::new() }
    }
}

/// An accumulator and which rows go into it.
pub(super) struct Input {
    accumulator: Box<dyn Accumulator>,
    /// NULLs of this column do not count; `count(*)` counts the rows of any column.
    argument: Option<usize>,
    filter: Option<usize>,
}

impl Input {
    /// The accumulator for an aggregate over rows of this schema.
    pub(super) fn new(aggregate: &Aggregate, input: &Schema, append_only: bool) -> Result<Input, SqlError> {
        let argument = aggregate.argument.map(|column| input.field(column).data_type());
        let accumulator = create(aggregate, argument, append_only)?;
        Ok(Input { accumulator, argument: aggregate.argument, filter: aggregate.filter })
    }

    pub(super) fn accumulator(&self) -> &dyn Accumulator {
        self.accumulator.as_ref()
    }

    pub(super) fn accumulator_mut(&mut self) -> &mut dyn Accumulator {
        self.accumulator.as_mut()
    }

    /// Adds the rows of a delta that pass the filter and whose argument is not NULL.
    pub(super) fn update(&mut self, groups: &[u32], delta: &ZBatch, group_column: &ArrayRef) {
        let values = self.argument.map_or(group_column, |column| &delta.columns()[column]);
        let weights = delta.weights().values();
        let filter = self.filter.map(|column| delta.columns()[column].as_boolean());
        if filter.is_none() && values.logical_null_count() == 0 {
            self.accumulator.update(groups, values, weights);
            return;
        }
        let nulls = values.logical_nulls();
        let counts = |row: &u32| {
            let row = *row as usize;
            nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
                && filter.is_none_or(|mask| is_true(mask, row))
        };
        let rows = (0..delta.len() as u32).filter(counts).collect::<Vec<_>>();
        let groups = rows.iter().map(|row| groups[*row as usize]).collect::<Vec<_>>();
        let weights = rows.iter().map(|row| weights[*row as usize]).collect::<Vec<_>>();
        let values = take(values, &UInt32Array::from(rows), None).expect("rows are in bounds");
        self.accumulator.update(&groups, &values, &weights);
    }
}

fn is_true(mask: &BooleanArray, row: usize) -> bool {
    mask.is_valid(row) && mask.value(row)
}

fn create(
    aggregate: &Aggregate,
    argument: Option<&DataType>,
    append_only: bool,
) -> Result<Box<dyn Accumulator>, SqlError> {
    let inner: Box<dyn Accumulator> = match (aggregate.function, argument) {
        (AggregateFunction::Count, _) => Box::new(count::Count::default()),
        (AggregateFunction::Sum, Some(argument)) => sum::create(argument, &aggregate.output)?,
        (AggregateFunction::Min | AggregateFunction::Max, Some(argument)) => {
            let greatest = aggregate.function == AggregateFunction::Max;
            return extremum::create(argument, greatest, append_only);
        }
        (function, None) => return Err(SqlError::internal(format!("{function} without an argument"))),
    };
    match argument {
        Some(argument) if aggregate.distinct => Ok(Box::new(distinct::Distinct::new(inner, argument))),
        _ => Ok(inner),
    }
}

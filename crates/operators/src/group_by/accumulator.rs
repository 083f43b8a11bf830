//! What all aggregates have in common.

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use springtide_plan::{Aggregate, AggregateFunction};
use springtide_types::SqlError;

use super::collected::Collected;
use super::{count, extremum, sum};

/// One aggregate of every group. Groups are slots, small numbers that are used again.
pub(super) trait Accumulator: Send {
    /// Makes room for groups below `groups`.
    fn resize(&mut self, groups: usize);

    /// Adds each value, none of them NULL, `weight` times to its group.
    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]);

    /// The results of these groups, in this order.
    fn evaluate(&self, groups: &[u32]) -> Evaluation;

    /// What is kept for these groups, as columns with one row for each.
    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef>;

    /// Takes over what was frozen, of these groups, for which there is room and nothing else yet: the next of `columns`.
    fn restore(
        &mut self,
        groups: &[u32],
        columns: &mut dyn Iterator<Item = ArrayRef>,
    ) -> Result<(), SqlError>;

    /// Forgets what is kept for a group that has become empty.
    fn clear(&mut self, _group: u32) {}

    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// Results of some groups.
pub(crate) struct Evaluation {
    pub(crate) column: ArrayRef,
    /// Positions whose result cannot be represented; the column holds NULL there.
    pub(crate) errors: Vec<(usize, SqlError)>,
}

impl Evaluation {
    pub(super) fn of(column: ArrayRef) -> Evaluation {
        Evaluation { column, errors: Vec::new() }
    }
}

/// The accumulator of an aggregate over rows of this schema. One over distinct values is given each once.
pub(super) fn create(
    aggregate: &Aggregate,
    input: &Schema,
    append_only: bool,
) -> Result<Box<dyn Accumulator>, SqlError> {
    if let Some(columns) = aggregate.kept_columns() {
        return Ok(Box::new(Collected::new(aggregate, &columns, input)));
    }
    let argument = aggregate.argument.map(|column| input.field(column).data_type());
    Ok(match (&aggregate.function, argument) {
        (AggregateFunction::Count, _) => Box::new(count::Count::default()),
        (AggregateFunction::Sum, Some(argument)) => sum::create(argument, &aggregate.output)?,
        (AggregateFunction::Min | AggregateFunction::Max, Some(argument)) => {
            let greatest = aggregate.function == AggregateFunction::Max;
            extremum::create(argument, greatest, append_only)?
        }
        (function, _) => return Err(SqlError::internal(format!("{function} without an argument"))),
    })
}

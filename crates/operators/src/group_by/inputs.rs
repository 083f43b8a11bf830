//! Which rows of a delta go into which accumulator.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::{Fields, Schema};
use springtide_plan::Aggregate;
use springtide_state::Frozen;
use springtide_types::{SqlError, ZBatch};

use super::accumulator::{Accumulator, create};
use super::distinct::DistinctValues;

/// The accumulators of all aggregates, and what feeds them.
pub(super) struct Inputs {
    accumulators: Vec<Box<dyn Accumulator>>,
    plain: Vec<Plain>,
    distinct: Vec<DistinctValues>,
}

/// The rows of an aggregate over all values.
struct Plain {
    aggregate: usize,
    values: Values,
    filter: Option<usize>,
}

/// What an accumulator gets of a row.
enum Values {
    /// Anything that is not NULL, for `count(*)`.
    Any,
    /// A column, if it is not NULL.
    Column(usize),
    /// Several columns together, whatever they are.
    Together(Vec<usize>),
}

impl Inputs {
    /// The accumulators for aggregates over rows of this schema.
    pub(super) fn new(
        aggregates: &[Aggregate],
        input: &Schema,
        append_only: bool,
    ) -> Result<Inputs, SqlError> {
        let mut inputs = Inputs { accumulators: Vec::new(), plain: Vec::new(), distinct: Vec::new() };
        for (position, aggregate) in aggregates.iter().enumerate() {
            inputs.accumulators.push(create(aggregate, input, append_only)?);
            if let Some(columns) = aggregate.kept_columns() {
                let values = Values::Together(columns);
                inputs.plain.push(Plain { aggregate: position, values, filter: aggregate.filter });
                continue;
            }
            match aggregate.argument.filter(|_| aggregate.distinct) {
                Some(column) => {
                    let values = inputs.distinct_values(column, input);
                    values.add_member(position, aggregate.filter);
                }
                None => {
                    let values = aggregate.argument.map_or(Values::Any, Values::Column);
                    inputs.plain.push(Plain { aggregate: position, values, filter: aggregate.filter });
                }
            }
        }
        Ok(inputs)
    }

    /// No aggregates.
    pub(super) fn none() -> Inputs {
        Inputs { accumulators: Vec::new(), plain: Vec::new(), distinct: Vec::new() }
    }

    fn distinct_values(&mut self, column: usize, input: &Schema) -> &mut DistinctValues {
        let known = self.distinct.iter().position(|values| values.argument() == column);
        let position = known.unwrap_or_else(|| {
            self.distinct.push(DistinctValues::new(column, input.field(column).data_type()));
            self.distinct.len() - 1
        });
        &mut self.distinct[position]
    }

    /// One accumulator per aggregate.
    pub(super) fn accumulators(&self) -> &[Box<dyn Accumulator>] {
        &self.accumulators
    }

    /// See [`Inputs::accumulators`].
    pub(super) fn accumulators_mut(&mut self) -> &mut [Box<dyn Accumulator>] {
        &mut self.accumulators
    }

    /// Adds the rows of a delta.
    pub(super) fn update(&mut self, groups: &[u32], delta: &ZBatch, group_column: &ArrayRef) {
        for plain in &self.plain {
            plain.update(groups, delta, group_column, self.accumulators[plain.aggregate].as_mut());
        }
        for values in &mut self.distinct {
            values.update(groups, delta, &mut self.accumulators);
        }
    }

    /// Adds a section for each argument whose distinct values are kept. `groups` are those that are in use, ascending.
    pub(super) fn freeze_distinct(&self, groups: &[u32], state: &mut Frozen) {
        self.distinct.iter().for_each(|values| state.push(values.freeze(groups)));
    }

    /// Takes those sections over; the groups have their new numbers by now, in the same order.
    pub(super) fn restore_distinct(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.distinct.iter_mut().try_for_each(|values| values.restore(&state.next_section()))
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let accumulators = self.accumulators.iter().map(|accumulator| accumulator.bytes()).sum::<usize>();
        accumulators + self.distinct.iter().map(DistinctValues::bytes).sum::<usize>()
    }
}

impl Plain {
    /// Adds the rows that pass the filter and whose argument is not NULL.
    fn update(
        &self,
        groups: &[u32],
        delta: &ZBatch,
        group_column: &ArrayRef,
        accumulator: &mut dyn Accumulator,
    ) {
        let together;
        let values = match &self.values {
            Values::Any => group_column,
            Values::Column(column) => delta.column(*column),
            Values::Together(columns) => {
                together = struct_of(delta, columns);
                &together
            }
        };
        let weights = delta.weights().values();
        let passing = self.filter.map(|column| passing(delta.column(column)));
        let nulls = values.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let counting = match (passing, nulls) {
            (None, None) => return accumulator.update(groups, values, weights),
            (Some(passing), None) => passing,
            (None, Some(nulls)) => nulls.into_inner(),
            (Some(passing), Some(nulls)) => &passing & nulls.inner(),
        };
        let rows = counting.set_indices().map(|row| row as u32).collect::<Vec<_>>();
        let groups = rows.iter().map(|row| groups[*row as usize]).collect::<Vec<_>>();
        let weights = rows.iter().map(|row| weights[*row as usize]).collect::<Vec<_>>();
        let values = take(values, &UInt32Array::from(rows), None).expect("rows are in bounds");
        accumulator.update(&groups, &values, &weights);
    }
}

fn struct_of(delta: &ZBatch, columns: &[usize]) -> ArrayRef {
    let schema = delta.schema();
    let fields = columns.iter().map(|column| schema.field(*column).clone()).collect::<Fields>();
    let values = columns.iter().map(|column| delta.column(*column).clone()).collect();
    Arc::new(StructArray::new(fields, values, None))
}

/// The rows for which a filter, a column of booleans, is true.
pub(super) fn passing(filter: &ArrayRef) -> BooleanBuffer {
    let filter = filter.as_boolean();
    match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    }
}

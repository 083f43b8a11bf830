use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use springtide_plan::{Unnest, UnnestColumn};
use springtide_types::{SqlError, ZBatch};

use crate::{Input, Operator, Output, Status};

/// μ: for each row as many as the longest of its arrays has elements, each with one element of every array. Linear, so
/// stateless.
///
/// Δ(μ(R)) = μ(ΔR). Cost: O(elements) per changed row.
#[derive(Debug)]
pub struct UnnestOperator {
    columns: Vec<UnnestColumn>,
    keeps_empty: bool,
    schema: SchemaRef,
}

impl UnnestOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Unnest) -> UnnestOperator {
        UnnestOperator {
            columns: plan.columns.clone(),
            keeps_empty: plan.keeps_empty,
            schema: plan.schema.clone(),
        }
    }

    /// How many rows come of each.
    fn counts(&self, delta: &ZBatch) -> Vec<usize> {
        let arrays = self.columns.iter().filter_map(|column| match column {
            UnnestColumn::Elements(column) => Some(delta.column(*column).as_list::<i32>()),
            UnnestColumn::Same(_) => None,
        });
        let mut counts = vec![usize::from(self.keeps_empty); delta.len()];
        for lists in arrays {
            for (row, count) in counts.iter_mut().enumerate() {
                *count = (*count).max(length(lists, row));
            }
        }
        counts
    }

    fn unnested(&self, delta: &ZBatch) -> Result<ZBatch, SqlError> {
        let counts = self.counts(delta);
        let repeated =
            counts.iter().enumerate().flat_map(|(row, count)| std::iter::repeat_n(row as u32, *count));
        let repeated = repeated.collect::<UInt32Array>();
        let columns = self.columns.iter().map(|column| match column {
            UnnestColumn::Same(column) => taken(delta.column(*column), &repeated),
            UnnestColumn::Elements(column) => {
                let lists = delta.column(*column).as_list::<i32>();
                taken(lists.values(), &positions(lists, &counts))
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(repeated.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        let weights = repeated.values().iter().map(|row| delta.weights().value(*row as usize));
        Ok(ZBatch::new(rows, weights.collect::<Int64Array>()))
    }
}

fn length(lists: &ListArray, row: usize) -> usize {
    if lists.is_null(row) { 0 } else { lists.value_length(row) as usize }
}

/// The elements of each row, followed by NULLs up to its count.
fn positions(lists: &ListArray, counts: &[usize]) -> UInt32Array {
    let of_row = |(row, count): (usize, &usize)| {
        let (start, length) = (lists.value_offsets()[row] as u32, length(lists, row));
        (0..*count).map(move |at| (at < length).then_some(start + at as u32))
    };
    counts.iter().enumerate().flat_map(of_row).collect()
}

fn taken(values: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef, SqlError> {
    take(values, rows, None).map_err(|error| SqlError::internal(error.to_string()))
}

impl Operator for UnnestOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Input::Delta(_, delta) = input
            && !delta.is_empty()
        {
            output.push(self.unnested(&delta)?);
        }
        Ok(Status::Done)
    }
}

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use springtide_types::{Result, Rows, SqlError, SqlState, ZBatch};

/// The version of what operators freeze. It goes up when one of them keeps something else, or in another order.
pub const FROZEN_VERSION: u32 = 1;

/// What an operator keeps between two epochs, as Arrow batches: sections that whoever froze them takes out again in
/// the same order, each of batches of one schema. Buffers are shared with the live state where rows lie as they are.
#[derive(Clone, Debug, Default)]
pub struct Frozen(VecDeque<Vec<Rows>>);

impl Frozen {
    /// State with these sections.
    pub fn new<R: Into<Rows>>(sections: impl IntoIterator<Item = Vec<R>>) -> Frozen {
        let mut frozen = Frozen::default();
        sections.into_iter().for_each(|section| frozen.push(section));
        frozen
    }

    /// Adds a section.
    pub fn push<R: Into<Rows>>(&mut self, section: Vec<R>) {
        self.0.push_back(section.into_iter().map(Into::into).collect());
    }

    /// Adds the sections of another part of the state.
    pub fn append(&mut self, mut other: Frozen) {
        self.0.append(&mut other.0);
    }

    /// Takes out the next section; no batches if there is none.
    pub fn next_section(&mut self) -> Vec<RecordBatch> {
        let section = self.0.pop_front().unwrap_or_default();
        section.iter().map(|rows| rows.batch().clone()).collect()
    }

    /// All sections that are left.
    pub fn sections(&self) -> impl Iterator<Item = &[Rows]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Rows of all sections.
    pub fn rows(&self) -> usize {
        self.0.iter().flatten().map(Rows::len).sum()
    }
}

/// A batch of columns that are told apart by their place.
pub fn frozen_batch(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let schema = frozen_schema(columns.iter().map(|column| column.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).expect("columns of one length")
}

fn frozen_schema<'a>(types: impl Iterator<Item = &'a DataType>) -> SchemaRef {
    let fields =
        types.enumerate().map(|(place, data_type)| Field::new(place.to_string(), data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows, and their weights as a last column.
pub(crate) fn freeze_delta(delta: &ZBatch) -> Rows {
    let weights: ArrayRef = Arc::new(delta.weights().clone());
    let schema = delta.schema();
    let types = schema.fields().iter().map(|field| field.data_type()).chain([weights.data_type()]);
    let schema = frozen_schema(types);
    delta.selected_rows().beside(&frozen_batch(vec![weights], delta.len()).into(), schema)
}

/// The rows of [`freeze_delta`], under their schema.
pub(crate) fn thaw_delta(batch: &RecordBatch, schema: &SchemaRef) -> Result<ZBatch> {
    let width = schema.fields().len();
    let weights = weights_column(batch.columns().get(width))?;
    if weights.null_count() > 0 {
        return Err(unfit("a weight is missing"));
    }
    Ok(ZBatch::new(thaw_rows(batch, schema)?, weights))
}

/// The first columns of a batch, as rows of a schema.
pub fn thaw_rows(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().take(schema.fields().len()).cloned().collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|error| unfit(&error.to_string()))
}

/// A column of counts or weights.
pub fn weights_column(column: Option<&ArrayRef>) -> Result<Int64Array> {
    let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
    column.cloned().ok_or_else(|| unfit("a column of counts is missing"))
}

/// The error of an operator that is given state that it did not freeze.
pub fn unfit(reason: &str) -> SqlError {
    SqlError::new(
        SqlState::DATA_CORRUPTED,
        format!("the state of an operator does not fit its plan: {reason}"),
    )
}

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter, filter_record_batch, take, take_arrays};
use arrow::datatypes::SchemaRef;

/// Rows in columns: a batch, or those at some positions of a batch that others share. Of the latter a column is gathered
/// when somebody first looks at it, so that rows that are dealt out to workers are only copied where they are needed.
#[derive(Clone, Debug)]
pub struct Rows {
    source: RecordBatch,
    selection: Option<Arc<Selection>>,
}

#[derive(Debug)]
struct Selection {
    positions: UInt32Array,
    /// What has been gathered.
    columns: Vec<OnceLock<ArrayRef>>,
    batch: OnceLock<RecordBatch>,
}

impl From<RecordBatch> for Rows {
    fn from(source: RecordBatch) -> Rows {
        Rows { source, selection: None }
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        self.batch() == other.batch()
    }
}

impl Rows {
    /// The rows of a batch at these positions, in this order. Copies nothing yet.
    pub fn select(source: RecordBatch, positions: UInt32Array) -> Rows {
        let columns = source.columns().iter().map(|_| OnceLock::new()).collect();
        Rows { source, selection: Some(Arc::new(Selection { positions, columns, batch: OnceLock::new() })) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.selection.as_ref().map_or(self.source.num_rows(), |selection| selection.positions.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The schema.
    pub fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    /// A batch of which these are rows, and their positions in it unless they are all of it.
    pub fn source(&self) -> (&RecordBatch, Option<&UInt32Array>) {
        match &self.selection {
            None => (&self.source, None),
            Some(selection) => match selection.batch.get() {
                Some(gathered) => (gathered, None),
                None => (&self.source, Some(&selection.positions)),
            },
        }
    }

    /// One column.
    pub fn column(&self, column: usize) -> &ArrayRef {
        let source = self.source.column(column);
        let Some(selection) = &self.selection else { return source };
        let gather = || take(source, &selection.positions, None).expect("positions are in bounds");
        selection.columns[column].get_or_init(gather)
    }

    /// All columns.
    pub fn batch(&self) -> &RecordBatch {
        let Some(selection) = &self.selection else { return &self.source };
        selection.batch.get_or_init(|| {
            let columns = (0..self.source.num_columns()).map(|column| self.column(column).clone()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
            RecordBatch::try_new_with_options(self.schema(), columns, &options)
                .expect("types stay as they are")
        })
    }

    /// The rows at these positions, in this order, gathered.
    pub fn take(&self, indices: &UInt32Array) -> RecordBatch {
        match &self.selection {
            None => take_rows(&self.source, indices),
            Some(selection) => take_rows(&self.source, &at(&selection.positions, indices)),
        }
    }

    /// The rows for which `mask` is true, gathered.
    pub fn filter(&self, mask: &BooleanArray) -> RecordBatch {
        match &self.selection {
            None => filter_record_batch(&self.source, mask).expect("one mask bit per row"),
            Some(selection) => {
                let positions = filter(&selection.positions, mask).expect("one mask bit per row");
                take_rows(&self.source, positions.as_primitive())
            }
        }
    }

    /// A view of `length` rows from `offset`. Copies nothing.
    pub fn slice(&self, offset: usize, length: usize) -> Rows {
        match &self.selection {
            None => self.source.slice(offset, length).into(),
            Some(selection) => Rows::select(self.source.clone(), selection.positions.slice(offset, length)),
        }
    }
}

/// Bytes of the buffers that rows at these positions, or all, of a batch lie in: of a batch that is shared, their part.
pub fn rows_memory_size(source: &RecordBatch, positions: Option<&UInt32Array>) -> usize {
    let bytes = source.get_array_memory_size();
    positions.map_or(bytes, |positions| {
        let part = positions.len() as f64 / source.num_rows().max(1) as f64;
        4 * positions.len() + (bytes as f64 * part.min(1.0)) as usize
    })
}

/// Those of the positions that these indices name.
fn at(positions: &UInt32Array, indices: &UInt32Array) -> UInt32Array {
    UInt32Array::from_iter_values(indices.values().iter().map(|index| positions.values()[*index as usize]))
}

/// The rows at these positions, in this order; unlike Arrow's kernel, also of batches without columns.
pub fn take_rows(rows: &RecordBatch, indices: &UInt32Array) -> RecordBatch {
    let columns = take_arrays(rows.columns(), indices, None).expect("indices are in bounds");
    let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
    RecordBatch::try_new_with_options(rows.schema(), columns, &options).expect("types stay as they are")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    fn numbers(rows: &RecordBatch) -> Vec<i64> {
        rows.column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn selected_rows_are_as_gathered_ones() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(10..20));
        let source = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let rows = Rows::select(source, vec![7, 1, 3, 4].into());
        assert_eq!(rows.len(), 4);
        assert_eq!(numbers(rows.slice(1, 2).batch()), [11, 13]);
        assert_eq!(numbers(&rows.take(&vec![3, 0, 0].into())), [14, 17, 17]);
        assert_eq!(numbers(&rows.filter(&vec![true, false, false, true].into())), [17, 14]);
        assert!(rows.source().1.is_some(), "nothing is gathered yet");
        assert_eq!(numbers(rows.batch()), [17, 11, 13, 14]);
        assert!(rows.source().1.is_none(), "all is gathered");
    }
}

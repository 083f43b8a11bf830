use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat, concat_batches, filter, take};
use arrow::datatypes::SchemaRef;

use crate::rows::{Rows, rows_memory_size};

/// A Z-set delta in columns: rows, and one weight per row. `+1` inserts the row, `−1` deletes it, an
/// update is both. The same row may occur several times; the weights add up.
///
/// Source: Budiu et al., *DBSP: Automatic Incremental View Maintenance*, VLDB 2023.
#[derive(Clone, Debug)]
pub struct ZBatch {
    rows: Rows,
    weights: Int64Array,
}

impl ZBatch {
    /// Rows and their weights, of equal length.
    pub fn new(rows: impl Into<Rows>, weights: Int64Array) -> ZBatch {
        let rows = rows.into();
        assert_eq!(rows.len(), weights.len(), "one weight per row");
        assert_eq!(weights.null_count(), 0, "weights are never NULL");
        ZBatch { rows, weights }
    }

    /// Every row with weight +1.
    pub fn inserts(rows: RecordBatch) -> ZBatch {
        let weights = Int64Array::from_value(1, rows.num_rows());
        ZBatch { rows: rows.into(), weights }
    }

    /// Every row with weight −1.
    pub fn deletes(rows: RecordBatch) -> ZBatch {
        let weights = Int64Array::from_value(-1, rows.num_rows());
        ZBatch { rows: rows.into(), weights }
    }

    /// No rows of this schema.
    pub fn empty(schema: SchemaRef) -> ZBatch {
        ZBatch::inserts(RecordBatch::new_empty(schema))
    }

    /// The rows, gathered if they were only selected.
    pub fn rows(&self) -> &RecordBatch {
        self.rows.batch()
    }

    /// The rows, gathered or not.
    pub fn selected_rows(&self) -> &Rows {
        &self.rows
    }

    /// One weight per row.
    pub fn weights(&self) -> &Int64Array {
        &self.weights
    }

    /// The columns of the rows, all of which are gathered if the rows were only selected.
    pub fn columns(&self) -> &[ArrayRef] {
        self.rows().columns()
    }

    /// One column of the rows.
    pub fn column(&self, column: usize) -> &ArrayRef {
        self.rows.column(column)
    }

    /// The schema of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// Number of (row, weight) records.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Whether every weight is positive, so that nothing is retracted.
    pub fn is_insert_only(&self) -> bool {
        self.weights.values().iter().all(|weight| *weight > 0)
    }

    /// Whether every weight is negative, so that nothing is inserted.
    pub fn is_delete_only(&self) -> bool {
        self.weights.values().iter().all(|weight| *weight < 0)
    }

    /// The records at these positions, in this order.
    pub fn take(&self, indices: &UInt32Array) -> ZBatch {
        ZBatch { rows: self.rows.take(indices).into(), weights: take_weights(&self.weights, indices) }
    }

    /// The records at these positions, in this order, whose columns are gathered only when they are looked at. What is
    /// selected keeps all of the rows in memory.
    pub fn select(&self, indices: UInt32Array) -> ZBatch {
        let weights = take_weights(&self.weights, &indices);
        ZBatch { rows: Rows::select(self.rows().clone(), indices), weights }
    }

    /// The records for which `mask` is true.
    pub fn filter(&self, mask: &BooleanArray) -> ZBatch {
        let weights = filter(&self.weights, mask).expect("one mask bit per row");
        ZBatch { rows: self.rows.filter(mask).into(), weights: as_weights(&weights) }
    }

    /// A view of `length` records from `offset`, without copying.
    pub fn slice(&self, offset: usize, length: usize) -> ZBatch {
        ZBatch { rows: self.rows.slice(offset, length), weights: self.weights.slice(offset, length) }
    }

    /// The same rows with opposite weights.
    #[must_use]
    pub fn negate(&self) -> ZBatch {
        let weights = self.weights.values().iter().map(|weight| -weight).collect::<Vec<_>>();
        ZBatch { rows: self.rows.clone(), weights: weights.into() }
    }

    /// Other rows of the same number under the same weights: what a projection does.
    #[must_use]
    pub fn with_rows(&self, rows: RecordBatch) -> ZBatch {
        ZBatch::new(rows, self.weights.clone())
    }

    /// All records of `batches`, in order. The batches share `schema`.
    pub fn concat(schema: SchemaRef, batches: &[ZBatch]) -> ZBatch {
        match batches {
            [] => return ZBatch::empty(schema),
            [single] => return single.clone(),
            _ => {}
        }
        let rows = concat_batches(&schema, batches.iter().map(ZBatch::rows))
            .expect("batches of one relation share a schema");
        let weights = batches.iter().map(|batch| &batch.weights as &dyn Array).collect::<Vec<_>>();
        ZBatch { rows: rows.into(), weights: as_weights(&concat(&weights).expect("weights are Int64")) }
    }

    /// Bytes held by the buffers of rows and weights.
    pub fn memory_size(&self) -> usize {
        let (source, positions) = self.rows.source();
        rows_memory_size(source, positions) + self.weights.get_array_memory_size()
    }
}

fn take_weights(weights: &Int64Array, indices: &UInt32Array) -> Int64Array {
    // Most often all are 1, and to see that costs less than to gather them.
    if weights.values().iter().all(|weight| *weight == 1) {
        return Int64Array::from_value(1, indices.len());
    }
    as_weights(&take(weights, indices, None).expect("indices are in bounds"))
}

fn as_weights(array: &dyn Array) -> Int64Array {
    array.as_any().downcast_ref::<Int64Array>().expect("weights are Int64").clone()
}

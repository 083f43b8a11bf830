use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use springtide_state::{KeyTable, normalize_floats};

use super::accumulator::{Accumulator, Evaluation};

/// An aggregate over the distinct values of each group: a value goes into the inner accumulator when its
/// weight becomes positive, and out when it ceases to be. O(1) per changed row; state: one counter per
/// distinct (group, value).
pub(super) struct Distinct {
    inner: Box<dyn Accumulator>,
    schema: SchemaRef,
    pairs: KeyTable,
    weights: Vec<i64>,
}

impl Distinct {
    pub(super) fn new(inner: Box<dyn Accumulator>, argument: &DataType) -> Distinct {
        let group = Field::new("group", DataType::UInt32, false);
        let value = Field::new("value", argument.clone(), true);
        let schema = Arc::new(Schema::new(vec![group, value]));
        Distinct { inner, schema: schema.clone(), pairs: KeyTable::new(schema), weights: Vec::new() }
    }
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
    }

    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        let values = normalize_floats(values);
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.to_vec()));
        let pairs = RecordBatch::try_new(self.schema.clone(), vec![group_column, values.clone()])
            .expect("a group and a value per row");
        let pairs = self.pairs.intern(&pairs);
        self.weights.resize(self.pairs.slots(), 0);
        let (mut rows, mut changed, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (pair, weight)) in pairs.iter().zip(weights).enumerate() {
            let total = &mut self.weights[*pair as usize];
            let was_there = *total > 0;
            *total += weight;
            let is_there = *total > 0;
            if was_there != is_there {
                rows.push(row as u32);
                changed.push(groups[row]);
                changes.push(if is_there { 1 } else { -1 });
            }
        }
        let values = take(&values, &UInt32Array::from(rows), None).expect("rows are in bounds");
        self.inner.update(&changed, &values, &changes);

        let mut gone = pairs;
        gone.retain(|pair| self.weights[*pair as usize] == 0);
        gone.sort_unstable();
        gone.dedup();
        self.pairs.release(&gone);
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        self.inner.evaluate(groups)
    }

    fn clear(&mut self, group: u32) {
        self.inner.clear(group);
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + self.pairs.bytes() + self.weights.capacity() * 8
    }
}

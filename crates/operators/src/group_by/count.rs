use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

use springtide_state::weights_column;
use springtide_types::Result;

use super::accumulator::{Accumulator, Evaluation};

/// `count`: the sum of the weights. O(1) per changed row.
#[derive(Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], _: &ArrayRef, weights: &[i64]) {
        for (group, weight) in groups.iter().zip(weights) {
            self.counts[*group as usize] += weight;
        }
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        Evaluation::of(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.evaluate(groups).column]
    }

    fn restore(&mut self, groups: &[u32], columns: &mut dyn Iterator<Item = ArrayRef>) -> Result<()> {
        let counts = weights_column(columns.next().as_ref())?;
        for (group, count) in groups.iter().zip(counts.values()) {
            self.counts[*group as usize] = *count;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

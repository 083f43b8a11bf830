use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use springtide_plan::{SetOperation, SetOperator};
use springtide_state::{Frozen, KeyTable, normalize_floats, weights_column};
use springtide_types::{SqlError, ZBatch};

use crate::slots::{freeze_slots, restore_slots};
use crate::{Input, Operator, Output, Status};

/// Rows looked at per step.
const BUDGET: usize = 1 << 16;

/// INTERSECT ALL and EXCEPT ALL: each row as often as its weights on the two sides, `l` and `r`, say.
///
/// With w(l, r) = min(l, r) or max(l − r, 0): Δ = w(l', r') − w(l, r) for each row that the epoch touches.
/// Cost: O(1) per changed row; state: two counters per distinct row. Emits once an epoch.
#[derive(Debug)]
pub struct SetOperationOperator {
    operator: SetOperator,
    rows: KeyTable,
    /// How often each row occurs on the left and on the right.
    counts: Vec<[i64; 2]>,
    touched: Vec<bool>,
    /// The rows touched in this epoch, and their weight before it.
    before: Vec<(u32, i64)>,
    /// How many of `before` have been emitted, once the epoch has ended.
    emitted: usize,
}

impl SetOperationOperator {
    /// The operator of this plan node.
    pub fn new(plan: &SetOperation) -> SetOperationOperator {
        SetOperationOperator {
            operator: plan.operator,
            rows: KeyTable::new(plan.left.schema()),
            counts: Vec::new(),
            touched: Vec::new(),
            before: Vec::new(),
            emitted: 0,
        }
    }

    fn weight(&self, row: u32) -> i64 {
        // Within an epoch, deletions may come before what they delete.
        let [left, right] = self.counts[row as usize].map(|count| count.max(0));
        match self.operator {
            SetOperator::IntersectAll => left.min(right),
            SetOperator::ExceptAll => (left - right).max(0),
        }
    }

    fn add(&mut self, port: usize, delta: &ZBatch) -> Result<(), SqlError> {
        let columns = delta.columns().iter().map(normalize_floats).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(delta.len()));
        let rows = RecordBatch::try_new_with_options(self.rows.schema().clone(), columns, &options);
        let rows = self.rows.intern(&rows.map_err(|error| SqlError::internal(error.to_string()))?);
        self.counts.resize(self.rows.slots(), [0, 0]);
        self.touched.resize(self.rows.slots(), false);
        for (row, weight) in rows.into_iter().zip(delta.weights().values()) {
            if !std::mem::replace(&mut self.touched[row as usize], true) {
                self.before.push((row, self.weight(row)));
            }
            self.counts[row as usize][port] += weight;
        }
        Ok(())
    }

    /// Emits the changes of the next touched rows.
    fn emit(&mut self, output: &mut Output) -> Status {
        let end = self.before.len().min(self.emitted + BUDGET);
        let changes = self.before[self.emitted..end].iter().map(|(row, old)| (*row, self.weight(*row) - old));
        let (rows, weights): (Vec<_>, Vec<_>) = changes.filter(|(_, change)| *change != 0).unzip();
        output.push(ZBatch::new(self.rows.keys(&rows), Int64Array::from(weights)));
        self.emitted = end;
        if end < self.before.len() {
            return Status::More;
        }
        self.forget();
        Status::Done
    }

    /// Ends the epoch: rows that are nowhere give their slots back.
    fn forget(&mut self) {
        self.emitted = 0;
        let before = std::mem::take(&mut self.before);
        before.iter().for_each(|(row, _)| self.touched[*row as usize] = false);
        let gone = before.iter().map(|(row, _)| *row).filter(|row| self.counts[*row as usize] == [0, 0]);
        self.rows.release(&gone.collect::<Vec<_>>());
    }
}

impl Operator for SetOperationOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        match input {
            Input::Delta(_, delta) if delta.is_empty() => Ok(Status::Done),
            Input::Delta(port, delta) => {
                self.add(port, &delta)?;
                Ok(Status::Done)
            }
            Input::EndOfEpoch(_) | Input::Resume => Ok(self.emit(output)),
        }
    }

    fn freeze(&self) -> Frozen {
        let side = |slots: &[u32], side: usize| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(slots.iter().map(|slot| self.counts[*slot as usize][side])))
        };
        Frozen::new([freeze_slots(&self.rows, &self.rows.live(), |slots| {
            vec![side(slots, 0), side(slots, 1)]
        })])
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        for batch in state.next_section() {
            let (_, values) = restore_slots(&mut self.rows, &batch)?;
            let (left, right) = (weights_column(values.first())?, weights_column(values.get(1))?);
            self.counts.extend(left.values().iter().zip(right.values()).map(|(left, right)| [*left, *right]));
        }
        self.touched.resize(self.rows.slots(), false);
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes() + 17 * self.counts.capacity()
    }
}

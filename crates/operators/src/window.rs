use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::window::WindowExpr;
use springtide_plan::{Window, sql_error};
use springtide_state::{Frozen, OrderedZSet, consolidate};
use springtide_types::{Result, SqlError, ZBatch};

use crate::touched::Touched;
use crate::{Input, Operator, Output, Status};

/// Rows evaluated per step, about.
const BUDGET: usize = 1 << 15;

/// ω: window functions. Each row keeps its columns and gets one more per function, computed over its partition by
/// DataFusion's own functions.
///
/// Δ(ω(R)) = −ω(P) + ω(P + ΔP), over the partitions P that ΔR touches, once an epoch; rows whose results stay the
/// same cancel out. A partition for which a function fails stands as one error in place of its rows.
/// Cost: O(partition) per touched partition. State: all rows, in order.
pub struct WindowOperator {
    rows: OrderedZSet,
    functions: Vec<Arc<dyn WindowExpr>>,
    schema: SchemaRef,
    touched: Touched,
    /// How many of the touched partitions have been emitted, once the epoch has ended.
    emitted: Option<usize>,
}

impl WindowOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Window) -> WindowOperator {
        WindowOperator {
            rows: OrderedZSet::new(plan.input.schema(), plan.partition.clone(), plan.order.clone(), None),
            functions: plan.functions.clone(),
            schema: plan.schema.clone(),
            touched: Touched::default(),
            emitted: None,
        }
    }

    fn add(&mut self, delta: &ZBatch) {
        let partitions = self.rows.groups_of(delta.rows());
        self.touched.note(&partitions, &self.rows, all);
        self.rows.apply(delta, &partitions);
    }

    /// Emits the changes of the next touched partitions.
    fn emit(&mut self, output: &mut Output) -> Result<Status> {
        let Some(emitted) = self.emitted else { return Ok(Status::Done) };
        let mut place = emitted;
        let (mut before, mut after) = (Partitions::default(), Partitions::default());
        while place < self.touched.groups().len() && before.rows.len() + after.rows.len() < BUDGET {
            let mut rows = Vec::new();
            all(&self.rows, self.touched.groups()[place], &mut rows);
            if rows != self.touched.before(place) {
                before.push(self.touched.before(place));
                after.push(&rows);
            }
            place += 1;
        }
        let mut deltas = self.evaluate(&before, -1, output)?;
        deltas.extend(self.evaluate(&after, 1, output)?);
        output.push(consolidate(&ZBatch::concat(self.schema.clone(), &deltas)));
        if place < self.touched.groups().len() {
            self.emitted = Some(place);
            return Ok(Status::More);
        }
        self.emitted = None;
        let touched = self.touched.clear();
        self.rows.tidy(&touched);
        Ok(Status::Done)
    }

    /// The output rows of some partitions, each `sign` times.
    fn evaluate(&self, partitions: &Partitions, sign: i64, output: &mut Output) -> Result<Vec<ZBatch>> {
        let rows = self.rows.gather(&partitions.rows);
        let mut deltas = Vec::new();
        let mut start = 0;
        for end in &partitions.ends {
            let partition = rows.slice(start, end - start);
            start = *end;
            if partition.num_rows() == 0 {
                continue;
            }
            match self.results(&partition) {
                Ok(results) => {
                    let columns = [partition.columns(), &results].concat();
                    let rows = RecordBatch::try_new(self.schema.clone(), columns)
                        .map_err(|error| SqlError::internal(error.to_string()))?;
                    deltas.push(if sign > 0 { ZBatch::inserts(rows) } else { ZBatch::deletes(rows) });
                }
                Err(error) => output.push_error(error, sign),
            }
        }
        Ok(deltas)
    }

    fn results(&self, partition: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let result = |function: &Arc<dyn WindowExpr>| {
            let column = function.evaluate(partition).map_err(|error| sql_error(&error))?;
            Ok(column)
        };
        self.functions.iter().map(result).collect()
    }
}

/// Rows of several partitions, a row of weight n n times.
#[derive(Default)]
struct Partitions {
    rows: Vec<u32>,
    ends: Vec<usize>,
}

impl Partitions {
    fn push(&mut self, rows: &[(u32, i64)]) {
        for (row, weight) in rows {
            self.rows.extend(std::iter::repeat_n(*row, *weight as usize));
        }
        self.ends.push(self.rows.len());
    }
}

/// All rows of a group. A retraction that waits for its insertion is no row.
fn all(rows: &OrderedZSet, group: u32, into: &mut Vec<(u32, i64)>) {
    into.extend(rows.rows_of(group).filter(|(_, weight)| *weight > 0));
}

impl Operator for WindowOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status> {
        match input {
            Input::Delta(_, delta) => {
                self.add(&delta);
                Ok(Status::Done)
            }
            Input::EndOfEpoch(_) => {
                self.emitted = Some(0);
                self.emit(output)
            }
            Input::Resume => self.emit(output),
        }
    }

    fn freeze(&self) -> Frozen {
        Frozen::new([self.rows.freeze()])
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<()> {
        self.rows.restore(&state.next_section())
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes()
    }
}

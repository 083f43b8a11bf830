use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use springtide_plan::{Reach, Window, WindowFunction, arrow_error};
use springtide_state::{Frozen, OrderedZSet, consolidate, normalize_floats};
use springtide_types::{Result, ZBatch};

use super::function::Results;
use super::peers::Peers;
use super::scope::Scope;
use crate::touched::Touched;
use crate::{Input, Operator, Output, Status};

/// Rows read per step, about.
const BUDGET: usize = 1 << 15;

/// ω: window functions. Each row keeps its columns and gets one more per function, computed over its partition.
///
/// Δ(ω(R)) = −ω(P) + ω(P + ΔP), over the partitions P that ΔR touches, once an epoch, and in each only over the rows that
/// lie so near to a changed one that their results may change; rows whose results stay the same cancel out. The common
/// functions are computed for the rows of all touched partitions together, the others by DataFusion, a partition at a
/// time. A row whose result cannot be represented, or a partition for which a function of DataFusion's fails, stands as
/// one error. Cost: O(partition) per touched partition, of which all but the list of its rows is O(frame) if every
/// function looks only so many rows away. State: all rows, in order.
pub struct WindowOperator {
    rows: OrderedZSet,
    functions: Vec<WindowFunction>,
    reach: Reach,
    /// The columns of ORDER BY.
    order_by: Vec<usize>,
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
            reach: Reach::of(&plan.functions),
            order_by: plan.order[..plan.peers].iter().map(|sort| sort.column).collect(),
            schema: plan.schema.clone(),
            touched: Touched::default(),
            emitted: None,
        }
    }

    fn add(&mut self, delta: &ZBatch) {
        let partitions = self.rows.groups_of(delta.selected_rows());
        self.touched.note(&partitions, &self.rows, all);
        self.rows.apply(delta, &partitions);
    }

    /// Emits the changes of the next touched partitions.
    fn emit(&mut self, output: &mut Output) -> Result<Status> {
        let Some(emitted) = self.emitted else { return Ok(Status::Done) };
        let mut place = emitted;
        let (mut before, mut after) = (Scope::default(), Scope::default());
        let mut entries = Vec::new();
        while place < self.touched.groups().len() && before.rows().len() + after.rows().len() < BUDGET {
            entries.clear();
            all(&self.rows, self.touched.groups()[place], &mut entries);
            let old = self.touched.before(place);
            if entries != old {
                let same = self.same(old, &entries);
                before.push(old, same, self.reach);
                after.push(&entries, same, self.reach);
            }
            place += 1;
        }
        let old = self.evaluate(&before, -1, output)?;
        let new = self.evaluate(&after, 1, output)?;
        match (old.is_empty(), new.is_empty()) {
            (_, true) => output.push(old),
            (true, _) => output.push(new),
            _ => output.push(consolidate(&ZBatch::concat(self.schema.clone(), &[old, new]))),
        }
        if place < self.touched.groups().len() {
            self.emitted = Some(place);
            return Ok(Status::More);
        }
        self.emitted = None;
        let touched = self.touched.clear();
        self.rows.tidy(&touched);
        Ok(Status::Done)
    }

    /// How many entries at the beginning and at the end two versions of a partition have in common; where peers matter,
    /// without those that have a peer beyond.
    fn same(&self, old: &[(u32, i64)], new: &[(u32, i64)]) -> (usize, usize) {
        if self.reach.peers && self.order_by.is_empty() {
            return (0, 0);
        }
        let shorter = old.len().min(new.len());
        let mut first = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let backwards = old.iter().rev().zip(new.iter().rev()).take(shorter - first);
        let mut last = backwards.take_while(|(old, new)| old == new).count();
        if self.reach.peers {
            let divides_peers = |entries: &[(u32, i64)], at: usize| {
                0 < at
                    && at < entries.len()
                    && self.rows.tie(entries[at - 1].0, entries[at].0, self.order_by.len())
            };
            while divides_peers(old, first) || divides_peers(new, first) {
                first -= 1;
            }
            while divides_peers(old, old.len() - last) || divides_peers(new, new.len() - last) {
                last -= 1;
            }
        }
        (first, last)
    }

    /// The output rows of what is wanted, each `sign` times.
    fn evaluate(&self, scope: &Scope, sign: i64, output: &mut Output) -> Result<ZBatch> {
        let wanted = scope.wanted();
        if wanted.is_empty() {
            return Ok(ZBatch::empty(self.schema.clone()));
        }
        let read = self.rows.gather(scope.rows());
        let rows = if wanted.len() == scope.rows().len() { read.clone() } else { self.rows.gather(&wanted) };
        let peers = if self.reach.peers { self.peers(scope, &read)? } else { Peers::default() };
        let mut results = Results::default();
        let fields = &self.schema.fields()[read.num_columns()..];
        for (function, field) in self.functions.iter().zip(fields) {
            results.add(function, field, scope, &read, &peers)?;
        }
        let columns = [rows.columns(), &results.columns].concat();
        let rows = RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| arrow_error(&error))?;
        let delta = if sign > 0 { ZBatch::inserts(rows) } else { ZBatch::deletes(rows) };
        Ok(without_failed(delta, results, scope, sign, output))
    }

    fn peers(&self, scope: &Scope, read: &RecordBatch) -> Result<Peers> {
        let columns = self.order_by.iter().map(|column| normalize_floats(read.column(*column)));
        Peers::find(scope, &columns.collect::<Vec<_>>())
    }
}

/// Emits errors in place of the rows and partitions that have them.
fn without_failed(delta: ZBatch, results: Results, scope: &Scope, sign: i64, output: &mut Output) -> ZBatch {
    if results.failed_rows.is_empty() && results.failed_parts.is_empty() {
        return delta;
    }
    let mut keep = Vec::with_capacity(delta.len());
    for (place, part) in scope.parts().iter().enumerate() {
        let failed = results.failed_parts.get(&place);
        if let Some(error) = failed {
            output.push_error(error.clone(), sign);
        }
        for _ in part.wanted.clone() {
            let failed_row = results.failed_rows.get(&keep.len());
            if let (Some(error), None) = (failed_row, failed) {
                output.push_error(error.clone(), sign);
            }
            keep.push(failed.is_none() && failed_row.is_none());
        }
    }
    delta.filter(&BooleanArray::from(keep))
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

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use springtide_plan::GroupBy;
use springtide_state::{Frozen, KeyTable, equal_pairs, normalize_floats, weights_column};
use springtide_types::{SqlError, ZBatch};

use super::inputs::Inputs;
use crate::render::row_text;
use crate::slots::{freeze_slots, restore_slots};
use crate::{Input, Operator, Output, Status};

/// Groups looked at per step.
const BUDGET: usize = 1 << 16;

/// γ: aggregates per group. What each aggregate keeps is linear in the input, or ordered; the rows that
/// come out are not.
///
/// Δ(γ(R)) = −γ(R) + γ(R + ΔR), over the groups that ΔR touches, once an epoch; nothing for a group whose
/// row stays the same. A group whose result cannot be represented stands as an error in place of its row.
/// Cost: O(1) per changed row and touched group, O(log n) where min or max may lose a value.
pub struct GroupByOperator {
    keys: Vec<usize>,
    key_schema: SchemaRef,
    schema: SchemaRef,
    aggregates: Inputs,
    groups: KeyTable,
    /// Rows in each group.
    rows: Vec<i64>,
    /// Groups touched in this epoch.
    touched: Vec<bool>,
    /// Their results before it, in the order of touch.
    before: Vec<Results>,
    /// How many of `before` have been emitted, once the epoch has ended.
    emitted: Option<usize>,
    global: Global,
    /// The plan asks for what no accumulator can do.
    invalid: Option<SqlError>,
}

/// Whether this instance owns the one group of an aggregation without keys, which is there even if no row is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Global {
    NotOwned,
    /// Owned; its row has not been emitted yet.
    Owed,
    Standing,
}

/// What some groups amount to at one time.
struct Results {
    groups: Vec<u32>,
    /// Whether the group has a row or an error at all.
    exists: Vec<bool>,
    /// One column per aggregate.
    columns: Vec<ArrayRef>,
    /// One per group that is in error.
    errors: Vec<Option<SqlError>>,
}

impl GroupByOperator {
    /// The operator of this plan node. Without keys, exactly one instance among the workers, the one that
    /// all rows are routed to, has `owns_global_group` set, and emits the row of the empty input.
    pub fn new(plan: &GroupBy, owns_global_group: bool) -> GroupByOperator {
        let input = plan.input.schema();
        let append_only = plan.input.properties().append_only;
        let key_schema = Arc::new(input.project(&plan.keys).unwrap_or_else(|_| Schema::empty()));
        let (aggregates, invalid) = match Inputs::new(&plan.aggregates, &input, append_only) {
            Ok(aggregates) => (aggregates, None),
            Err(error) => (Inputs::none(), Some(error)),
        };
        let owns = plan.keys.is_empty() && owns_global_group;
        GroupByOperator {
            keys: plan.keys.clone(),
            key_schema: key_schema.clone(),
            schema: plan.schema.clone(),
            aggregates,
            groups: KeyTable::new(key_schema),
            rows: Vec::new(),
            touched: Vec::new(),
            before: Vec::new(),
            emitted: None,
            global: if owns { Global::Owed } else { Global::NotOwned },
            invalid,
        }
    }

    /// The slots of the groups of these key columns.
    fn intern(&mut self, keys: Vec<ArrayRef>, rows: usize) -> Result<Vec<u32>, SqlError> {
        let keys = keys.iter().map(normalize_floats).collect();
        let groups = self.groups.intern(&record_batch(self.key_schema.clone(), keys, rows)?);
        self.resize();
        Ok(groups)
    }

    /// Makes room for what is kept of each group.
    fn resize(&mut self) {
        self.rows.resize(self.groups.slots(), 0);
        self.touched.resize(self.groups.slots(), false);
        for accumulator in self.aggregates.accumulators_mut() {
            accumulator.resize(self.groups.slots());
        }
    }

    /// Notes what the groups not touched before in this epoch amount to.
    fn touch(&mut self, groups: &[u32]) {
        let touched = &mut self.touched;
        let is_new = |group: &u32| !std::mem::replace(&mut touched[*group as usize], true);
        let new = groups.iter().copied().filter(is_new).collect::<Vec<_>>();
        for groups in new.chunks(BUDGET) {
            let results = self.results(groups.to_vec());
            self.before.push(results);
        }
    }

    fn results(&self, groups: Vec<u32>) -> Results {
        let stands = self.global == Global::Standing;
        let exists = groups.iter().map(|group| stands || self.rows[*group as usize] > 0).collect();
        let mut errors = vec![None; groups.len()];
        let columns = self.aggregates.accumulators().iter().map(|accumulator| {
            let evaluation = accumulator.evaluate(&groups);
            for (position, error) in evaluation.errors {
                errors[position].get_or_insert(error);
            }
            evaluation.column
        });
        let columns = columns.collect();
        Results { groups, exists, columns, errors }
    }

    fn add(&mut self, delta: &ZBatch) -> Result<(), SqlError> {
        let keys = self.keys.iter().map(|column| delta.column(*column).clone()).collect();
        let groups = self.intern(keys, delta.len())?;
        self.touch(&groups);
        for (group, weight) in groups.iter().zip(delta.weights().values()) {
            self.rows[*group as usize] += weight;
        }
        // `count(*)` has no argument: it counts any column that is never NULL.
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.clone()));
        self.aggregates.update(&groups, delta, &group_column);
        Ok(())
    }

    fn end_epoch(&mut self) -> Result<(), SqlError> {
        if self.global == Global::Owed {
            let groups = self.intern(Vec::new(), 1)?;
            self.touch(&groups);
            self.global = Global::Standing;
        }
        self.emitted = Some(0);
        Ok(())
    }

    /// Emits the changes of the next touched groups.
    fn emit(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        let Some(emitted) = self.emitted else {
            return Ok(Status::Done);
        };
        if let Some(before) = self.before.get(emitted) {
            let after = self.results(before.groups.clone());
            self.emit_difference(before, &after, output)?;
            self.emitted = Some(emitted + 1);
        }
        if emitted + 1 < self.before.len() {
            return Ok(Status::More);
        }
        self.emitted = None;
        self.forget_empty();
        Ok(Status::Done)
    }

    fn emit_difference(
        &self,
        before: &Results,
        after: &Results,
        output: &mut Output,
    ) -> Result<(), SqlError> {
        let all = (0..before.groups.len() as u32).collect::<Vec<_>>();
        let equal = equal_pairs(&before.columns, &all, &after.columns, &all);
        let same = |row: usize| {
            before.exists[row] == after.exists[row] && equal[row] && before.errors[row] == after.errors[row]
        };
        let changed = all.iter().copied().filter(|row| !same(*row as usize)).collect::<Vec<_>>();
        for (results, weight) in [(before, -1), (after, 1)] {
            let exists = changed.iter().copied().filter(|row| results.exists[*row as usize]);
            let (failed, rows): (Vec<u32>, Vec<u32>) =
                exists.partition(|row| results.errors[*row as usize].is_some());
            for row in failed {
                let error = results.errors[row as usize].clone();
                let error = error.map(|error| self.name_group(error, results.groups[row as usize]));
                error.into_iter().for_each(|error| output.push_error(error, weight));
            }
            if !rows.is_empty() {
                let rows = self.output_rows(results, rows)?;
                output.push(if weight > 0 { ZBatch::inserts(rows) } else { ZBatch::deletes(rows) });
            }
        }
        Ok(())
    }

    /// The key columns, then the results, of the groups at these positions.
    fn output_rows(&self, results: &Results, rows: Vec<u32>) -> Result<RecordBatch, SqlError> {
        let groups = rows.iter().map(|row| results.groups[*row as usize]).collect::<Vec<_>>();
        let mut columns = self.groups.gather(&(0..self.keys.len()).collect::<Vec<_>>(), &groups);
        let (rows, count) = (UInt32Array::from(rows), groups.len());
        for column in &results.columns {
            columns.push(take(column, &rows, None).map_err(|error| SqlError::internal(error.to_string()))?);
        }
        record_batch(self.schema.clone(), columns, count)
    }

    fn name_group(&self, error: SqlError, group: u32) -> SqlError {
        if self.keys.is_empty() {
            return error;
        }
        let names = self.key_schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        let key = row_text(self.groups.keys(&[group]).columns(), 0);
        error.with_detail(format!("Failing group has key ({})={key}.", names.join(", ")))
    }

    /// Ends the epoch: groups without rows give their slots back.
    fn forget_empty(&mut self) {
        let mut empty = Vec::new();
        for results in std::mem::take(&mut self.before) {
            for group in results.groups {
                self.touched[group as usize] = false;
                if self.rows[group as usize] == 0 && self.global != Global::Standing {
                    empty.push(group);
                }
            }
        }
        for accumulator in self.aggregates.accumulators_mut() {
            empty.iter().for_each(|group| accumulator.clear(*group));
        }
        self.groups.release(&empty);
    }
}

fn record_batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, SqlError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| SqlError::internal(error.to_string()))
}

impl Operator for GroupByOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Some(error) = &self.invalid {
            return Err(error.clone());
        }
        match input {
            Input::Delta(_, delta) if !delta.is_empty() => {
                self.add(&delta)?;
                Ok(Status::Done)
            }
            Input::Delta(..) => Ok(Status::Done),
            Input::EndOfEpoch(_) => {
                self.end_epoch()?;
                self.emit(output)
            }
            Input::Resume => self.emit(output),
        }
    }

    fn freeze(&self) -> Frozen {
        if self.invalid.is_some() {
            return Frozen::default();
        }
        let live = self.groups.live();
        let groups = freeze_slots(&self.groups, &live, |groups| {
            let rows = groups.iter().map(|group| self.rows[*group as usize]);
            let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(rows))];
            let accumulators = self.aggregates.accumulators().iter();
            accumulators.for_each(|accumulator| columns.extend(accumulator.freeze(groups)));
            columns
        });
        let mut state = Frozen::new([groups]);
        self.aggregates.freeze_distinct(&live, &mut state);
        state
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        for batch in state.next_section() {
            let (groups, columns) = restore_slots(&mut self.groups, &batch)?;
            self.resize();
            let mut columns = columns.into_iter();
            self.rows.truncate(self.groups.slots() - groups.len());
            self.rows.extend(weights_column(columns.next().as_ref())?.values());
            for accumulator in self.aggregates.accumulators_mut() {
                accumulator.restore(&groups, &mut columns)?;
            }
        }
        self.aggregates.restore_distinct(state)?;
        if self.global == Global::Owed {
            self.global = Global::Standing;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.groups.bytes() + self.rows.capacity() * 9 + self.aggregates.bytes()
    }
}

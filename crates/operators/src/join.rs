use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::{Join, Node};
use springtide_state::{Cursor, Frozen, IndexedZSet, Matches};
use springtide_types::{SqlError, ZBatch};

use crate::evaluate::retain_true;
use crate::{Input, Operator, Output, Status};

/// Output rows a step may emit.
const BUDGET: usize = 1 << 16;

/// ⋈: pairs of rows with equal keys that pass a residual filter. Bilinear.
///
/// Δ(L ⋈ R) = ΔL ⋈ R + (L + ΔL) ⋈ ΔR: each delta meets what the other side holds by then, and is then
/// added to its own side, so every pair is met once, in whichever order the deltas come.
/// Cost: O(matches) per changed row; state: both inputs. Without keys all rows are one key, and the same
/// code gives the cross product.
#[derive(Debug)]
pub struct JoinOperator {
    sides: [Side; 2],
    filter: Option<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    null_equals_null: bool,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Side {
    keys: Vec<usize>,
    width: usize,
    rows: IndexedZSet,
}

/// A delta whose matches have not all been emitted.
#[derive(Debug)]
struct Pending {
    port: usize,
    delta: ZBatch,
    keys: Vec<ArrayRef>,
    hashes: Vec<u64>,
    cursor: Cursor,
}

impl Side {
    fn new(input: &Node, keys: &[usize]) -> Side {
        let (schema, properties) = (input.schema(), input.properties());
        let width = schema.fields().len();
        let unique = properties.unique_keys.iter().any(|unique| unique.iter().all(|c| keys.contains(c)));
        let rows = if unique && !properties.append_only {
            IndexedZSet::unique(schema, keys.to_vec())
        } else {
            IndexedZSet::new(schema, keys.to_vec(), properties.append_only)
        };
        Side { keys: keys.to_vec(), width, rows }
    }
}

impl JoinOperator {
    /// The pairs that this plan node is made of, whatever its kind.
    pub fn new(plan: &Join) -> JoinOperator {
        JoinOperator {
            sides: [Side::new(&plan.left, &plan.left_keys), Side::new(&plan.right, &plan.right_keys)],
            filter: plan.filter.clone(),
            schema: plan.pair_schema(),
            null_equals_null: plan.null_equals_null,
            pending: None,
        }
    }

    fn begin(&self, port: usize, delta: ZBatch) -> Pending {
        let columns = &self.sides[port].keys;
        let delta = if self.null_equals_null { delta } else { without_nulls(delta, columns) };
        let keys = key_columns(&delta, columns);
        let hashes = IndexedZSet::hashes(&keys, delta.len());
        Pending { port, delta, keys, hashes, cursor: Cursor::default() }
    }

    /// Emits matches of the pending delta until there are no more or the budget is spent.
    fn go_on(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        let Some(mut pending) = self.pending.take() else {
            return Ok(Status::Done);
        };
        let mut budget = BUDGET;
        loop {
            let other = &self.sides[1 - pending.port].rows;
            let matches = other.probe(&pending.keys, &pending.hashes, &mut pending.cursor, budget);
            if matches.row_ids.is_empty() {
                self.sides[pending.port].rows.apply_hashed(&pending.delta, &pending.hashes);
                return Ok(Status::Done);
            }
            let joined = self.joined(&pending, &matches)?;
            match &self.filter {
                Some(filter) => {
                    let kept = retain_true(filter, &joined, output);
                    output.push(kept);
                }
                None => output.push(joined),
            }
            budget = budget.saturating_sub(matches.row_ids.len());
            if budget == 0 {
                self.pending = Some(pending);
                return Ok(Status::More);
            }
        }
    }

    /// The pairs of the delta's rows and the rows that match them.
    fn joined(&self, pending: &Pending, matches: &Matches) -> Result<ZBatch, SqlError> {
        let probe_rows = UInt32Array::from(matches.probe_rows.clone());
        let ours = pending.delta.selected_rows().take(&probe_rows).columns().to_vec();
        let other = &self.sides[1 - pending.port];
        let theirs = other.rows.gather(&(0..other.width).collect::<Vec<_>>(), &matches.row_ids);
        let columns = if pending.port == 0 { [ours, theirs] } else { [theirs, ours] }.concat();
        let options = RecordBatchOptions::new().with_row_count(Some(matches.row_ids.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        let delta_weights = pending.delta.weights().values();
        let pairs = matches.probe_rows.iter().zip(&matches.weights);
        let weights = pairs.map(|(row, weight)| delta_weights[*row as usize] * weight).collect::<Vec<_>>();
        Ok(ZBatch::new(rows, Int64Array::from(weights)))
    }
}

/// The key columns of a delta.
pub(crate) fn key_columns(delta: &ZBatch, keys: &[usize]) -> Vec<ArrayRef> {
    keys.iter().map(|column| delta.column(*column).clone()).collect()
}

/// The rows none of whose keys is NULL.
pub(crate) fn without_nulls(delta: ZBatch, keys: &[usize]) -> ZBatch {
    let nulls = keys.iter().filter_map(|key| delta.column(*key).logical_nulls());
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0).collect::<Vec<_>>();
    if nulls.is_empty() {
        return delta;
    }
    let valid = |row: usize| nulls.iter().all(|nulls| nulls.is_valid(row));
    delta.filter(&(0..delta.len()).map(|row| Some(valid(row))).collect::<BooleanArray>())
}

impl Operator for JoinOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Input::Delta(port, delta) = input {
            debug_assert!(self.pending.is_none(), "a delta before the last one was done");
            self.pending = Some(self.begin(port, delta));
        }
        self.go_on(output)
    }

    fn freeze(&self) -> Frozen {
        debug_assert!(self.pending.is_none(), "the epoch has ended");
        Frozen::new(self.sides.iter().map(|side| side.rows.freeze()))
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.sides.iter_mut().try_for_each(|side| side.rows.restore(&state.next_section()))
    }

    fn state_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.rows.bytes()).sum()
    }
}

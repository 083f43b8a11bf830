use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use springtide_plan::{Join, JoinKind, Node};
use springtide_state::Frozen;
use springtide_types::{SqlError, ZBatch};

use crate::{Input, JoinOperator, Operator, Output, SemiJoinOperator, Status};

/// ⟕, ⟖ and ⟗, and semi, anti and mark joins with a residual filter: pairs, and rows for want of a pair.
///
/// Let J = L ⋈ R with the filter. Then L ⟕ R = J + pad(L ▷ U), where ▷ asks for the keys of U = R if
/// there is no filter, and otherwise for whole rows of U = π_L(J); the other kinds are made of the same parts:
///
/// ```text
///   L ──┬──────────► ▷ ── pad ──► +
///       │            ▲ U          ▲
///       │    ┌─ π_L ─┘            │
///       └─► ⋈ ────────────────────┘
///   R ─────►
/// ```
///
/// Cost: O(matches) per changed row; state: that of the join, and again each side that is kept.
#[derive(Debug)]
pub struct OuterJoinOperator {
    pairs: JoinOperator,
    emits_pairs: bool,
    sides: Vec<Side>,
    schema: SchemaRef,
    /// What is still to be done before the next input.
    work: VecDeque<(Part, Input)>,
}

/// A side whose rows come out on their own.
#[derive(Debug)]
struct Side {
    port: usize,
    rows: SemiJoinOperator,
    /// Where its columns are in a pair, if it is pairs that it waits for.
    columns: Option<Range<usize>>,
    /// The columns of the other side.
    padding: Vec<DataType>,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Pairs,
    Side(usize),
}

impl OuterJoinOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Join) -> OuterJoinOperator {
        let sides = match plan.kind {
            JoinKind::Inner => vec![],
            JoinKind::Right => vec![Side::new(plan, 1)],
            JoinKind::Full => vec![Side::new(plan, 0), Side::new(plan, 1)],
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti | JoinKind::Mark => vec![Side::new(plan, 0)],
        };
        OuterJoinOperator {
            pairs: JoinOperator::new(plan),
            emits_pairs: !plan.kind.is_existence(),
            sides,
            schema: plan.schema.clone(),
            work: VecDeque::new(),
        }
    }

    fn take_delta(&mut self, port: usize, delta: ZBatch, output: &mut Output) -> Result<(), SqlError> {
        for side in &mut self.sides {
            if side.port == port {
                side.rows.step(Input::Delta(0, delta.clone()), output)?;
            } else if side.columns.is_none() {
                side.rows.step(Input::Delta(1, delta.clone()), output)?;
            }
        }
        self.work.push_back((Part::Pairs, Input::Delta(port, delta)));
        Ok(())
    }

    /// Works until there is nothing left or a part has spent its budget.
    fn go_on(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        while let Some((part, input)) = self.work.pop_front() {
            let mut made = Output::default();
            let status = match part {
                Part::Pairs => self.pairs.step(input, &mut made)?,
                Part::Side(side) => self.sides[side].rows.step(input, &mut made)?,
            };
            output.errors.append(&mut made.errors);
            for rows in made.rows {
                match part {
                    Part::Pairs => self.take_pairs(rows, output)?,
                    Part::Side(side) => output.push(self.padded(&self.sides[side], rows)?),
                }
            }
            if status == Status::More {
                self.work.push_front((part, Input::Resume));
                return Ok(Status::More);
            }
        }
        Ok(Status::Done)
    }

    fn take_pairs(&mut self, pairs: ZBatch, output: &mut Output) -> Result<(), SqlError> {
        for side in &mut self.sides {
            if let Some(columns) = &side.columns {
                let matched = side.project(&pairs, columns.clone())?;
                side.rows.step(Input::Delta(1, matched), output)?;
            }
        }
        if self.emits_pairs {
            output.push(pairs);
        }
        Ok(())
    }

    /// Rows of a side, with NULLs for the other.
    fn padded(&self, side: &Side, rows: ZBatch) -> Result<ZBatch, SqlError> {
        if side.padding.is_empty() {
            return Ok(rows);
        }
        let padding = side.padding.iter().map(|data_type| new_null_array(data_type, rows.len()));
        let padding = padding.collect::<Vec<_>>();
        let own = rows.columns();
        let columns = if side.port == 0 { [own, &padding].concat() } else { [&padding, own].concat() };
        with_columns(&rows, &self.schema, columns)
    }
}

impl Side {
    fn new(plan: &Join, port: usize) -> Side {
        let (node, other) = if port == 0 { (&plan.left, &plan.right) } else { (&plan.right, &plan.left) };
        let width = |node: &Node| node.schema().fields().len();
        let by_pairs = plan.filter.is_some();
        let keys = match (by_pairs, port) {
            (true, _) => [(); 2].map(|()| (0..width(node)).collect()),
            (false, 0) => [plan.left_keys.clone(), plan.right_keys.clone()],
            (false, _) => [plan.right_keys.clone(), plan.left_keys.clone()],
        };
        let existence = plan.kind.is_existence();
        let schema = if existence { plan.schema.clone() } else { node.schema() };
        let null_equals_null = by_pairs || plan.null_equals_null;
        let start = if port == 0 { 0 } else { width(other) };
        let other = other.schema();
        let padding = other.fields().iter().map(|field| field.data_type().clone());
        Side {
            port,
            rows: SemiJoinOperator::of(node, keys, null_equals_null, plan.kind, schema),
            columns: by_pairs.then(|| start..start + width(node)),
            padding: if existence { Vec::new() } else { padding.collect() },
        }
    }

    /// This side's part of pairs.
    fn project(&self, pairs: &ZBatch, columns: Range<usize>) -> Result<ZBatch, SqlError> {
        with_columns(pairs, self.rows.left_schema(), pairs.columns()[columns].to_vec())
    }
}

fn with_columns(delta: &ZBatch, schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<ZBatch, SqlError> {
    let options = RecordBatchOptions::new().with_row_count(Some(delta.len()));
    let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options);
    Ok(delta.with_rows(rows.map_err(|error| SqlError::internal(error.to_string()))?))
}

impl Operator for OuterJoinOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        match input {
            Input::Delta(port, delta) => self.take_delta(port, delta, output)?,
            Input::EndOfEpoch(epoch) => {
                let sides = (0..self.sides.len()).map(Part::Side);
                self.work.extend(sides.map(|side| (side, Input::EndOfEpoch(epoch))));
            }
            Input::Resume => {}
        }
        self.go_on(output)
    }

    fn freeze(&self) -> Frozen {
        let mut state = self.pairs.freeze();
        self.sides.iter().for_each(|side| state.append(side.rows.freeze()));
        state
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.pairs.restore(state)?;
        self.sides.iter_mut().try_for_each(|side| side.rows.restore(state))
    }

    fn state_bytes(&self) -> usize {
        self.pairs.state_bytes() + self.sides.iter().map(|side| side.rows.state_bytes()).sum::<usize>()
    }
}

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use springtide_plan::{TopK, arrow_error};
use springtide_state::{Frozen, OrderedZSet};
use springtide_types::{SqlError, ZBatch};

use crate::touched::Touched;
use crate::{Input, Operator, Output, Status};

/// Groups emitted per step.
const BUDGET: usize = 1 << 14;

/// τ: of each group, the rows ranked `offset + 1` to `offset + limit` in an order, each copy of a row having a rank
/// of its own: `ROW_NUMBER() OVER (PARTITION BY g ORDER BY o) <= k`, and `ORDER BY o LIMIT k` as one group.
///
/// Δ(τ(R)) = −τ(R) + τ(R + ΔR), over the groups that ΔR touches, once an epoch; a row that stays costs nothing, nor
/// does one whose rank stays where ranks are part of the output.
/// Cost: O(log group) comparisons per changed row, O(limit) per touched group. State: all rows; over rows that are
/// never retracted, the first `offset + limit` of each group.
#[derive(Debug)]
pub struct TopKOperator {
    rows: OrderedZSet,
    offset: i64,
    limit: i64,
    with_rank: bool,
    schema: SchemaRef,
    touched: Touched,
    /// How many of the touched groups have been emitted, once the epoch has ended.
    emitted: Option<usize>,
}

/// A change of the output: a row, its rank (0 where ranks do not show), and the change of weight.
type Change = (u32, i64, i64);

impl TopKOperator {
    /// The operator of this plan node.
    pub fn new(plan: &TopK) -> TopKOperator {
        let last = plan.offset.saturating_add(plan.limit);
        let keep = plan.input.properties().append_only.then_some(usize::try_from(last).unwrap_or(usize::MAX));
        TopKOperator {
            rows: OrderedZSet::new(plan.input.schema(), plan.group.clone(), plan.order.clone(), keep),
            offset: i64::try_from(plan.offset).unwrap_or(i64::MAX),
            limit: i64::try_from(plan.limit).unwrap_or(i64::MAX),
            with_rank: plan.with_rank,
            schema: plan.schema.clone(),
            touched: Touched::default(),
            emitted: None,
        }
    }

    fn add(&mut self, delta: &ZBatch) {
        let groups = self.rows.groups_of(delta.rows());
        let end = self.offset.saturating_add(self.limit);
        self.touched.note(&groups, &self.rows, |rows, group, into| first(rows, group, end, into));
        self.rows.apply(delta, &groups);
    }

    /// Emits the changes of the next touched groups.
    fn emit(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        let Some(emitted) = self.emitted else { return Ok(Status::Done) };
        let end = self.touched.groups().len().min(emitted + BUDGET);
        let mut changes = Vec::new();
        let mut after = Vec::new();
        for place in emitted..end {
            after.clear();
            first(
                &self.rows,
                self.touched.groups()[place],
                self.offset.saturating_add(self.limit),
                &mut after,
            );
            if after != self.touched.before(place) {
                self.rank(self.touched.before(place), -1, &mut changes);
                self.rank(&after, 1, &mut changes);
            }
        }
        // Apart, they need not be told apart where they are applied.
        let (gone, come): (Vec<Change>, Vec<Change>) =
            summed(changes).into_iter().partition(|(.., weight)| *weight < 0);
        for changes in [gone, come] {
            output.push(self.output(changes)?);
        }
        if end < self.touched.groups().len() {
            self.emitted = Some(end);
            return Ok(Status::More);
        }
        self.emitted = None;
        let touched = self.touched.clear();
        self.rows.tidy(&touched);
        Ok(Status::Done)
    }

    /// The output rows that these rows of a group make.
    fn rank(&self, rows: &[(u32, i64)], sign: i64, changes: &mut Vec<Change>) {
        let mut rank = 0;
        for (row, weight) in rows {
            let skipped = (self.offset - rank).clamp(0, *weight);
            if self.with_rank {
                changes.extend((rank + skipped + 1..=rank + weight).map(|rank| (*row, rank, sign)));
            } else if *weight > skipped {
                changes.push((*row, 0, sign * (weight - skipped)));
            }
            rank += weight;
        }
    }

    fn output(&self, changes: Vec<Change>) -> Result<ZBatch, SqlError> {
        let rows = changes.iter().map(|(row, ..)| *row).collect::<Vec<_>>();
        let mut columns = self.rows.gather(&rows).columns().to_vec();
        if self.with_rank {
            let ranks: ArrayRef =
                Arc::new(Int64Array::from_iter_values(changes.iter().map(|(_, rank, _)| *rank)));
            let rank_type = self.schema.field(columns.len()).data_type();
            columns.push(cast(&ranks, rank_type).map_err(|error| arrow_error(&error))?);
        }
        let rows = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        Ok(ZBatch::new(rows, Int64Array::from_iter_values(changes.iter().map(|(.., weight)| *weight))))
    }
}

/// Takes the first rows of a group, `limit` copies in all.
fn first(rows: &OrderedZSet, group: u32, limit: i64, into: &mut Vec<(u32, i64)>) {
    let mut missing = limit;
    // A retraction that waits for its insertion is no row.
    for (row, weight) in rows.rows_of(group).filter(|(_, weight)| *weight > 0) {
        if missing == 0 {
            break;
        }
        let taken = weight.min(missing);
        into.push((row, taken));
        missing -= taken;
    }
}

/// Each change once, without those that cancel out.
fn summed(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_unstable();
    let same = |left: &Change, right: &Change| (left.0, left.1) == (right.0, right.1);
    let sums =
        changes.chunk_by(same).map(|same| (same[0].0, same[0].1, same.iter().map(|change| change.2).sum()));
    sums.filter(|change: &Change| change.2 != 0).collect()
}

impl Operator for TopKOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
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

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.rows.restore(&state.next_section())
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes()
    }
}

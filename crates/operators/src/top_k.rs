use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use springtide_plan::{TopK, arrow_error};
use springtide_state::{Frozen, Keep, OrderedZSet};
use springtide_types::{SqlError, ZBatch};

use crate::touched::Touched;
use crate::{Input, Operator, Output, Status};

/// Groups emitted per step.
const BUDGET: usize = 1 << 14;

/// τ: of each group, the rows ranked `offset + 1` to `offset + limit` in an order, each copy of a row having a rank
/// of its own: `ROW_NUMBER() OVER (PARTITION BY g ORDER BY o) <= k`, and `ORDER BY o LIMIT k` as one group. With ties, the
/// rows that are equal to the last one in the order belong to them: `RANK() OVER (PARTITION BY g ORDER BY o) <= k`.
///
/// Δ(τ(R)) = −τ(R) + τ(R + ΔR), over the groups that ΔR touches, once an epoch; a row that stays costs nothing, nor
/// does one whose rank stays where ranks are part of the output.
/// Cost: O(log group) comparisons per changed row, O(limit + ties) per touched group. State: all rows; over rows that are
/// never retracted, the first `offset + limit` of each group and those that tie with the last of them.
#[derive(Debug)]
pub struct TopKOperator {
    rows: OrderedZSet,
    offset: i64,
    limit: i64,
    ties: Option<usize>,
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
        let keep = plan
            .input
            .properties()
            .append_only
            .then(|| Keep { rows: usize::try_from(last).unwrap_or(usize::MAX), ties: plan.ties });
        TopKOperator {
            rows: OrderedZSet::new(plan.input.schema(), plan.group.clone(), plan.order.clone(), keep),
            offset: i64::try_from(plan.offset).unwrap_or(i64::MAX),
            limit: i64::try_from(plan.limit).unwrap_or(i64::MAX),
            ties: plan.ties,
            with_rank: plan.with_rank,
            schema: plan.schema.clone(),
            touched: Touched::default(),
            emitted: None,
        }
    }

    fn add(&mut self, delta: &ZBatch) {
        let groups = self.rows.groups_of(delta.selected_rows());
        let (end, ties) = (self.end(), self.ties);
        self.touched.note(&groups, &self.rows, |rows, group, into| first(rows, group, end, ties, into));
        self.rows.apply(delta, &groups);
    }

    /// The last rank in the output.
    fn end(&self) -> i64 {
        self.offset.saturating_add(self.limit)
    }

    /// Emits the changes of the next touched groups.
    fn emit(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        let Some(emitted) = self.emitted else { return Ok(Status::Done) };
        let end = self.touched.groups().len().min(emitted + BUDGET);
        let mut changes = Vec::new();
        let mut after = Vec::new();
        for place in emitted..end {
            after.clear();
            first(&self.rows, self.touched.groups()[place], self.end(), self.ties, &mut after);
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
        let mut before = 0;
        // Of the rows that tie with the present one.
        let mut shared_rank = 1;
        let mut previous = None;
        for (row, weight) in rows {
            let skipped = (self.offset - before).clamp(0, *weight);
            match self.ties.filter(|_| self.with_rank) {
                Some(columns) => {
                    if previous.is_some_and(|previous| !self.rows.tie(previous, *row, columns)) {
                        shared_rank = before + 1;
                    }
                    previous = Some(*row);
                    changes.push((*row, shared_rank, sign * (weight - skipped)));
                }
                None if self.with_rank => {
                    changes.extend((before + skipped + 1..=before + weight).map(|rank| (*row, rank, sign)));
                }
                None => changes.push((*row, 0, sign * (weight - skipped))),
            }
            before += weight;
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

/// Takes the first rows of a group, `limit` copies in all, and the copies that tie with the last of them.
fn first(rows: &OrderedZSet, group: u32, limit: i64, ties: Option<usize>, into: &mut Vec<(u32, i64)>) {
    let mut missing = limit;
    let mut last = None;
    // A retraction that waits for its insertion is no row.
    for (row, weight) in rows.rows_of(group).filter(|(_, weight)| *weight > 0) {
        let tied = ties.zip(last).is_some_and(|(columns, last)| rows.tie(last, row, columns));
        if missing == 0 && !tied {
            break;
        }
        into.push((row, if ties.is_some() { weight } else { weight.min(missing) }));
        if missing > 0 {
            last = Some(row);
        }
        missing -= weight.min(missing);
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

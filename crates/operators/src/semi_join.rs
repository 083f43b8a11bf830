use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::not;
use arrow::datatypes::{Schema, SchemaRef};
use springtide_plan::{Join, JoinKind, Node, arrow_error};
use springtide_state::{Cursor, Frozen, IndexedZSet, KeyTable, Matches, weights_column};
use springtide_types::{SqlError, ZBatch};

use crate::join::{key_columns, without_nulls};
use crate::slots::{freeze_slots, restore_slots};
use crate::{Input, Operator, Output, Status};

/// Rows of the left side that a step takes out of the state.
const BUDGET: usize = 1 << 16;

/// ⋉, ▷ and mark join: rows of the left side by whether the right side has a row of their key.
///
/// Let `m` tell of each key whether the right side has it, and `keep` be `m` for ⋉ and `¬m` for ▷:
/// Δ(L ⋉ R) = keep'(ΔL) + (keep' − keep)(L), where `keep'` is `keep` after ΔR. The second term touches the
/// rows of keys that the right side gains or loses, and no others. A mark join keeps all rows and appends `m`.
/// Both terms are emitted when the epoch ends, so that a key that goes and comes back moves nothing.
/// Cost: O(1) per changed row, O(matches) for a key gained or lost; state: the left side, and a counter
/// for each key of the right side.
#[derive(Debug)]
pub struct SemiJoinOperator {
    keep: Keep,
    left_keys: Vec<usize>,
    right_keys: Vec<usize>,
    null_equals_null: bool,
    schema: SchemaRef,
    left_schema: SchemaRef,
    /// The left side, but for keys that never match.
    rows: IndexedZSet,
    /// The keys of the right side.
    keys: KeyTable,
    /// How many rows of the right side have the key.
    counts: Vec<i64>,
    touched: Vec<bool>,
    /// The keys touched in this epoch, and their counts before it.
    before: Vec<(u32, i64)>,
    /// Changes of the left side in this epoch.
    deltas: VecDeque<ZBatch>,
    flips: Option<Flips>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Matched,
    Unmatched,
    Marked,
}

/// Keys that the right side has gained or lost, and how far the rows of the left side have been told.
#[derive(Debug)]
struct Flips {
    keys: Vec<ArrayRef>,
    hashes: Vec<u64>,
    gained: Vec<bool>,
    cursor: Cursor,
}

impl SemiJoinOperator {
    /// The operator of a plan node without a filter.
    pub fn new(plan: &Join) -> SemiJoinOperator {
        let keys = [plan.left_keys.clone(), plan.right_keys.clone()];
        SemiJoinOperator::of(&plan.left, keys, plan.null_equals_null, plan.kind, plan.schema.clone())
    }

    /// `input` by the keys of another side whose key columns have the same types. The kinds with pairs count
    /// as the anti join of their padded rows.
    pub(crate) fn of(
        input: &Node,
        [left_keys, right_keys]: [Vec<usize>; 2],
        null_equals_null: bool,
        kind: JoinKind,
        schema: SchemaRef,
    ) -> SemiJoinOperator {
        let left_schema = input.schema();
        let fields = left_keys.iter().map(|key| left_schema.field(*key).clone()).collect::<Vec<_>>();
        let keys = KeyTable::new(Arc::new(Schema::new(fields)));
        let append_only = input.properties().append_only;
        SemiJoinOperator {
            keep: match kind {
                JoinKind::Semi => Keep::Matched,
                JoinKind::Mark => Keep::Marked,
                _ => Keep::Unmatched,
            },
            rows: IndexedZSet::new(left_schema.clone(), left_keys.clone(), append_only),
            left_keys,
            right_keys,
            null_equals_null,
            schema,
            left_schema,
            keys,
            counts: Vec::new(),
            touched: Vec::new(),
            before: Vec::new(),
            deltas: VecDeque::new(),
            flips: None,
        }
    }

    /// Schema of the left side.
    pub(crate) fn left_schema(&self) -> &SchemaRef {
        &self.left_schema
    }

    /// Counts a change of the right side.
    fn count(&mut self, delta: ZBatch) -> Result<(), SqlError> {
        let delta = self.matchable(delta, &self.right_keys);
        let keys = self.key_batch(&delta, &self.right_keys)?;
        let slots = self.keys.intern(&keys);
        self.counts.resize(self.keys.slots(), 0);
        self.touched.resize(self.keys.slots(), false);
        for (slot, weight) in slots.into_iter().zip(delta.weights().values()) {
            let at = slot as usize;
            if !std::mem::replace(&mut self.touched[at], true) {
                self.before.push((slot, self.counts[at]));
            }
            self.counts[at] += weight;
        }
        Ok(())
    }

    fn end_epoch(&mut self) {
        let before = std::mem::take(&mut self.before);
        let counts = &self.counts;
        let flipped = before.iter().filter(|(slot, count)| (*count > 0) != (counts[*slot as usize] > 0));
        let flipped = flipped.map(|(slot, _)| *slot).collect::<Vec<_>>();
        if !flipped.is_empty() {
            let keys = self.keys.gather(&(0..self.left_keys.len()).collect::<Vec<_>>(), &flipped);
            let hashes = IndexedZSet::hashes(&keys, flipped.len());
            let gained = flipped.iter().map(|slot| counts[*slot as usize] > 0).collect();
            self.flips = Some(Flips { keys, hashes, gained, cursor: Cursor::default() });
        }
        before.iter().for_each(|(slot, _)| self.touched[*slot as usize] = false);
        let gone = before.iter().map(|(slot, _)| *slot).filter(|slot| self.counts[*slot as usize] == 0);
        self.keys.release(&gone.collect::<Vec<_>>());
    }

    /// Does the next piece of what the end of an epoch asks for.
    fn emit(&mut self, output: &mut Output) -> Result<Status, SqlError> {
        if let Some(mut flips) = self.flips.take() {
            let matches = self.rows.probe(&flips.keys, &flips.hashes, &mut flips.cursor, BUDGET);
            if !matches.row_ids.is_empty() {
                self.emit_flipped(&flips, &matches, output)?;
                self.flips = Some(flips);
                return Ok(Status::More);
            }
        }
        // The rows that flip are those that were there before this epoch, so these come afterwards.
        if let Some(delta) = self.deltas.pop_front() {
            let matched = self.matched(&delta)?;
            output.push(self.kept(&delta, &matched)?);
            self.rows.apply(&self.matchable(delta, &self.left_keys));
        }
        Ok(if self.deltas.is_empty() { Status::Done } else { Status::More })
    }

    fn emit_flipped(&self, flips: &Flips, matches: &Matches, output: &mut Output) -> Result<(), SqlError> {
        let rows = self.rows.gather_rows(&matches.row_ids);
        let rows = ZBatch::new(rows, Int64Array::from(matches.weights.clone()));
        let gained = matches.probe_rows.iter().map(|row| flips.gained[*row as usize]);
        let gained = BooleanArray::from(gained.collect::<Vec<_>>());
        let lost = not(&gained).map_err(|error| arrow_error(&error))?;
        output.push(self.kept(&rows.negate(), &lost)?);
        output.push(self.kept(&rows, &gained)?);
        Ok(())
    }

    /// What comes out of rows of the left side, given which of them the right side matches.
    fn kept(&self, rows: &ZBatch, matched: &BooleanArray) -> Result<ZBatch, SqlError> {
        Ok(match self.keep {
            Keep::Matched => rows.filter(matched),
            Keep::Unmatched => rows.filter(&not(matched).map_err(|error| arrow_error(&error))?),
            Keep::Marked => {
                let mark: ArrayRef = Arc::new(matched.clone());
                let columns = rows.columns().iter().cloned().chain([mark]).collect();
                rows.with_rows(batch(&self.schema, columns, rows.len())?)
            }
        })
    }

    /// Which rows of the left side have a key that the right side has.
    fn matched(&self, delta: &ZBatch) -> Result<BooleanArray, SqlError> {
        let slots = self.keys.find(&self.key_batch(delta, &self.left_keys)?);
        // Keys with NULLs that never match are not among those of the right side.
        let has = |row: usize| slots[row].is_some_and(|slot| self.counts[slot as usize] > 0);
        Ok(BooleanArray::new(BooleanBuffer::collect_bool(slots.len(), has), None))
    }

    /// The rows whose keys can match at all.
    fn matchable(&self, delta: ZBatch, keys: &[usize]) -> ZBatch {
        if self.null_equals_null { delta } else { without_nulls(delta, keys) }
    }

    fn key_batch(&self, delta: &ZBatch, keys: &[usize]) -> Result<RecordBatch, SqlError> {
        batch(self.keys.schema(), key_columns(delta, keys), delta.len())
    }
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, SqlError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|error| SqlError::internal(error.to_string()))
}

impl Operator for SemiJoinOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        match input {
            Input::Delta(_, delta) if delta.is_empty() => Ok(Status::Done),
            Input::Delta(0, delta) => {
                self.deltas.push_back(delta);
                Ok(Status::Done)
            }
            Input::Delta(_, delta) => {
                self.count(delta)?;
                Ok(Status::Done)
            }
            Input::EndOfEpoch(_) => {
                self.end_epoch();
                self.emit(output)
            }
            Input::Resume => self.emit(output),
        }
    }

    fn freeze(&self) -> Frozen {
        let keys = freeze_slots(&self.keys, &self.keys.live(), |slots| {
            vec![Arc::new(Int64Array::from_iter_values(slots.iter().map(|slot| self.counts[*slot as usize])))]
        });
        let mut state = Frozen::new([self.rows.freeze()]);
        state.push(keys);
        state
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.rows.restore(&state.next_section())?;
        for batch in state.next_section() {
            let (_, values) = restore_slots(&mut self.keys, &batch)?;
            self.counts.extend(weights_column(values.first())?.values());
        }
        self.touched.resize(self.keys.slots(), false);
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.rows.bytes() + self.keys.bytes() + 9 * self.counts.capacity()
    }
}

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use springtide_state::{KeyTable, frozen_batch, normalize_floats, weights_column};
use springtide_types::{Result, ZBatch};

use super::accumulator::Accumulator;
use super::inputs::passing;
use crate::slots::{freeze_slots, restore_slots};

/// What all aggregates over the distinct values of one argument share: how often each value is there. Per aggregate
/// a value counts the rows that pass its filter; it goes into the aggregate's accumulator when that count becomes
/// positive, and out when it ceases to be. O(1) per changed row, and per aggregate; state: one counter per distinct
/// (group, value), and one more per aggregate with a filter.
pub(super) struct DistinctValues {
    argument: usize,
    schema: SchemaRef,
    pairs: KeyTable,
    /// Rows of each pair, whatever the filters say.
    rows: Vec<i64>,
    members: Vec<Member>,
}

/// One aggregate over the values.
struct Member {
    /// Which accumulator it is.
    aggregate: usize,
    /// A column and how many rows of each pair pass it; without one, `rows` counts.
    filter: Option<(usize, Vec<i64>)>,
}

impl DistinctValues {
    pub(super) fn new(argument: usize, data_type: &DataType) -> DistinctValues {
        let group = Field::new("group", DataType::UInt32, false);
        let value = Field::new("value", data_type.clone(), true);
        let schema = Arc::new(Schema::new(vec![group, value]));
        let pairs = KeyTable::new(schema.clone());
        DistinctValues { argument, schema, pairs, rows: Vec::new(), members: Vec::new() }
    }

    /// The column whose values these are.
    pub(super) fn argument(&self) -> usize {
        self.argument
    }

    /// Lets an aggregate take part before there are any rows.
    pub(super) fn add_member(&mut self, aggregate: usize, filter: Option<usize>) {
        self.members.push(Member { aggregate, filter: filter.map(|column| (column, Vec::new())) });
    }

    /// Adds a delta; values that come or go are passed on to the accumulators.
    pub(super) fn update(
        &mut self,
        groups: &[u32],
        delta: &ZBatch,
        accumulators: &mut [Box<dyn Accumulator>],
    ) {
        let column = delta.column(self.argument);
        match column.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            None => self.add(groups, delta, column, accumulators),
            Some(nulls) => {
                let rows =
                    (0..delta.len() as u32).filter(|row| nulls.is_valid(*row as usize)).collect::<Vec<_>>();
                let groups = rows.iter().map(|row| groups[*row as usize]).collect::<Vec<_>>();
                let delta = delta.take(&UInt32Array::from(rows));
                self.add(&groups, &delta, delta.column(self.argument), accumulators);
            }
        }
    }

    fn add(
        &mut self,
        groups: &[u32],
        delta: &ZBatch,
        values: &ArrayRef,
        accumulators: &mut [Box<dyn Accumulator>],
    ) {
        let values = normalize_floats(values);
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.to_vec()));
        let pairs = RecordBatch::try_new(self.schema.clone(), vec![group_column, values.clone()])
            .expect("a group and a value per row");
        let pairs = self.pairs.intern(&pairs);
        let slots = self.pairs.slots();
        self.rows.resize(slots, 0);
        let weights = delta.weights().values();
        for member in self.members.iter_mut() {
            let Some((filter, counts)) = &mut member.filter else { continue };
            counts.resize(slots, 0);
            let passing = passing(delta.column(*filter));
            let changes = turns(counts, &pairs, weights, passing.set_indices());
            changes.pass_on(groups, &values, &mut accumulators[member.aggregate]);
        }
        let changes = turns(&mut self.rows, &pairs, weights, 0..pairs.len());
        for member in self.members.iter().filter(|member| member.filter.is_none()) {
            changes.pass_on(groups, &values, &mut accumulators[member.aggregate]);
        }
        if !delta.is_insert_only() {
            self.release(pairs);
        }
    }

    /// Forgets those of these pairs of which there is no row.
    fn release(&mut self, mut pairs: Vec<u32>) {
        pairs.retain(|pair| self.is_gone(*pair as usize));
        pairs.sort_unstable();
        pairs.dedup();
        self.pairs.release(&pairs);
    }

    /// Whether no row has the pair.
    fn is_gone(&self, pair: usize) -> bool {
        let mut filters = self.members.iter().filter_map(|member| member.filter.as_ref());
        self.rows[pair] == 0 && filters.all(|(_, counts)| counts.get(pair).is_none_or(|count| *count == 0))
    }

    /// The pairs as a section: the place of the group among `groups`, which are ascending, the value, the number of rows,
    /// and the counts of the members with a filter.
    pub(super) fn freeze(&self, groups: &[u32]) -> Vec<RecordBatch> {
        let mut places = vec![0; groups.last().map_or(0, |last| *last as usize + 1)];
        for (place, group) in (0..).zip(groups) {
            places[*group as usize] = place;
        }
        // A value that went before it came has left nothing but its place, perhaps that of a group which is no more.
        let there = |pair: &u32| !self.is_gone(*pair as usize);
        let pairs = self.pairs.live().into_iter().filter(there).collect::<Vec<_>>();
        let batches = freeze_slots(&self.pairs, &pairs, |pairs| {
            let column = |counts: &Vec<i64>| -> ArrayRef {
                let counts = pairs.iter().map(|pair| counts.get(*pair as usize).copied().unwrap_or(0));
                Arc::new(Int64Array::from_iter_values(counts))
            };
            let filters = self.members.iter().filter_map(|member| member.filter.as_ref());
            std::iter::once(column(&self.rows)).chain(filters.map(|(_, counts)| column(counts))).collect()
        });
        let placed = batches.into_iter().map(|batch| {
            let groups = batch
                .column(0)
                .as_primitive::<UInt32Type>()
                .unary::<_, UInt32Type>(|group| places[group as usize]);
            let mut columns = batch.columns().to_vec();
            columns[0] = Arc::new(groups);
            frozen_batch(columns, batch.num_rows())
        });
        placed.collect()
    }

    /// Takes those pairs over.
    pub(super) fn restore(&mut self, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            let (_, columns) = restore_slots(&mut self.pairs, batch)?;
            let mut columns = columns.iter();
            self.rows.extend(weights_column(columns.next())?.values());
            for (_, counts) in self.members.iter_mut().filter_map(|member| member.filter.as_mut()) {
                counts.extend(weights_column(columns.next())?.values());
            }
        }
        Ok(())
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let counts = self.members.iter().filter_map(|member| Some(member.filter.as_ref()?.1.capacity()));
        self.pairs.bytes() + 8 * (self.rows.capacity() + counts.sum::<usize>())
    }
}

/// Rows with which a value comes or goes, and which of both.
struct Turns {
    rows: Vec<u32>,
    weights: Vec<i64>,
}

/// Adds the weights of these rows, and finds where a count turns positive or ceases to be.
fn turns(counts: &mut [i64], pairs: &[u32], weights: &[i64], rows: impl Iterator<Item = usize>) -> Turns {
    let mut turns = Turns { rows: Vec::new(), weights: Vec::new() };
    for row in rows {
        let count = &mut counts[pairs[row] as usize];
        let was_there = *count > 0;
        *count += weights[row];
        if was_there != (*count > 0) {
            turns.rows.push(row as u32);
            turns.weights.push(if was_there { -1 } else { 1 });
        }
    }
    turns
}

impl Turns {
    fn pass_on(&self, groups: &[u32], values: &ArrayRef, accumulator: &mut Box<dyn Accumulator>) {
        if self.rows.is_empty() {
            return;
        }
        let groups = self.rows.iter().map(|row| groups[*row as usize]).collect::<Vec<_>>();
        let values = take(values, &UInt32Array::from(self.rows.clone()), None).expect("rows are in bounds");
        accumulator.update(&groups, &values, &self.weights);
    }
}

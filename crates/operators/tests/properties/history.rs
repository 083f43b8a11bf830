//! Random histories of rows, and what operators make of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use springtide_operators::{Input, Operator, Output, Status};
use springtide_plan::{Node, Source};
use springtide_state::normalize_floats;
use springtide_types::{RelationId, SortColumn, SqlError, ZBatch};

/// A row: `k bigint, v integer, f double precision, t text, b boolean`, the float as bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub k: Option<i64>,
    pub v: Option<i32>,
    pub f: Option<u64>,
    pub t: Option<&'static str>,
    pub b: Option<bool>,
}

pub(crate) type Multiset = BTreeMap<Row, i64>;

/// What has come out of an operator, rows and errors as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub rows: BTreeMap<String, i64>,
    pub errors: BTreeMap<SqlError, i64>,
}

pub(crate) fn random_row(random: &mut fastrand::Rng) -> Row {
    let floats = [0.0, 1.0, 0.1, -2.5, 1e308, -1e308, f64::NAN, f64::INFINITY, 1e-320];
    // Mostly plain values, so that many sums stay finite.
    let kinds = if random.u8(..) < 20 { floats.len() } else { 4 };
    Row {
        k: (random.u8(..) > 20).then(|| random.i64(0..8)),
        v: (random.u8(..) > 40).then(|| random.i32(-3..4)),
        f: (random.u8(..) > 40).then(|| floats[random.usize(0..kinds)].to_bits()),
        t: (random.u8(..) > 40).then(|| ["", "a", "ab", "b"][random.usize(0..4)]),
        b: (random.u8(..) > 40).then(|| random.bool()),
    }
}

/// The rows, with zeros and NaNs in random forms.
pub(crate) fn batch(random: &mut fastrand::Rng, rows: &[(Row, i64)]) -> ZBatch {
    let form = |bits: u64| {
        let value = f64::from_bits(bits);
        if (value == 0.0 || value.is_nan()) && random.bool() { -value } else { value }
    };
    let mut form = form;
    let columns: [(&str, ArrayRef, bool); 5] = [
        ("k", Arc::new(rows.iter().map(|(row, _)| row.k).collect::<Int64Array>()), true),
        ("v", Arc::new(rows.iter().map(|(row, _)| row.v).collect::<Int32Array>()), true),
        ("f", Arc::new(rows.iter().map(|(row, _)| row.f.map(&mut form)).collect::<Float64Array>()), true),
        ("t", Arc::new(rows.iter().map(|(row, _)| row.t).collect::<StringArray>()), true),
        ("b", Arc::new(rows.iter().map(|(row, _)| row.b).collect::<BooleanArray>()), true),
    ];
    let weights = rows.iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
    ZBatch::new(RecordBatch::try_from_iter_with_nullable(columns).unwrap(), weights.into())
}

pub(crate) fn schema() -> SchemaRef {
    batch(&mut fastrand::Rng::with_seed(0), &[]).schema()
}

pub(crate) fn source(append_only: bool, unique_keys: Vec<Vec<usize>>) -> Node {
    let (relation, schema) = (RelationId(1), schema());
    let columns = (0..schema.fields().len()).collect();
    Node::Source(Source { relation, name: "r".to_owned(), columns, schema, append_only, unique_keys })
}

fn value_order(left: &Row, right: &Row, column: usize) -> Ordering {
    let float = |bits: Option<u64>| f64::from_bits(bits.unwrap_or(0));
    match column {
        0 => left.k.cmp(&right.k),
        1 => left.v.cmp(&right.v),
        2 => {
            let (left, right) = (float(left.f), float(right.f));
            left.is_nan().cmp(&right.is_nan()).then(left.partial_cmp(&right).unwrap_or(Ordering::Equal))
        }
        3 => left.t.cmp(&right.t),
        _ => left.b.cmp(&right.b),
    }
}

/// How two rows follow each other in a column.
fn order(left: &Row, right: &Row, sort: &SortColumn) -> Ordering {
    let is_null =
        |row: &Row| [row.k.is_none(), row.v.is_none(), row.f.is_none(), row.t.is_none(), row.b.is_none()];
    let (left_null, right_null) = (is_null(left)[sort.column], is_null(right)[sort.column]);
    if left_null || right_null {
        let nulls = left_null.cmp(&right_null);
        return if sort.nulls_first { nulls.reverse() } else { nulls };
    }
    let values = value_order(left, right, sort.column);
    if sort.descending { values.reverse() } else { values }
}

/// The rows of each group, which the columns `k` and `b` may form, in an order; a row of weight n n times.
pub(crate) fn groups_in_order(rows: &Multiset, group: &[usize], order_by: &[SortColumn]) -> Vec<Vec<Row>> {
    type Key = (Option<i64>, Option<bool>);
    let mut groups: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
    for (row, weight) in rows {
        let key = (row.k.filter(|_| group.contains(&0)), row.b.filter(|_| group.contains(&4)));
        groups.entry(key).or_default().extend(std::iter::repeat_n(row.clone(), *weight as usize));
    }
    let orders = order_by.iter().copied().chain((0..5).map(SortColumn::ascending)).collect::<Vec<_>>();
    groups.values_mut().for_each(|rows| rows.sort_by(|left, right| compare(&orders, left, right)));
    groups.into_values().collect()
}

/// How two rows follow each other in some columns.
pub(crate) fn compare(orders: &[SortColumn], left: &Row, right: &Row) -> Ordering {
    orders.iter().fold(Ordering::Equal, |found, sort| found.then_with(|| order(left, right, sort)))
}

pub(crate) fn add(multiset: &mut Multiset, row: &Row, weight: i64) {
    let total = multiset.entry(row.clone()).or_default();
    *total += weight;
    if *total == 0 {
        multiset.remove(row);
    }
}

/// Changes `contents` and returns the change as batches, deletions before or after insertions.
pub(crate) fn random_epoch(
    random: &mut fastrand::Rng,
    contents: &mut Multiset,
    append_only: bool,
) -> Vec<ZBatch> {
    let mut records = Vec::new();
    for _ in 0..random.usize(0..12) {
        let (row, weight) = (random_row(random), random.i64(1..3));
        add(contents, &row, weight);
        records.push((row, weight));
    }
    let deletions = if append_only { 0 } else { random.usize(0..14) };
    for _ in 0..deletions {
        let Some((row, weight)) = random.choice(contents.iter()).map(|(row, weight)| (row.clone(), *weight))
        else {
            break;
        };
        let gone = random.i64(1..=weight);
        add(contents, &row, -gone);
        records.push((row, -gone));
    }
    random.shuffle(&mut records);
    let mut batches = Vec::new();
    while !records.is_empty() {
        let rest = records.split_off(random.usize(1..=records.len()));
        batches.push(batch(random, &records));
        records = rest;
    }
    batches
}

/// An operator that goes on from what another one of the same plan node keeps.
pub(crate) fn resumed<O: Operator>(operator: &O, mut fresh: O) -> O {
    fresh.restore(&mut operator.freeze()).unwrap();
    fresh
}

/// Gives an input to the operator and lets it finish.
pub(crate) fn feed(operator: &mut dyn Operator, input: Input, contents: &mut Contents) -> usize {
    let mut input = input;
    let mut steps = 1;
    loop {
        let mut output = Output::default();
        let status = operator.step(input, &mut output).unwrap();
        output.rows.iter().for_each(|delta| contents.add(delta));
        for delta in output.errors {
            let total = contents.errors.entry(delta.error).or_default();
            *total += delta.weight;
        }
        contents.errors.retain(|_, weight| *weight != 0);
        if status == Status::Done {
            return steps;
        }
        input = Input::Resume;
        steps += 1;
    }
}

impl Contents {
    pub(crate) fn add(&mut self, delta: &ZBatch) {
        for (row, weight) in texts(delta.rows()).into_iter().zip(delta.weights().values()) {
            *self.rows.entry(row).or_default() += weight;
        }
        self.rows.retain(|_, weight| *weight != 0);
    }
}

/// Each row as text.
fn texts(rows: &RecordBatch) -> Vec<String> {
    let columns = rows.columns().iter().map(normalize_floats).collect::<Vec<_>>();
    let options = FormatOptions::new().with_null("null");
    let columns = columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
    let columns = columns.collect::<Vec<_>>();
    let row = |row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..rows.num_rows()).map(row).collect()
}

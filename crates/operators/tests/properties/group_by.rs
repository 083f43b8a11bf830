//! GROUP BY with every aggregate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray};
use arrow::array::{IntervalMonthDayNanoArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, IntervalMonthDayNanoType, IntervalUnit, Schema};
use springtide_operators::{ExactSum, GroupByOperator, Input, Operator, Output, Status};
use springtide_plan::{Aggregate, AggregateFunction, GroupBy, Node, Source};
use springtide_types::{RelationId, SortColumn, SqlError, SqlState, ZBatch};

use crate::history::*;

use AggregateFunction::{ArrayAgg, Count, Max, Min, Sum};

fn aggregate(function: AggregateFunction, argument: Option<usize>, output: DataType) -> Aggregate {
    Aggregate { function, argument, distinct: false, order: Vec::new(), filter: None, output }
}

fn group_by(input: Node, keys: &[usize], aggregates: Vec<Aggregate>) -> GroupBy {
    let fields = keys.iter().map(|key| input.schema().field(*key).clone());
    let outputs = aggregates.iter().enumerate();
    let outputs = outputs.map(|(at, aggregate)| Field::new(format!("a{at}"), aggregate.output.clone(), true));
    let schema = Arc::new(Schema::new(fields.chain(outputs).collect::<Vec<_>>()));
    GroupBy { input, keys: keys.to_vec(), aggregates, schema }
}

/// All aggregates over the columns of [`Row`].
fn aggregates() -> Vec<Aggregate> {
    let distinct = |aggregate: Aggregate| Aggregate { distinct: true, ..aggregate };
    let filtered = |aggregate: Aggregate| Aggregate { filter: Some(4), ..aggregate };
    let descending = |aggregate: Aggregate| {
        let column = aggregate.argument.into_iter();
        let order = column.map(|column| SortColumn { column, descending: true, nulls_first: true }).collect();
        Aggregate { order, ..aggregate }
    };
    vec![
        aggregate(Count, None, DataType::Int64),
        aggregate(Count, Some(1), DataType::Int64),
        aggregate(Sum, Some(1), DataType::Int64),
        aggregate(Sum, Some(2), DataType::Float64),
        aggregate(Min, Some(2), DataType::Float64),
        aggregate(Max, Some(2), DataType::Float64),
        aggregate(Max, Some(3), DataType::Utf8),
        distinct(aggregate(Count, Some(1), DataType::Int64)),
        distinct(aggregate(Sum, Some(1), DataType::Int64)),
        distinct(aggregate(Count, Some(2), DataType::Int64)),
        aggregate(ArrayAgg, Some(1), integers()),
        filtered(descending(distinct(aggregate(ArrayAgg, Some(1), integers())))),
        filtered(aggregate(Count, None, DataType::Int64)),
        filtered(aggregate(Min, Some(1), DataType::Int32)),
        filtered(distinct(aggregate(Count, Some(3), DataType::Int64))),
    ]
}

fn integers() -> DataType {
    DataType::new_list(DataType::Int32, true)
}

/// The array of these values in order, NULL after all others.
fn array(mut values: Vec<Option<i32>>, descending: bool) -> ArrayRef {
    values.sort_by_key(|value| (value.is_none(), *value));
    if descending {
        values.reverse();
    }
    let array = (!values.is_empty()).then_some(values);
    Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![array]))
}

/// NaN is the greatest of all.
fn float_order(a: &f64, b: &f64) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
}

fn texts(value: Option<&str>) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn bigint(value: Option<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn double(value: Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(vec![value]))
}

/// The results of [`aggregates`] over the rows of a group, or its error.
fn recompute(rows: &[(&Row, i64)]) -> Result<Vec<ArrayRef>, SqlError> {
    let ints = || rows.iter().filter_map(|(row, weight)| Some((i64::from(row.v?), *weight)));
    let floats = || rows.iter().filter_map(|(row, weight)| Some((f64::from_bits(row.f?), *weight)));
    let passing = || rows.iter().filter(|(row, _)| row.b == Some(true));
    let distinct = ints().map(|(value, _)| value).collect::<BTreeSet<_>>();
    let sum = ints().map(|(value, weight)| value * weight).sum::<i64>();
    let mut exact = ExactSum::new();
    floats().for_each(|(value, weight)| (0..weight).for_each(|_| exact.add(value, 1)));
    let float_sum = if floats().next().is_some() { Some(exact.value()?) } else { None };
    Ok(vec![
        bigint(Some(rows.iter().map(|(_, weight)| weight).sum())),
        bigint(Some(ints().map(|(_, weight)| weight).sum())),
        bigint(ints().next().map(|_| sum)),
        double(float_sum),
        double(floats().map(|(value, _)| value).min_by(float_order)),
        double(floats().map(|(value, _)| value).max_by(float_order)),
        texts(rows.iter().filter_map(|(row, _)| row.t).max()),
        bigint(Some(distinct.len() as i64)),
        bigint((!distinct.is_empty()).then(|| distinct.iter().sum())),
        bigint(Some(rows.iter().filter_map(|(row, _)| row.f).collect::<BTreeSet<_>>().len() as i64)),
        array(rows.iter().flat_map(|(row, weight)| vec![row.v; *weight as usize]).collect(), false),
        array(passing().map(|(row, _)| row.v).collect::<BTreeSet<_>>().into_iter().collect(), true),
        bigint(Some(passing().map(|(_, weight)| weight).sum())),
        Arc::new(Int32Array::from(vec![passing().filter_map(|(row, _)| row.v).min()])),
        bigint(Some(passing().filter_map(|(row, _)| row.t).collect::<BTreeSet<_>>().len() as i64)),
    ])
}

fn expect(plan: &GroupBy, rows: &Multiset) -> Contents {
    type Key = (Option<i64>, Option<u64>, Option<&'static str>);
    let mut groups: BTreeMap<Key, Vec<(&Row, i64)>> = BTreeMap::new();
    for (row, weight) in rows {
        let has = |column| plan.keys.contains(&column);
        let key = (row.k.filter(|_| has(0)), row.f.filter(|_| has(2)), row.t.filter(|_| has(3)));
        groups.entry(key).or_default().push((row, *weight));
    }
    if plan.keys.is_empty() && groups.is_empty() {
        groups.insert((None, None, None), Vec::new());
    }
    let mut contents = Contents::default();
    for ((k, f, t), rows) in groups {
        let mut columns = plan
            .keys
            .iter()
            .map(|column| match column {
                0 => bigint(k),
                2 => double(f.map(f64::from_bits)),
                _ => texts(t),
            })
            .collect::<Vec<_>>();
        match recompute(&rows) {
            Ok(results) => {
                columns.extend(results);
                contents.add(&ZBatch::inserts(RecordBatch::try_new(plan.schema.clone(), columns).unwrap()));
            }
            Err(error) => {
                *contents.errors.entry(error).or_default() += 1;
            }
        }
    }
    contents
}

/// Errors without the names of their groups.
fn anonymous(mut contents: Contents) -> Contents {
    let mut errors = BTreeMap::new();
    for (error, weight) in contents.errors {
        *errors.entry(SqlError { detail: None, ..error }).or_default() += weight;
    }
    contents.errors = errors;
    contents
}

fn check(keys: &[usize], append_only: bool) {
    let plan = group_by(source(append_only, vec![]), keys, aggregates());
    let seed = fastrand::u64(..);
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut operator = GroupByOperator::new(&plan, true);
    let (mut rows, mut found) = (Multiset::new(), Contents::default());
    for epoch in 0..100 {
        for delta in random_epoch(random, &mut rows, append_only) {
            let mut output = Output::default();
            assert_eq!(operator.step(Input::Delta(0, delta), &mut output), Ok(Status::Done));
            assert!(output.rows.is_empty(), "rows come at the end of the epoch");
        }
        // Now and then everything goes, so that groups die and slots are used again.
        if !append_only && random.u8(..) < 10 {
            let all = rows.iter().map(|(row, weight)| (row.clone(), -weight)).collect::<Vec<_>>();
            rows.clear();
            operator.step(Input::Delta(0, batch(random, &all)), &mut Output::default()).unwrap();
        }
        feed(&mut operator, Input::EndOfEpoch(epoch), &mut found);
        if random.u8(..) < 30 {
            operator = resumed(&operator, GroupByOperator::new(&plan, true));
        }
        let shown = Contents { rows: found.rows.clone(), errors: found.errors.clone() };
        assert_eq!(anonymous(shown), expect(&plan, &rows), "seed {seed} epoch {epoch}");
    }
}

#[test]
fn group_by_is_recomputation() {
    for keys in [&[][..], &[0], &[2, 0], &[3]] {
        check(keys, false);
        check(keys, true);
    }
}

#[test]
fn global_aggregate_stands_over_nothing_at_its_owner_only() {
    let plan = group_by(source(false, vec![]), &[], vec![aggregate(Count, None, DataType::Int64)]);
    let (mut owner, mut other) = (Contents::default(), Contents::default());
    let mut operator = GroupByOperator::new(&plan, true);
    feed(&mut operator, Input::EndOfEpoch(1), &mut owner);
    assert_eq!(owner.rows, BTreeMap::from([("0".to_owned(), 1)]));
    let mut output = Output::default();
    operator.step(Input::EndOfEpoch(2), &mut output).unwrap();
    assert!(output.rows.is_empty(), "once");
    feed(&mut GroupByOperator::new(&plan, false), Input::EndOfEpoch(1), &mut other);
    assert_eq!(other, Contents::default());
}

#[test]
fn nothing_comes_of_a_change_that_changes_nothing() {
    let plan = group_by(source(false, vec![]), &[0], vec![aggregate(Max, Some(1), DataType::Int32)]);
    let mut operator = GroupByOperator::new(&plan, true);
    let random = &mut fastrand::Rng::with_seed(1);
    let row = |v| (Row { k: Some(1), v: Some(v), f: None, t: None, b: None }, 1);
    feed(&mut operator, Input::Delta(0, batch(random, &[row(5)])), &mut Contents::default());
    feed(&mut operator, Input::EndOfEpoch(1), &mut Contents::default());
    let mut output = Output::default();
    operator.step(Input::Delta(0, batch(random, &[row(3)])), &mut output).unwrap();
    operator.step(Input::EndOfEpoch(2), &mut output).unwrap();
    assert!(output.rows.is_empty());
}

/// One aggregate over one column, as (rows, errors) after each delta.
fn over(
    column: ArrayRef,
    output: DataType,
    function: AggregateFunction,
    weights: &[&[i64]],
) -> Vec<Contents> {
    let schema = Arc::new(Schema::new(vec![Field::new("x", column.data_type().clone(), true)]));
    let input = Node::Source(Source {
        relation: RelationId(1),
        name: "r".to_owned(),
        columns: vec![0],
        schema: schema.clone(),
        append_only: false,
        unique_keys: vec![],
    });
    let mut operator =
        GroupByOperator::new(&group_by(input, &[], vec![aggregate(function, Some(0), output)]), true);
    let mut epochs = Vec::new();
    let mut found = Contents::default();
    for (epoch, weights) in weights.iter().enumerate() {
        let rows = RecordBatch::try_new(schema.clone(), vec![column.clone()]).unwrap();
        feed(&mut operator, Input::Delta(0, ZBatch::new(rows, weights.to_vec().into())), &mut found);
        feed(&mut operator, Input::EndOfEpoch(epoch as u64), &mut found);
        epochs.push(Contents { rows: found.rows.clone(), errors: found.errors.clone() });
    }
    epochs
}

fn row(text: &str) -> Contents {
    Contents { rows: BTreeMap::from([(text.to_owned(), 1)]), errors: BTreeMap::new() }
}

fn error(text: &str) -> Contents {
    let error = SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text);
    Contents { rows: BTreeMap::new(), errors: BTreeMap::from([(error, 1)]) }
}

#[test]
fn sums_out_of_range_are_errors_only_while_they_are() {
    let ints = Arc::new(Int32Array::from(vec![1, 2]));
    let found = over(ints, DataType::Int64, Sum, &[&[i64::MAX - 1, 1], &[-1, 0]]);
    assert_eq!(found, [error("bigint out of range"), row(&i64::MAX.to_string())]);
    let most = 10_i128.pow(38) - 1;
    let decimals = Decimal128Array::from(vec![most, most]).with_precision_and_scale(38, 0).unwrap();
    let found = over(Arc::new(decimals), DataType::Decimal128(38, 0), Sum, &[&[1, 1], &[0, -1]]);
    assert_eq!(found, [error("numeric field overflow"), row(&most.to_string())]);
    let ints = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX]));
    let found = over(ints, DataType::Decimal128(38, 0), Sum, &[&[1, 1]]);
    assert_eq!(found, [row("18446744073709551614")]);
}

#[test]
fn intervals_add_and_compare() {
    let make = IntervalMonthDayNanoType::make_value;
    let column =
        || Arc::new(IntervalMonthDayNanoArray::from(vec![make(1, 0, 0), make(0, 29, 0), make(0, 31, 5)]));
    let output = DataType::Interval(IntervalUnit::MonthDayNano);
    assert_eq!(over(column(), output.clone(), Sum, &[&[1, 1, 2]])[0], row("1 mons 91 days 0.000000010 secs"));
    assert_eq!(over(column(), output.clone(), Min, &[&[1, 1, 1]])[0], row("29 days"));
    let found = over(column(), output, Max, &[&[1, 1, 1], &[0, 0, -1]]);
    assert_eq!(found, [row("31 days 0.000000005 secs"), row("1 mons")]);
}

#[test]
fn a_failing_group_is_named() {
    let plan = group_by(source(false, vec![]), &[0, 3], vec![aggregate(Sum, Some(2), DataType::Float64)]);
    let random = &mut fastrand::Rng::with_seed(1);
    let row = Row { k: Some(7), v: None, f: Some(f64::MAX.to_bits()), t: None, b: None };
    let mut found = Contents::default();
    let mut operator = GroupByOperator::new(&plan, true);
    feed(&mut operator, Input::Delta(0, batch(random, &[(row, 2)])), &mut found);
    feed(&mut operator, Input::EndOfEpoch(1), &mut found);
    let details = found.errors.keys().map(|error| error.detail.as_deref()).collect::<Vec<_>>();
    assert_eq!(details, [Some("Failing group has key (k, t)=(7, null).")]);
    assert!(operator.state_bytes() > 0);
}

#[test]
fn an_aggregate_that_cannot_be_maintained_is_reported() {
    let plan = group_by(source(false, vec![]), &[], vec![aggregate(Sum, Some(3), DataType::Utf8)]);
    let error = GroupByOperator::new(&plan, true).step(Input::EndOfEpoch(1), &mut Output::default());
    assert_eq!(error.unwrap_err().sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
}

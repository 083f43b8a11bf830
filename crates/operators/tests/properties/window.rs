//! Window functions: any mixture of functions and frames, over partitions with ties, NULLs and repeated rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use springtide_operators::{Input, WindowOperator};
use springtide_plan::{Bound, Frame, Ranking, Window, WindowFunction};
use springtide_types::{SortColumn, ZBatch};

use crate::history::*;

/// The column `v` of the rows.
const VALUE: usize = 1;

fn bound(random: &mut fastrand::Rng) -> Bound {
    match random.u8(0..4) {
        0 => Bound::Partition,
        1 => Bound::Peers,
        _ => Bound::Rows(random.i64(-2..3)),
    }
}

fn function(random: &mut fastrand::Rng) -> WindowFunction {
    let frame = Frame { start: bound(random), end: bound(random) };
    match random.u8(0..11) {
        0 => WindowFunction::Rank(Ranking::RowNumber),
        1 => WindowFunction::Rank(Ranking::Rank),
        2 => WindowFunction::Rank(Ranking::DenseRank),
        3 => WindowFunction::Shift { column: VALUE, before: random.i64(-3..4) },
        4 => WindowFunction::First(VALUE, frame),
        5 => WindowFunction::Last(VALUE, frame),
        6 => WindowFunction::Count(None, frame),
        7 => WindowFunction::Count(Some(VALUE), frame),
        8 => WindowFunction::Sum(VALUE, frame),
        _ => {
            let partition = Bound::Partition;
            let frame = if random.bool() {
                Frame { start: partition, ..frame }
            } else {
                Frame { end: partition, ..frame }
            };
            WindowFunction::Extreme { column: VALUE, greatest: random.bool(), frame }
        }
    }
}

fn data_type(function: &WindowFunction) -> DataType {
    match function {
        WindowFunction::Rank(_) => DataType::UInt64,
        WindowFunction::Count(..) | WindowFunction::Sum(..) => DataType::Int64,
        _ => DataType::Int32,
    }
}

fn plan(random: &mut fastrand::Rng) -> Window {
    let input = source(false, vec![]);
    let partition = [vec![], vec![0], vec![0, 4]][random.usize(0..3)].clone();
    let mut order = Vec::new();
    for column in [2, 3] {
        if random.bool() {
            order.push(SortColumn { column, descending: random.bool(), nulls_first: random.bool() });
        }
    }
    let functions = (0..random.usize(1..4)).map(|_| function(random)).collect::<Vec<_>>();
    let mut fields = input.schema().fields().to_vec();
    fields.extend(functions.iter().map(|function| Arc::new(Field::new("w", data_type(function), true))));
    let (peers, schema) = (order.len(), Arc::new(Schema::new(fields)));
    Window { input, partition, peers, order, functions, schema }
}

/// The rows of a frame, and the peers of a row, by their definitions.
fn frame_of(frame: Frame, row: usize, peers: &Range<usize>, rows: usize) -> Range<usize> {
    let place = |place: i64| place.clamp(0, rows as i64) as usize;
    let start = match frame.start {
        Bound::Partition => 0,
        Bound::Peers => peers.start,
        Bound::Rows(offset) => place(row as i64 + offset),
    };
    let end = match frame.end {
        Bound::Partition => rows,
        Bound::Peers => peers.end,
        Bound::Rows(offset) => place(row as i64 + offset + 1),
    };
    start..end.max(start)
}

fn result(
    function: &WindowFunction,
    rows: &[Row],
    row: usize,
    same: impl Fn(usize, usize) -> bool,
) -> ArrayRef {
    let peers = (0..rows.len()).filter(|other| same(*other, row)).collect::<Vec<_>>();
    let peers = peers[0]..peers[peers.len() - 1] + 1;
    let value =
        |at: Option<usize>| Arc::new(Int32Array::from(vec![at.and_then(|at| rows[at].v)])) as ArrayRef;
    let number = |number: usize| Arc::new(UInt64Array::from(vec![number as u64 + 1])) as ArrayRef;
    let of = |frame: &Frame| frame_of(*frame, row, &peers, rows.len());
    let values =
        |frame: &Frame| rows[of(frame)].iter().filter_map(|row| row.v.map(i64::from)).collect::<Vec<_>>();
    let whole = |number: Option<i64>| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    match function {
        WindowFunction::Rank(Ranking::RowNumber) => number(row),
        WindowFunction::Rank(Ranking::Rank) => number(peers.start),
        WindowFunction::Rank(Ranking::DenseRank) => {
            number((1..=row).filter(|row| !same(row - 1, *row)).count())
        }
        WindowFunction::Shift { before, .. } => {
            value(usize::try_from(row as i64 - before).ok().filter(|at| *at < rows.len()))
        }
        WindowFunction::First(_, frame) => value(of(frame).next()),
        WindowFunction::Last(_, frame) => value(of(frame).last()),
        WindowFunction::Count(None, frame) => whole(Some(of(frame).len() as i64)),
        WindowFunction::Count(Some(_), frame) => whole(Some(values(frame).len() as i64)),
        WindowFunction::Sum(_, frame) => {
            let values = values(frame);
            whole((!values.is_empty()).then(|| values.iter().sum()))
        }
        WindowFunction::Extreme { greatest, frame, .. } => {
            let values = rows[of(frame)].iter().filter_map(|row| row.v);
            let value = if *greatest { values.max() } else { values.min() };
            Arc::new(Int32Array::from(vec![value]))
        }
        WindowFunction::Other(function) => panic!("{function:?} is not tested here"),
    }
}

fn expect(plan: &Window, rows: &Multiset) -> Contents {
    let mut contents = Contents::default();
    for rows in groups_in_order(rows, &plan.partition, &plan.order) {
        let same = |one: usize, other: usize| compare(&plan.order, &rows[one], &rows[other]).is_eq();
        for row in 0..rows.len() {
            let input = batch(&mut fastrand::Rng::with_seed(0), &[(rows[row].clone(), 1)]);
            let results = plan.functions.iter().map(|function| result(function, &rows, row, same));
            let columns = input.columns().iter().cloned().chain(results).collect();
            contents.add(&ZBatch::inserts(RecordBatch::try_new(plan.schema.clone(), columns).unwrap()));
        }
    }
    contents
}

#[test]
fn rows_come_and_go() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..150 {
        let plan = plan(&mut random);
        let mut operator = WindowOperator::new(&plan);
        let (mut rows, mut contents) = (Multiset::new(), Contents::default());
        for epoch in 0..20 {
            for delta in random_epoch(&mut random, &mut rows, false) {
                feed(&mut operator, Input::Delta(0, delta), &mut contents);
            }
            feed(&mut operator, Input::EndOfEpoch(epoch), &mut contents);
            if random.u8(..) < 30 {
                operator = resumed(&operator, WindowOperator::new(&plan));
            }
            assert_eq!(contents, expect(&plan, &rows), "seed {seed}, epoch {epoch}, {plan:?}");
        }
    }
}

/// An event at the end of a long partition emits itself, and nothing else.
#[test]
fn what_comes_last_costs_one_row() {
    let input = source(false, vec![]);
    let order = vec![SortColumn::ascending(1)];
    let mut fields = input.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("w", DataType::Int64, true)));
    let frame = Frame { start: Bound::Rows(-2), end: Bound::Rows(0) };
    let functions = vec![WindowFunction::Sum(VALUE, frame)];
    let schema = Arc::new(Schema::new(fields));
    let mut operator =
        WindowOperator::new(&Window { input, partition: vec![0], peers: 1, order, functions, schema });
    let random = &mut fastrand::Rng::with_seed(1);
    let row = |v| (Row { k: Some(1), v: Some(v), f: None, t: None, b: None }, 1);
    for (epoch, values) in [0..1000, 1000..1001, 1001..1003].into_iter().enumerate() {
        let (expected, rows) = (values.len(), values.map(row).collect::<Vec<_>>());
        let mut emitted = Contents::default();
        feed(&mut operator, Input::Delta(0, batch(random, &rows)), &mut emitted);
        feed(&mut operator, Input::EndOfEpoch(epoch as u64), &mut emitted);
        assert_eq!(emitted.rows.values().sum::<i64>(), expected as i64);
        assert_eq!(emitted.rows.len(), expected, "nothing but what came");
    }
}

//! Joins of all kinds.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{Column, binary};
use springtide_operators::{
    Input, JoinOperator, Operator, OuterJoinOperator, Output, SemiJoinOperator, Status,
};
use springtide_plan::{Join, JoinKind};
use springtide_types::ZBatch;

use crate::history::*;

fn joined_schema() -> SchemaRef {
    let schema = schema();
    Arc::new(Schema::new(schema.fields().iter().chain(schema.fields()).cloned().collect::<Vec<_>>()))
}

const KINDS: [JoinKind; 7] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
    JoinKind::Mark,
];

fn output_schema(kind: JoinKind) -> SchemaRef {
    let mut fields = schema().fields().iter().cloned().collect::<Vec<_>>();
    match kind {
        JoinKind::Semi | JoinKind::Anti => {}
        JoinKind::Mark => fields.push(Arc::new(Field::new("mark", DataType::Boolean, true))),
        _ => return joined_schema(),
    }
    Arc::new(Schema::new(fields))
}

/// As the renderer chooses.
fn operator(plan: &Join) -> Box<dyn Operator> {
    match plan.kind {
        JoinKind::Inner => Box::new(JoinOperator::new(plan)),
        kind if kind.is_existence() && plan.filter.is_none() => Box::new(SemiJoinOperator::new(plan)),
        _ => Box::new(OuterJoinOperator::new(plan)),
    }
}

fn plan(keys: &[usize], null_equals_null: bool, filter: bool, append_only: [bool; 2]) -> Join {
    plan_of(JoinKind::Inner, keys, null_equals_null, filter, append_only)
}

fn plan_of(
    kind: JoinKind,
    keys: &[usize],
    null_equals_null: bool,
    filter: bool,
    append_only: [bool; 2],
) -> Join {
    let schema = joined_schema();
    let column = |index| Arc::new(Column::new("v", index));
    let filter = filter.then(|| binary(column(1), Op::Lt, column(6), &schema).unwrap());
    Join {
        kind,
        left: source(append_only[0], vec![]),
        right: source(append_only[1], vec![]),
        left_keys: keys.to_vec(),
        right_keys: keys.to_vec(),
        null_equals_null,
        filter,
        schema: output_schema(kind),
    }
}

fn matches(plan: &Join, left: &Row, right: &Row) -> bool {
    let keys = plan.left_keys.iter().all(|column| {
        let (equal, null) = match column {
            0 => (left.k == right.k, left.k.is_none()),
            2 => (left.f == right.f, left.f.is_none()),
            _ => (left.t == right.t, left.t.is_none()),
        };
        equal && (plan.null_equals_null || !null)
    });
    keys && (plan.filter.is_none() || matches!((left.v, right.v), (Some(l), Some(r)) if l < r))
}

fn expect(plan: &Join, left: &Multiset, right: &Multiset) -> Contents {
    let mut contents = Contents::default();
    let rows = |rows: Vec<(&Row, i64)>| {
        let rows = rows.into_iter().map(|(row, weight)| (row.clone(), weight)).collect::<Vec<_>>();
        batch(&mut fastrand::Rng::with_seed(0), &rows)
    };
    let mut add = |delta: &ZBatch, columns: Vec<ArrayRef>| {
        contents.add(&delta.with_rows(RecordBatch::try_new(output_schema(plan.kind), columns).unwrap()));
    };
    let nulls = |rows: usize| {
        let schema = schema();
        schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect::<Vec<_>>()
    };
    let has_partner = |l: &Row| right.keys().any(|r| matches(plan, l, r));
    let (found, lone): (Vec<_>, Vec<_>) =
        left.iter().map(|(row, weight)| (row, *weight)).partition(|(l, _)| has_partner(l));
    let (found, lone) = (rows(found), rows(lone));
    match plan.kind {
        JoinKind::Semi => add(&found, found.columns().to_vec()),
        JoinKind::Anti => add(&lone, lone.columns().to_vec()),
        JoinKind::Mark => {
            for (delta, mark) in [(&found, true), (&lone, false)] {
                let mark: ArrayRef = Arc::new(BooleanArray::from(vec![mark; delta.len()]));
                add(delta, [delta.columns(), &[mark]].concat());
            }
        }
        JoinKind::Left | JoinKind::Full => add(&lone, [lone.columns(), &nulls(lone.len())].concat()),
        JoinKind::Inner | JoinKind::Right => {}
    }
    if matches!(plan.kind, JoinKind::Right | JoinKind::Full) {
        let lone = right.iter().filter(|(r, _)| !left.keys().any(|l| matches(plan, l, r)));
        let lone = rows(lone.map(|(row, weight)| (row, *weight)).collect());
        add(&lone, [&nulls(lone.len()), lone.columns()].concat());
    }
    if !plan.kind.is_existence() {
        let pairs = left.iter().flat_map(|l| right.iter().map(move |r| (l, r)));
        let pairs = pairs.filter(|((l, _), (r, _))| matches(plan, l, r));
        let (ours, theirs): (Vec<_>, Vec<_>) =
            pairs.map(|((l, left), (r, right))| ((l, left * right), (r, 1))).unzip();
        let (ours, theirs) = (rows(ours), rows(theirs));
        add(&ours, [ours.columns(), theirs.columns()].concat());
    }
    contents
}

fn check(plan: &Join, append_only: [bool; 2]) {
    let seed = fastrand::u64(..);
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut running = operator(plan);
    let (mut sides, mut found) = ([Multiset::new(), Multiset::new()], Contents::default());
    for epoch in 0..12 {
        let mut deltas = Vec::new();
        for port in 0..2 {
            let batches = random_epoch(random, &mut sides[port], append_only[port]);
            deltas.extend(batches.into_iter().map(|delta| (port, delta)));
        }
        random.shuffle(&mut deltas);
        for (port, delta) in deltas {
            feed(running.as_mut(), Input::Delta(port, delta), &mut found);
        }
        feed(running.as_mut(), Input::EndOfEpoch(epoch), &mut found);
        if random.u8(..) < 50 {
            let mut state = running.freeze();
            running = operator(plan);
            running.restore(&mut state).unwrap();
        }
        assert_eq!(found, expect(plan, &sides[0], &sides[1]), "{:?} seed {seed} epoch {epoch}", plan.kind);
    }
}

#[test]
fn join_is_the_join_of_its_inputs() {
    for keys in [&[][..], &[0], &[2], &[0, 3]] {
        for options in 0..16 {
            let bit = |position: u32| options >> position & 1 == 1;
            let append_only = [bit(0), bit(1)];
            for kind in KINDS {
                check(&plan_of(kind, keys, bit(2), bit(3), append_only), append_only);
            }
        }
    }
}

#[test]
fn an_explosive_join_yields() {
    let random = &mut fastrand::Rng::with_seed(1);
    let row = Row { k: Some(1), ..random_row(random) };
    let rows = vec![(row, 1); 1000];
    let mut operator = JoinOperator::new(&plan(&[0], false, false, [false, false]));
    let mut output = Output::default();
    operator.step(Input::Delta(0, batch(random, &rows)), &mut output).unwrap();
    let mut status = operator.step(Input::Delta(1, batch(random, &rows)), &mut output).unwrap();
    let mut steps = 1;
    while status == Status::More {
        let largest = output.rows.drain(..).map(|delta| delta.len()).sum::<usize>();
        assert!(largest <= 1 << 16, "{largest} rows in a step");
        status = operator.step(Input::Resume, &mut output).unwrap();
        steps += 1;
    }
    assert!(steps > 10, "{steps} steps");
}

#[test]
fn a_key_that_many_rows_wait_for_yields() {
    let random = &mut fastrand::Rng::with_seed(1);
    let row = Row { k: Some(1), ..random_row(random) };
    let rows = (0..200_000).map(|v| (Row { v: Some(v), ..row.clone() }, 1)).collect::<Vec<_>>();
    for kind in KINDS.into_iter().filter(|kind| *kind != JoinKind::Inner) {
        let mut operator = operator(&plan_of(kind, &[0], false, kind == JoinKind::Mark, [false, false]));
        let mut steps = |input: Input| {
            let mut steps = 1;
            let mut status = operator.step(input, &mut Output::default()).unwrap();
            while status == Status::More {
                status = operator.step(Input::Resume, &mut Output::default()).unwrap();
                steps += 1;
            }
            steps
        };
        steps(Input::Delta(0, batch(random, &rows)));
        steps(Input::EndOfEpoch(1));
        let steps = steps(Input::Delta(1, batch(random, &[(row.clone(), 1)]))) + steps(Input::EndOfEpoch(2));
        assert!(steps > 4, "{kind:?}: {steps} steps");
    }
}

#[test]
fn a_key_that_comes_back_within_an_epoch_moves_nothing() {
    let random = &mut fastrand::Rng::with_seed(3);
    let row = Row { k: Some(1), ..random_row(random) };
    let mut operator = operator(&plan_of(JoinKind::Anti, &[0], false, false, [false, false]));
    let mut found = Contents::default();
    for port in 0..2 {
        feed(operator.as_mut(), Input::Delta(port, batch(random, &[(row.clone(), 1)])), &mut found);
    }
    feed(operator.as_mut(), Input::EndOfEpoch(1), &mut found);
    let mut output = Output::default();
    for weight in [-1, 1] {
        let delta = batch(random, &[(row.clone(), weight)]);
        operator.step(Input::Delta(1, delta), &mut output).unwrap();
    }
    operator.step(Input::EndOfEpoch(2), &mut output).unwrap();
    assert!(output.rows.is_empty());
}

#[test]
fn a_side_with_a_unique_key_takes_updates() {
    let mut join = plan(&[0], false, false, [false, false]);
    join.right = source(false, vec![vec![0]]);
    let mut operator = JoinOperator::new(&join);
    let random = &mut fastrand::Rng::with_seed(2);
    let (mut left, mut right, mut found) = (Multiset::new(), Multiset::new(), Contents::default());
    for epoch in 0..300 {
        let mut records = Vec::new();
        let row = random_row(random);
        if let Some(old) = right.keys().find(|old| old.k == row.k).cloned() {
            add(&mut right, &old, -1);
            records.push((old, -1));
        }
        add(&mut right, &row, 1);
        records.push((row, 1));
        random.shuffle(&mut records);
        for record in records {
            feed(&mut operator, Input::Delta(1, batch(random, &[record])), &mut found);
        }
        if epoch % 20 == 0 {
            let row = random_row(random);
            add(&mut left, &row, 1);
            feed(&mut operator, Input::Delta(0, batch(random, &[(row, 1)])), &mut found);
        }
        assert_eq!(found, expect(&join, &left, &right), "epoch {epoch}");
    }
}

#[test]
fn empty_deltas_do_no_harm() {
    let mut operator = JoinOperator::new(&plan(&[0], false, false, [false, false]));
    let mut found = Contents::default();
    feed(&mut operator, Input::Delta(0, ZBatch::empty(schema())), &mut found);
    feed(&mut operator, Input::EndOfEpoch(1), &mut found);
    assert_eq!(found, Contents::default());
}

//! Inner and cross joins.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{Column, binary};
use springtide_operators::{Input, JoinOperator, Operator, Output, Status};
use springtide_plan::Join;
use springtide_types::ZBatch;

use crate::history::*;

fn joined_schema() -> SchemaRef {
    let schema = schema();
    Arc::new(Schema::new(schema.fields().iter().chain(schema.fields()).cloned().collect::<Vec<_>>()))
}

fn plan(keys: &[usize], null_equals_null: bool, filter: bool, append_only: [bool; 2]) -> Join {
    let schema = joined_schema();
    let column = |index| Arc::new(Column::new("v", index));
    let filter = filter.then(|| binary(column(1), Op::Lt, column(6), &schema).unwrap());
    Join {
        left: source(append_only[0], vec![]),
        right: source(append_only[1], vec![]),
        left_keys: keys.to_vec(),
        right_keys: keys.to_vec(),
        null_equals_null,
        filter,
        schema,
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
    let mut pairs = (Vec::new(), Vec::new());
    for (l, left_weight) in left {
        for (r, right_weight) in right.iter().filter(|(r, _)| matches(plan, l, r)) {
            pairs.0.push((l.clone(), left_weight * right_weight));
            pairs.1.push((r.clone(), 1));
        }
    }
    let random = &mut fastrand::Rng::with_seed(0);
    let (left, right) = (batch(random, &pairs.0), batch(random, &pairs.1));
    let columns = left.columns().iter().chain(right.columns()).cloned().collect();
    let mut contents = Contents::default();
    contents.add(&left.with_rows(RecordBatch::try_new(joined_schema(), columns).unwrap()));
    contents
}

fn check(plan: &Join, append_only: [bool; 2]) {
    let seed = fastrand::u64(..);
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut operator = JoinOperator::new(plan);
    let (mut sides, mut found) = ([Multiset::new(), Multiset::new()], Contents::default());
    for epoch in 0..12 {
        let mut deltas = Vec::new();
        for port in 0..2 {
            let batches = random_epoch(random, &mut sides[port], append_only[port]);
            deltas.extend(batches.into_iter().map(|delta| (port, delta)));
        }
        random.shuffle(&mut deltas);
        for (port, delta) in deltas {
            feed(&mut operator, Input::Delta(port, delta), &mut found);
        }
        feed(&mut operator, Input::EndOfEpoch(epoch), &mut found);
        assert_eq!(found, expect(plan, &sides[0], &sides[1]), "seed {seed} epoch {epoch}");
    }
}

#[test]
fn join_is_the_join_of_its_inputs() {
    for keys in [&[][..], &[0], &[2], &[0, 3]] {
        for options in 0..16 {
            let bit = |position: u32| options >> position & 1 == 1;
            let append_only = [bit(0), bit(1)];
            check(&plan(keys, bit(2), bit(3), append_only), append_only);
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

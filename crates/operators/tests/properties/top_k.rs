//! The first rows of groups, with and without retractions, ranks and offsets.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use springtide_operators::{Input, Operator, TopKOperator};
use springtide_plan::TopK;
use springtide_types::{SortColumn, ZBatch};

use crate::history::*;

fn plan(random: &mut fastrand::Rng, append_only: bool) -> TopK {
    let input = source(append_only, vec![]);
    let group = [vec![], vec![0], vec![0, 4]][random.usize(0..3)].clone();
    let mut order = Vec::new();
    for column in [2, 3, 1] {
        if random.bool() {
            order.push(SortColumn { column, descending: random.bool(), nulls_first: random.bool() });
        }
    }
    let with_rank = random.bool();
    let ties = random.bool().then(|| random.usize(0..=order.len()));
    let mut fields = input.schema().fields().to_vec();
    if with_rank {
        fields.push(Arc::new(Field::new("rank", DataType::Int64, true)));
    }
    TopK {
        group,
        order,
        offset: random.u64(0..3),
        limit: random.u64(1..5),
        ties,
        with_rank,
        schema: Arc::new(Schema::new(fields)),
        input,
    }
}

fn expect(plan: &TopK, rows: &Multiset) -> Contents {
    let mut contents = Contents::default();
    for rows in groups_in_order(rows, &plan.group, &plan.order) {
        let end = plan.offset as usize + plan.limit as usize;
        let tie = |left: usize, right: usize| {
            plan.ties
                .is_some_and(|columns| compare(&plan.order[..columns], &rows[left], &rows[right]).is_eq())
        };
        let end = (end..rows.len()).find(|at| !tie(end - 1, *at)).unwrap_or(rows.len());
        for (at, row) in rows.iter().cloned().enumerate().take(end).skip(plan.offset as usize) {
            let before = (0..at).find(|other| tie(*other, at)).unwrap_or(at);
            let input = batch(&mut fastrand::Rng::with_seed(0), &[(row, 1)]);
            let mut columns = input.columns().to_vec();
            if plan.with_rank {
                let rank: ArrayRef = Arc::new(Int64Array::from(vec![before as i64 + 1]));
                columns.push(rank);
            }
            let row = RecordBatch::try_new(plan.schema.clone(), columns).unwrap();
            contents.add(&ZBatch::inserts(row));
        }
    }
    contents
}

fn run(append_only: bool) {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        let plan = plan(&mut random, append_only);
        let mut operator = TopKOperator::new(&plan);
        let (mut rows, mut contents) = (Multiset::new(), Contents::default());
        for epoch in 0..20 {
            for delta in random_epoch(&mut random, &mut rows, append_only) {
                feed(&mut operator, Input::Delta(0, delta), &mut contents);
            }
            feed(&mut operator, Input::EndOfEpoch(epoch), &mut contents);
            if random.u8(..) < 30 {
                operator = resumed(&operator, TopKOperator::new(&plan));
            }
            assert_eq!(contents, expect(&plan, &rows), "seed {seed}, epoch {epoch}, {plan:?}");
        }
    }
}

#[test]
fn rows_come_and_go() {
    run(false);
}

#[test]
fn rows_only_come() {
    run(true);
}

/// Many rows of one group, then all of them gone: state is dropped, and merges of long lists are right.
#[test]
fn state_follows_the_rows() {
    let input = source(false, vec![]);
    let order = vec![SortColumn { column: 1, descending: true, nulls_first: true }];
    let schema = input.schema();
    let plan =
        TopK { input, group: vec![0], order, offset: 0, limit: 3, ties: None, with_rank: false, schema };
    let mut operator = TopKOperator::new(&plan);
    let row = |v| Row { k: Some(1), v: Some(v), f: None, t: None, b: None };
    let mut contents = Contents::default();
    let random = &mut fastrand::Rng::with_seed(1);
    let epochs = [(0..5000, 1), (0..4999, -1), (6000..7000, 1), (6000..7000, -1), (4999..5000, -1)];
    for (epoch, (values, weight)) in epochs.into_iter().enumerate() {
        let rows = values.map(|value| (row((value * 7919) % 10007), weight)).collect::<Vec<_>>();
        for rows in rows.chunks(300) {
            feed(&mut operator, Input::Delta(0, batch(random, rows)), &mut contents);
        }
        feed(&mut operator, Input::EndOfEpoch(epoch as u64), &mut contents);
        assert_eq!(contents.rows.len(), [3, 1, 3, 1, 0][epoch]);
    }
    assert!(operator.state_bytes() < 100_000, "{} bytes", operator.state_bytes());
}

//! Random histories: views come and go while tables change, and every view is compared with its query run
//! from scratch at every epoch since it began. Set SEED to repeat a failure.

use std::collections::BTreeMap;

use crate::common::Harness;
use crate::common::model::{Bag, Row};
use crate::common::plans::{
    binary, column, distinct, expand, filter, group_by, join, join_of, number, project, set_operation,
    source, top_k,
};
use datafusion::logical_expr::Operator;
use fastrand::Rng;
use springtide_plan::AggregateFunction::{Count, Max, Min, Sum};
use springtide_plan::{JoinKind, Node, SetOperator};
use springtide_types::{Epoch, RelationId, SortColumn};

const STEPS: usize = 60;

/// A random plan over two columns, with two columns of its own, so that plans nest at will.
fn plan(rng: &mut Rng, harness: &Harness, relations: &[RelationId], depth: usize) -> Node {
    if depth == 0 {
        let relation = relations[rng.usize(..relations.len())];
        let columns = if rng.bool() { [0, 1] } else { [1, 0] };
        return source(harness, relation, &columns, false);
    }
    let kind = rng.usize(..15);
    let a = plan(rng, harness, relations, depth - 1);
    match kind {
        0 => filter(a, binary(column(0), Operator::Gt, number(1))),
        1 => project(a, vec![column(1), binary(column(0), Operator::Minus, number(2))]),
        2 => group_by(a, &[1], &[(Count, None)]),
        3 => group_by(a, &[0], &[(Max, Some(1))]),
        4 => group_by(a, &[], &[(Min, Some(0)), (Count, Some(1))]),
        5 => project(group_by(a, &[0, 1], &[(Sum, Some(1))]), vec![column(0), column(1)]),
        6 => distinct(a),
        7 => Node::Union(vec![a, plan(rng, harness, relations, depth - 1)]),
        8 => {
            let kind = if rng.bool() { JoinKind::Semi } else { JoinKind::Anti };
            join_of(kind, a, plan(rng, harness, relations, depth - 1), &[1], &[0])
        }
        9 => {
            let b = plan(rng, harness, relations, depth - 1);
            project(join_of(JoinKind::Mark, a, b, &[0], &[0]), vec![column(0), column(1)])
        }
        10 => {
            let kind = [JoinKind::Left, JoinKind::Right, JoinKind::Full][rng.usize(..3)];
            let b = plan(rng, harness, relations, depth - 1);
            distinct(project(join_of(kind, a, b, &[0], &[1]), vec![column(1), column(2)]))
        }
        11 => {
            let operator = if rng.bool() { SetOperator::IntersectAll } else { SetOperator::ExceptAll };
            set_operation(operator, a, plan(rng, harness, relations, depth - 1))
        }
        12 => {
            let order = SortColumn { column: 1, descending: rng.bool(), nulls_first: rng.bool() };
            let group: &[usize] = if rng.bool() { &[0] } else { &[] };
            top_k(a, group, order, rng.u64(1..4))
        }
        13 => {
            let less = binary(column(1), Operator::Minus, number(1));
            expand(a, vec![vec![column(0), column(1)], vec![column(0), less]])
        }
        _ => {
            let b = plan(rng, harness, relations, depth - 1);
            distinct(project(join(a, b, &[0], &[1]), vec![column(1), column(2)]))
        }
    }
}

fn value(rng: &mut Rng) -> Option<i64> {
    (rng.u8(..8) > 0).then(|| rng.i64(0..5))
}

/// Inserts, and deletes of rows that are there.
fn changes(rng: &mut Rng, model: &mut Bag) -> Vec<(Row, i64)> {
    let mut changes = Vec::new();
    for _ in 0..rng.usize(..6) {
        let present = model.keys().cloned().collect::<Vec<_>>();
        let (row, weight) = if present.is_empty() || rng.u8(..5) < 3 {
            (vec![value(rng), value(rng)], 1)
        } else {
            (present[rng.usize(..present.len())].clone(), -1)
        };
        crate::common::model::add(model, row.clone(), weight);
        changes.push((row, weight));
    }
    changes
}

fn run(seed: u64, workers: usize) {
    println!("SEED={seed} workers={workers}");
    let mut rng = Rng::with_seed(seed);
    let mut harness = Harness::start(workers);
    let tables = [harness.table(&["a", "b"]), harness.table(&["a", "b"])];
    let mut models = [Bag::new(), Bag::new()];
    let mut views = Vec::<(RelationId, Epoch)>::new();
    let mut cuts = BTreeMap::new();
    for _ in 0..STEPS {
        match rng.u8(..8) {
            0 if views.len() < 8 => {
                let relations =
                    tables.iter().copied().chain(views.iter().map(|(view, _)| *view)).collect::<Vec<_>>();
                let depth = rng.usize(0..4);
                let root = plan(&mut rng, &harness, &relations, depth);
                let epoch = harness.epoch;
                views.push((harness.view(root), epoch));
            }
            1 if !views.is_empty() => {
                let view = views[rng.usize(..views.len())].0;
                // The next cut of a view takes the place of one that is not complete.
                let freeze = harness.workers.freeze(view, harness.epoch).expect("the view is there");
                cuts.insert(view, freeze);
            }
            2 if !cuts.is_empty() && rng.bool() && views.len() < 12 => {
                let (view, freeze) = cuts.pop_first().expect("there is one");
                let epoch = harness.epoch;
                views.push((harness.resume(view, &freeze), epoch));
            }
            2 => (0..20).for_each(|_| _ = harness.commit(&[])),
            _ => {
                let which = rng.usize(..2);
                let changes = changes(&mut rng, &mut models[which]);
                harness.commit(&[(tables[which], changes)]);
            }
        }
    }
    for (view, began) in views {
        for epoch in harness.epochs_from(began) {
            harness.check(view, epoch);
        }
    }
}

#[test]
fn every_view_is_its_query_at_every_epoch() {
    if let Ok(seed) = std::env::var("SEED") {
        return [1, 2, 3].into_iter().for_each(|workers| run(seed.parse().unwrap(), workers));
    }
    for _ in 0..12 {
        let seed = Rng::new().u64(..);
        [1, 2, 3].into_iter().for_each(|workers| run(seed, workers));
    }
}

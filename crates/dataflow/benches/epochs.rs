//! How long one epoch takes through a view, and how many rows flow through filter and project.

#![allow(missing_docs)]

#[path = "../tests/dataflow/common/mod.rs"]
mod common;

use std::time::Instant;

use common::Harness;
use common::model::{batch_of, row};
use common::plans::{binary, column, filter, group_by, number, project, source};
use datafusion::logical_expr::Operator;
use springtide_plan::AggregateFunction::{Count, Sum};
use springtide_plan::Node;
use springtide_types::RelationId;

const WARM_UP: usize = 200;
const EPOCHS: usize = 5000;
const LARGE_EPOCHS: usize = 200;
const LARGE: i64 = 40_000;

fn main() {
    for workers in [1, 2] {
        measure(workers, "group by", |harness, table| {
            group_by(source(harness, table, &[0, 1], false), &[0], &[(Sum, Some(1))])
        });
        measure(workers, "filter, project", filter_and_project);
        measure(workers, "filter, project, group by", |harness, table| {
            group_by(filter_and_project(harness, table), &[0], &[(Count, None)])
        });
    }
}

fn measure(workers: usize, name: &str, plan: impl Fn(&Harness, RelationId) -> Node) {
    let mut harness = Harness::start(workers);
    let table = harness.table(&["k", "v"]);
    let root = plan(&harness, table);
    let view = harness.view(root);
    let latency = latency(&mut harness, table, view);
    let in_flight = in_flight(&mut harness, table, view);
    let throughput = throughput(&mut harness, table, view);
    println!(
        "{workers} workers, {name}: {latency:.1} µs a row and epoch, {in_flight:.1} µs many in flight, \
         {throughput:.1} M rows/s in large epochs"
    );
}

fn filter_and_project(harness: &Harness, table: RelationId) -> Node {
    let odd = binary(binary(column(1), Operator::Modulo, number(2)), Operator::Eq, number(1));
    let sum = binary(column(0), Operator::Plus, number(1));
    project(filter(source(harness, table, &[0, 1], true), odd), vec![sum, column(1)])
}

/// Commits one row after the other, each when the one before has arrived.
fn latency(harness: &mut Harness, table: RelationId, view: RelationId) -> f64 {
    let mut started = Instant::now();
    for n in 0..WARM_UP + EPOCHS {
        if n == WARM_UP {
            started = Instant::now();
        }
        let epoch = commit_one(harness, table, n);
        harness.wait(view, epoch);
    }
    started.elapsed().as_secs_f64() * 1e6 / EPOCHS as f64
}

/// Commits one row after the other without waiting.
fn in_flight(harness: &mut Harness, table: RelationId, view: RelationId) -> f64 {
    let started = Instant::now();
    let last = (0..EPOCHS).map(|n| commit_one(harness, table, n)).last().expect("some epochs");
    harness.wait(view, last);
    started.elapsed().as_secs_f64() * 1e6 / EPOCHS as f64
}

fn commit_one(harness: &mut Harness, table: RelationId, n: usize) -> u64 {
    let delta = batch_of(harness.schema(table), &[(row(&[n as i64 % 100, 1]), 1)]);
    harness.commit_unchecked(table, delta)
}

fn throughput(harness: &mut Harness, table: RelationId, view: RelationId) -> f64 {
    let rows = (0..LARGE).map(|n| (row(&[n % 1000, n]), 1)).collect::<Vec<_>>();
    let delta = batch_of(harness.schema(table), &rows);
    let started = Instant::now();
    let epochs = (0..LARGE_EPOCHS).map(|_| harness.commit_unchecked(table, delta.clone()));
    let last = epochs.last().expect("some epochs");
    harness.wait(view, last);
    LARGE as f64 * LARGE_EPOCHS as f64 / started.elapsed().as_secs_f64() / 1e6
}

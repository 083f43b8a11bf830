//! Views over tables and views, hydrated and dropped, at one, two and three workers.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::common::model::{batch_of, row};
use crate::common::plans::{binary, column, distinct, filter, group_by, join, number, project, source};
use crate::common::{Harness, integers};
use datafusion::logical_expr::Operator;
use springtide_plan::AggregateFunction::{Count, Max, Min, Sum};
use springtide_plan::Node;
use springtide_types::RelationId;

fn at_1_2_and_3_workers(test: impl Fn(Harness)) {
    for workers in [1, 2, 3] {
        test(Harness::start(workers));
    }
}

/// Two tables: orders(id, customer, amount) and customers(id, region).
fn shop(harness: &mut Harness) -> (RelationId, RelationId) {
    let orders = harness.table(&["id", "customer", "amount"]);
    let customers = harness.table(&["id", "region"]);
    (orders, customers)
}

/// Regions and the distinct counts of large orders in them: every operator in one plan.
fn every_operator(harness: &Harness, orders: RelationId, customers: RelationId) -> Node {
    let large =
        filter(source(harness, orders, &[0, 1, 2], false), binary(column(2), Operator::Gt, number(10)));
    let joined = join(large, source(harness, customers, &[0, 1], false), &[1], &[0]);
    let functions = [(Count, None), (Sum, Some(2)), (Min, Some(2)), (Max, Some(2))];
    let grouped = group_by(joined, &[4], &functions);
    distinct(project(grouped, vec![column(1), column(3), column(4)]))
}

#[test]
fn follows_commits() {
    at_1_2_and_3_workers(|mut harness| {
        let (orders, customers) = shop(&mut harness);
        let plan = every_operator(&harness, orders, customers);
        let view = harness.view(plan);
        harness.check_now(view);
        harness.commit(&[(customers, vec![(row(&[1, 7]), 1), (row(&[2, 8]), 1)])]);
        harness.commit(&[(orders, (0..50).map(|n| (row(&[n, n % 3, n]), 1)).collect())]);
        harness.commit(&[]);
        harness.commit(&[(orders, vec![(row(&[49, 1, 49]), -1), (row(&[49, 2, 5]), 1)])]);
        harness.commit(&[(customers, vec![(row(&[2, 8]), -1), (row(&[2, 7]), 1)])]);
        harness.epochs_from(0).into_iter().for_each(|epoch| harness.check(view, epoch));
    });
}

#[test]
fn views_on_views_created_while_commits_go_on() {
    at_1_2_and_3_workers(|mut harness| {
        let (orders, _) = shop(&mut harness);
        let rows =
            |range: std::ops::Range<i64>| range.map(|n| (row(&[n, n % 100, n]), 1)).collect::<Vec<_>>();
        harness.commit(&[(orders, rows(0..60_000))]);
        let per_customer =
            group_by(source(&harness, orders, &[1, 2], false), &[0], &[(Count, None), (Max, Some(1))]);
        let first = harness.view(per_customer);
        harness.commit(&[(orders, rows(60_000..60_010))]);
        // The first view is still hydrating when the second one is put on it.
        let per_count = group_by(source(&harness, first, &[1], false), &[0], &[(Count, None)]);
        let second = harness.view(per_count);
        let began = harness.epoch;
        for n in 0..20 {
            harness.commit(&[(orders, vec![(row(&[n, n % 100, n]), -1)])]);
        }
        for epoch in harness.epochs_from(began) {
            harness.check(first, epoch);
            harness.check(second, epoch);
        }
        assert_eq!(harness.hydrated.load(Ordering::Relaxed), 2);
        assert!(harness.workers.meters().bytes(first) > 0);
    });
}

#[test]
fn a_relation_joined_with_itself_counts_each_change_on_both_sides() {
    at_1_2_and_3_workers(|mut harness| {
        let table = harness.table(&["k", "v"]);
        harness.commit(&[(table, (0..30).map(|n| (row(&[n % 5, n]), 1)).collect())]);
        let (left, right) =
            (source(&harness, table, &[0, 1], false), source(&harness, table, &[0, 1], false));
        let pairs = harness.view(join(left, right, &[0], &[0]));
        let began = harness.epoch;
        harness.commit(&[(table, vec![(row(&[1, 1]), -1), (row(&[1, 100]), 1), (row(&[9, 9]), 2)])]);
        harness.commit(&[(table, vec![(vec![None, Some(1)], 1)])]);
        harness.epochs_from(began).into_iter().for_each(|epoch| harness.check(pairs, epoch));
    });
}

#[test]
fn constants_and_unions_and_groups_without_rows() {
    at_1_2_and_3_workers(|mut harness| {
        let table = harness.table(&["n"]);
        let constant = Node::Constant(batch_of(integers(&["n"]), &[(row(&[1]), 1), (row(&[2]), 1)]));
        let only_constant = harness.view(constant.clone());
        let all = Node::Union(vec![constant, source(&harness, table, &[0], false)]);
        let total = harness.view(group_by(all, &[], &[(Count, None), (Sum, Some(0))]));
        let none = harness.view(group_by(source(&harness, table, &[0], false), &[], &[(Sum, Some(0))]));
        let on_constant = harness.view(source(&harness, only_constant, &[0], true));
        let rows = harness.view(group_by(source(&harness, table, &[], false), &[], &[(Count, None)]));
        let views = [only_constant, total, none, on_constant, rows];
        views.into_iter().for_each(|view| harness.check_now(view));
        harness.commit(&[(table, vec![(row(&[40]), 1)])]);
        views.into_iter().for_each(|view| harness.check_now(view));
        harness.commit(&[(table, vec![(row(&[40]), -1)])]);
        views.into_iter().for_each(|view| harness.check_now(view));
    });
}

#[test]
fn append_only_views_keep_every_row() {
    at_1_2_and_3_workers(|mut harness| {
        let table = harness.table(&["a", "b"]);
        harness.commit(&[(table, (0..40_000).map(|n| (row(&[n, n % 2]), 1)).collect())]);
        let input = source(&harness, table, &[0, 1], true);
        let even = harness.view(project(
            filter(input, binary(column(1), Operator::Eq, number(0))),
            vec![binary(column(0), Operator::Plus, column(0))],
        ));
        harness.check_now(even);
        harness.commit(&[(table, vec![(row(&[6, 0]), 1), (row(&[6, 0]), 1)])]);
        harness.check_now(even);
    });
}

#[test]
fn a_dropped_view_is_left_alone_and_frees_its_contents() {
    at_1_2_and_3_workers(|mut harness| {
        let (orders, customers) = shop(&mut harness);
        let kept_plan = every_operator(&harness, orders, customers);
        let kept = harness.view(kept_plan.clone());
        let dropped = harness.view(kept_plan.clone());
        harness.commit(&[(customers, vec![(row(&[1, 7]), 1)])]);
        harness.check_now(dropped);
        let contents = harness.drop_view(dropped);
        // One that never had the time to hydrate.
        harness.commit(&[(orders, (0..30_000).map(|n| (row(&[n, 1, n]), 1)).collect())]);
        let hasty = harness.view(kept_plan);
        let hasty = harness.drop_view(hasty);
        harness.commit(&[(orders, vec![(row(&[1, 1, 99]), 1)])]);
        harness.check_now(kept);
        let started = Instant::now();
        while std::sync::Arc::strong_count(&contents) > 1 || std::sync::Arc::strong_count(&hasty) > 1 {
            assert!(started.elapsed() < Duration::from_secs(10), "the dataflow still holds the contents");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(harness.hydrated.load(Ordering::Relaxed), 3);
        assert_eq!(harness.workers.meters().bytes(dropped), 0);
    });
}

#[test]
fn many_epochs_in_flight_arrive_in_order() {
    at_1_2_and_3_workers(|mut harness| {
        let table = harness.table(&["k", "v"]);
        let newest =
            group_by(source(&harness, table, &[0, 1], false), &[0], &[(Max, Some(1)), (Count, None)]);
        let view = harness.view(newest);
        for n in 0..500 {
            let mut rows = vec![(row(&[n % 7, n]), 1)];
            if n >= 7 && n % 3 == 0 {
                rows.push((row(&[n % 7, n - 7]), -1));
            }
            harness.commit(&[(table, rows)]);
        }
        harness.epochs_from(0).into_iter().for_each(|epoch| harness.check(view, epoch));
        assert!(harness.progress.load(Ordering::Relaxed) > 0);
    });
}

#[test]
fn an_idle_worker_wakes_for_a_commit() {
    at_1_2_and_3_workers(|mut harness| {
        let table = harness.table(&["n"]);
        let view = harness.view(group_by(source(&harness, table, &[0], false), &[], &[(Count, None)]));
        for n in 0..20 {
            std::thread::sleep(Duration::from_millis(5));
            harness.commit(&[(table, vec![(row(&[n]), 1)])]);
            harness.check_now(view);
        }
        harness.workers.shutdown();
    });
}

//! A row whose expression fails puts the view, and the views on it, into error until the row is gone.

use crate::common::Harness;
use crate::common::model::row;
use crate::common::plans::{binary, column, filter, group_by, number, project, source};
use datafusion::logical_expr::Operator;
use springtide_plan::AggregateFunction::Count;
use springtide_types::{RelationId, SqlState};

fn assert_divides_by_zero(harness: &Harness, view: RelationId) {
    let error = harness.read(view, harness.epoch).expect_err("a division by zero");
    assert_eq!(error.sqlstate, SqlState::DIVISION_BY_ZERO, "{error:?}");
}

#[test]
fn errors_come_and_go_with_their_rows() {
    for workers in [1, 2, 3] {
        let mut harness = Harness::start(workers);
        let table = harness.table(&["a", "b"]);
        let quotient = binary(column(0), Operator::Divide, column(1));
        let quotients =
            harness.view(project(source(&harness, table, &[0, 1], false), vec![quotient.clone()]));
        let large =
            filter(source(&harness, table, &[0, 1], false), binary(quotient, Operator::Gt, number(1)));
        let large = harness.view(large);
        let on_view = group_by(source(&harness, quotients, &[0], false), &[], &[(Count, None)]);
        let on_view = harness.view(on_view);

        harness.commit(&[(table, vec![(row(&[6, 3]), 1), (row(&[1, 0]), 1)])]);
        let failed = harness.epoch;
        for view in [quotients, large, on_view] {
            assert_divides_by_zero(&harness, view);
        }
        // A view that begins while its input is in error imports the error.
        let late = harness.view(source(&harness, quotients, &[0], false));
        assert_divides_by_zero(&harness, late);

        harness.commit(&[(table, vec![(row(&[5, 5]), 1)])]);
        assert_divides_by_zero(&harness, on_view);
        harness.commit(&[(table, vec![(row(&[1, 0]), -1)])]);
        for view in [quotients, large, on_view, late] {
            harness.check_now(view);
            assert!(harness.read(view, failed).is_err(), "the past stays as it was");
        }
    }
}

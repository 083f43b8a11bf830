//! Filter, project, expand and distinct.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{binary, col, lit};
use springtide_operators::{
    DistinctOperator, ExpandOperator, FilterOperator, Input, Operator, Output, ProjectOperator, Status,
};
use springtide_plan::{Expand, Filter, Node, Project, ScalarExpr};
use springtide_types::{SqlError, SqlState, ZBatch};

use crate::history::*;

/// `12 / v`
fn quotient() -> Arc<dyn PhysicalExpr> {
    let schema = schema();
    binary(lit(12_i32), Op::Divide, col("v", &schema).unwrap(), &schema).unwrap()
}

fn value(field: Option<impl ToString>) -> String {
    field.map_or("null".to_owned(), |field| field.to_string())
}

fn division_by_zero(row: &Row) -> SqlError {
    let float = row.f.map(|bits| {
        let value: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![f64::from_bits(bits)]));
        arrow::util::display::array_value_to_string(&value, 0).unwrap()
    });
    let values = [value(row.k), value(row.v), value(float), value(row.t), value(row.b)].join(", ");
    SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
        .with_detail(format!("Failing row contains ({values})."))
}

/// Runs a history, comparing after each epoch with what `expect` makes of the rows at that time.
fn check<O: Operator>(fresh: impl Fn() -> O, expect: impl Fn(&Multiset) -> Contents) {
    let seed = fastrand::u64(..);
    let random = &mut fastrand::Rng::with_seed(seed);
    let mut operator = fresh();
    let (mut rows, mut found) = (Multiset::new(), Contents::default());
    for epoch in 0..200 {
        for delta in random_epoch(random, &mut rows, false) {
            feed(&mut operator, Input::Delta(0, delta), &mut found);
        }
        feed(&mut operator, Input::EndOfEpoch(epoch), &mut found);
        if random.u8(..) < 30 {
            operator = resumed(&operator, fresh());
        }
        assert_eq!(found, expect(&rows), "seed {seed} epoch {epoch}");
    }
}

fn contents(rows: &[(Row, i64)]) -> Contents {
    let mut contents = Contents::default();
    contents.add(&batch(&mut fastrand::Rng::with_seed(0), rows));
    contents
}

fn with_errors(mut contents: Contents, rows: &Multiset) -> Contents {
    let failing = rows.iter().filter(|(row, _)| row.v == Some(0));
    contents.errors = failing.map(|(row, weight)| (division_by_zero(row), *weight)).collect();
    contents
}

#[test]
fn filter_keeps_what_is_true_and_reports_what_fails() {
    let predicate = binary(quotient(), Op::Gt, lit(4_i32), &schema()).unwrap();
    let plan = Filter { input: source(false, vec![]), predicate };
    check(
        || FilterOperator::new(&plan),
        |rows| {
            let kept = rows.iter().filter(|(row, _)| row.v.is_some_and(|v| v != 0 && 12 / v > 4));
            let kept = kept.map(|(row, weight)| (row.clone(), *weight)).collect::<Vec<_>>();
            with_errors(contents(&kept), rows)
        },
    );
}

#[test]
fn project_computes_columns_and_reports_what_fails() {
    let schema = Arc::new(Schema::new(vec![Field::new("q", DataType::Int32, true)]));
    let exprs = vec![ScalarExpr { expr: quotient(), name: "q".to_owned() }];
    let plan = Project { input: source(false, vec![]), exprs, schema: schema.clone() };
    check(
        || ProjectOperator::new(&plan),
        |rows| {
            let kept = rows.iter().filter(|(row, _)| row.v != Some(0));
            let (values, weights): (Vec<_>, Vec<_>) =
                kept.map(|(row, w)| (row.v.map(|v| 12 / v), *w)).unzip();
            let rows_out =
                RecordBatch::try_new(schema.clone(), vec![Arc::new(Int32Array::from(values))]).unwrap();
            let mut contents = Contents::default();
            contents.add(&ZBatch::new(rows_out, weights.into()));
            with_errors(contents, rows)
        },
    );
}

/// `12 / v` and `v`, each in a row of its own.
fn expand(input: Node) -> Expand {
    let schema = Arc::new(Schema::new(vec![Field::new("q", DataType::Int32, true)]));
    let output = |expr| vec![ScalarExpr { expr, name: "q".to_owned() }];
    Expand {
        projections: vec![output(quotient()), output(col("v", &input.schema()).unwrap())],
        input,
        schema,
    }
}

fn expanded(rows: &Multiset, failing: impl Fn(&Row) -> SqlError) -> Contents {
    let mut contents = Contents::default();
    let mut push = |value: Option<i32>, weight: i64| {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![value]));
        let rows = RecordBatch::try_from_iter_with_nullable([("q", column, true)]).unwrap();
        contents.add(&ZBatch::new(rows, vec![weight].into()));
    };
    for (row, weight) in rows {
        push(row.v, *weight);
        if row.v != Some(0) {
            push(row.v.map(|v| 12 / v), *weight);
        }
    }
    for (row, weight) in rows.iter().filter(|(row, _)| row.v == Some(0)) {
        *contents.errors.entry(failing(row)).or_default() += weight;
    }
    contents
}

#[test]
fn expand_computes_several_rows_and_reports_what_fails() {
    let plan = expand(source(false, vec![]));
    check(|| ExpandOperator::new(&plan), |rows| expanded(rows, division_by_zero));
}

/// An expansion of few columns.
struct Narrow(ProjectOperator, ExpandOperator);

impl Operator for Narrow {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        let mut narrow = Output::default();
        self.0.step(input, &mut narrow)?;
        for delta in narrow.rows {
            self.1.step(Input::Delta(0, delta), output)?;
        }
        Ok(Status::Done)
    }
}

#[test]
fn expand_sums_equal_rows_up() {
    let input = source(false, vec![]);
    let fields = input.schema().fields()[..2].to_vec();
    let exprs = ["k", "v"]
        .map(|name| ScalarExpr { expr: col(name, &input.schema()).unwrap(), name: name.to_owned() });
    let project = Project { input, exprs: exprs.into(), schema: Arc::new(Schema::new(fields)) };
    let plan = expand(Node::Project(Box::new(project.clone())));
    check(
        || Narrow(ProjectOperator::new(&project), ExpandOperator::new(&plan)),
        |rows| {
            expanded(rows, |row| {
                let values = [value(row.k), value(row.v)].join(", ");
                SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
                    .with_detail(format!("Failing row contains ({values})."))
            })
        },
    );
}

#[test]
fn distinct_keeps_each_row_once() {
    check(
        || DistinctOperator::new(&source(false, vec![])),
        |rows| contents(&rows.keys().map(|row| (row.clone(), 1)).collect::<Vec<_>>()),
    );
}

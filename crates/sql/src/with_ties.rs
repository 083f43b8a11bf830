//! `FETCH FIRST n ROWS WITH TIES`.
//!
//! The syntax tree says it as `LIMIT labelled(n, 'with ties')`. In the plan it is a filter on the rank that the ORDER BY gives:
//!
//! ```text
//! Limit(labelled(n, ..), Sort(by, q))   is   Sort(by, Filter(rank <= n, Window(rank() OVER (ORDER BY by), q)))
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_window::expr_fn::{rank, row_number};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, cast, lit,
};
use datafusion::sql::sqlparser::ast;
use springtide_types::{SqlError, SqlState};

use crate::desugar::call;
use crate::errors::external;
use crate::functions::LABELLED;

/// The number of rows of a LIMIT that keeps ties.
pub(crate) fn marked(rows: ast::Expr) -> ast::Expr {
    let label = ast::Expr::value(ast::Value::SingleQuotedString("with ties".to_owned()));
    call(LABELLED, vec![rows, label])
}

/// Rewrites all such limits in a plan.
pub(crate) fn as_ranks(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Limit(limit) = &node else { return Ok(Transformed::no(node)) };
        match ties(limit) {
            Some(rows) => ranked(limit, &limit.input, rows).map(Transformed::yes),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(rewritten.data)
}

/// How many rows a limit is to keep beside those that tie with the last.
fn ties(limit: &Limit) -> Option<Expr> {
    let mut fetch = limit.fetch.as_deref()?;
    while let Expr::Cast(inner) = fetch {
        fetch = &inner.expr;
    }
    match fetch {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == LABELLED => {
            args.first().cloned()
        }
        _ => None,
    }
}

fn ranked(limit: &Limit, input: &LogicalPlan, rows: Expr) -> Result<LogicalPlan> {
    match input {
        LogicalPlan::Sort(sort) => kept(limit, sort, rows),
        LogicalPlan::Projection(projection) => {
            let below = Arc::new(ranked(limit, &projection.input, rows)?);
            Projection::try_new(projection.expr.clone(), below).map(LogicalPlan::Projection)
        }
        _ => {
            let message = "WITH TIES cannot be specified without ORDER BY clause";
            Err(external(SqlError::new(SqlState::SYNTAX_ERROR, message)))
        }
    }
}

fn kept(limit: &Limit, sort: &Sort, rows: Expr) -> Result<LogicalPlan> {
    let number = |expr: &Expr| cast(expr.clone(), arrow::datatypes::DataType::Int64);
    let skip = limit.skip.as_deref().filter(|skip| skip.as_literal() != Some(&ScalarValue::Int64(Some(0))));
    let last = skip.map_or_else(|| number(&rows), |skip| number(&rows) + number(skip));
    let ordered = rank().order_by(sort.expr.clone()).build()?.alias(RANK);
    let mut calls = vec![ordered];
    if skip.is_some() {
        calls.push(row_number().order_by(sort.expr.clone()).build()?.alias(NUMBER));
    }
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let mut condition = column(RANK).lt_eq(last);
    if let Some(skip) = skip {
        condition = condition.and(column(NUMBER).gt(number(skip)));
    }
    if matches!(rows.as_literal(), Some(value) if value.is_null()) {
        condition = lit(true);
    }
    LogicalPlanBuilder::from(sort.input.clone())
        .window(calls)?
        .filter(condition)?
        .project(sort.input.schema().columns().into_iter().map(Expr::Column))?
        .sort(sort.expr.clone())?
        .build()
}

const RANK: &str = "$rank";
const NUMBER: &str = "$number";

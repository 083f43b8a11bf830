//! Scalar subqueries that may return several rows, as aggregates that fail if there are.
//!
//! ```text
//! (SELECT x FROM q)   is   (SELECT single(array_agg(x)) FROM q)
//! ```

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};

use super::references::outer_columns;

use crate::functions::{collected, single};

/// Rewrites what is correlated; DataFusion counts the rows of the others.
pub(super) fn in_correlated(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, &|subquery, schema| {
        Ok(!subquery.outer_ref_columns.is_empty() || !outer_columns(&subquery.subquery, schema)?.is_empty())
    })
}

/// Rewrites all.
pub(crate) fn one_row_each(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, &|_, _| Ok(true))
}

fn rewrite(
    plan: LogicalPlan,
    concerns: &dyn Fn(&Subquery, &DFSchema) -> Result<bool>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| match expr {
                Expr::ScalarSubquery(subquery)
                    if !has_one_row(&subquery.subquery) && concerns(&subquery, &schema)? =>
                {
                    Ok(Transformed::yes(Expr::ScalarSubquery(checked(subquery)?)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(rewritten.data)
}

fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(having) => is_one_group(&having.input),
        other => is_one_group(other) || at_most_one_row(other),
    }
}

/// Whether there is exactly one row.
pub(super) fn is_one_group(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_group(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_group(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => is_one_group(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

fn at_most_one_row(plan: &LogicalPlan) -> bool {
    plan.max_rows().is_some_and(|rows| rows <= 1)
}

fn checked(subquery: Subquery) -> Result<Subquery> {
    let plan = subquery.subquery.as_ref();
    let (qualifier, field) = plan.schema().qualified_field(0);
    let value = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let order = vec![value.clone().sort(true, false)];
    let all = AggregateFunction::new_udf(array_agg_udaf(), vec![value], false, None, order, None);
    let all = Expr::AggregateFunction(collected(all)).alias(field.name());
    let one = single(Expr::Column(Column::new_unqualified(field.name()))).alias(field.name());
    let plan = LogicalPlanBuilder::from(plan.clone())
        .aggregate(Vec::<Expr>::new(), [all])?
        .project([one])?
        .build()?;
    Ok(Subquery { subquery: plan.into(), ..subquery })
}

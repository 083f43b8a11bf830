//! A join with `unnest` of columns of its left side, for which DataFusion has no plan, as an unnesting of that side:
//!
//! ```text
//! l JOIN LATERAL (SELECT f(unnest(l.a)) AS x) r   is   π(l.*, f(u) AS r.x)(unnest(π(l.*, l.a AS u)(l)))
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{NullHandling, Result, ScalarValue, UnnestOptions};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Unnest};

/// Rewrites all such joins in a plan.
pub(crate) fn unnest_left_sides(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let unnested = match &node {
            LogicalPlan::Join(join) => unnested(join)?,
            _ => None,
        };
        Ok(unnested.map_or_else(|| Transformed::no(node), Transformed::yes))
    })?;
    Ok(rewritten.data)
}

fn unnested(join: &Join) -> Result<Option<LogicalPlan>> {
    let always = |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let null_handling = match join.join_type {
        JoinType::Inner => NullHandling::Drop,
        JoinType::Left if join.on.is_empty() && join.filter.as_ref().is_none_or(always) => {
            NullHandling::PreserveAndExpandEmpty
        }
        _ => return Ok(None),
    };
    let Some(rows) = unnest_over(&join.left, &join.right, null_handling)? else { return Ok(None) };
    let equal = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let condition = equal.chain(join.filter.clone().filter(|filter| !always(filter))).reduce(Expr::and);
    match condition {
        Some(condition) => rows.filter(condition)?.build().map(Some),
        None => rows.build().map(Some),
    }
}

/// The rows of `left`, each with those that the lateral subquery `right` gives for it, if that only unnests.
pub(crate) fn unnest_over(
    left: &Arc<LogicalPlan>,
    right: &LogicalPlan,
    null_handling: NullHandling,
) -> Result<Option<LogicalPlanBuilder>> {
    let Some((unnest, outputs)) = lateral_rows(right)? else { return Ok(None) };
    let LogicalPlan::Projection(arrays) = unnest.input.as_ref() else { return Ok(None) };
    if !is_one_row(&arrays.input) {
        return Ok(None);
    }
    let own = || left.schema().columns().into_iter().map(Expr::Column);
    let arrays = arrays.expr.iter().map(|array| of_left(array.clone(), left));
    let exprs = own().map(Ok).chain(arrays).collect::<Result<Vec<_>>>()?;
    let options = UnnestOptions { null_handling, ..unnest.options.clone() };
    let rows = Projection::try_new(exprs, left.clone()).map(LogicalPlan::Projection)?;
    let rows =
        LogicalPlanBuilder::from(rows).unnest_columns_with_options(unnest.exec_columns.clone(), options)?;
    let named = outputs.into_iter().zip(right.schema().iter()).map(|(output, (qualifier, field))| {
        Ok(of_left(output, left)?.alias_qualified(qualifier.cloned(), field.name()))
    });
    rows.project(own().map(Ok).chain(named).collect::<Result<Vec<_>>>()?).map(Some)
}

/// The unnesting that a lateral subquery consists of, and what its columns are over the rows of that.
fn lateral_rows(plan: &LogicalPlan) -> Result<Option<(&Unnest, Vec<Expr>)>> {
    match plan {
        LogicalPlan::Subquery(subquery) => lateral_rows(&subquery.subquery),
        LogicalPlan::SubqueryAlias(alias) => lateral_rows(&alias.input),
        LogicalPlan::Unnest(unnest) => {
            let columns = unnest.schema.columns().into_iter().map(Expr::Column);
            Ok(Some((unnest, columns.collect())))
        }
        LogicalPlan::Projection(projection) => {
            let Some((unnest, inner)) = lateral_rows(&projection.input)? else { return Ok(None) };
            let schema = projection.input.schema();
            let outputs = projection.expr.iter().map(|expr| {
                let substituted = expr.clone().transform_up(|expr| match &expr {
                    Expr::Column(column) => {
                        Ok(Transformed::yes(inner[schema.index_of_column(column)?].clone()))
                    }
                    _ => Ok(Transformed::no(expr)),
                })?;
                Ok(substituted.data.unalias())
            });
            Ok(Some((unnest, outputs.collect::<Result<Vec<_>>>()?)))
        }
        _ => Ok(None),
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row)
}

/// The expression with columns of the left side where it refers to them as to those of an outer query.
fn of_left(expr: Expr, left: &Arc<LogicalPlan>) -> Result<Expr> {
    let rewritten = expr.transform_up(|expr| match &expr {
        Expr::OuterReferenceColumn(_, column) if left.schema().has_column(column) => {
            Ok(Transformed::yes(Expr::Column(column.clone())))
        }
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(rewritten.data)
}

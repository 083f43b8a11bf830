//! Which columns of the query around a subquery refers to, and other columns in their place.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

/// The subquery of an expression that is one.
pub(super) fn subquery(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(member) => Some(&member.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

/// Whether a subquery inside another one refers to columns of `schema`, around both.
pub(super) fn is_referred_from_inside(plan: &LogicalPlan, schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        let inputs = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some(nested) = subquery(expr) {
                    let columns = outer_columns(&nested.subquery, schema)?;
                    found |= columns.iter().any(|column| !inputs.has_column(column));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The columns of `schema` that a subquery refers to, in subqueries inside it too, each once.
pub(super) fn outer_columns(plan: &LogicalPlan, schema: &DFSchema) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    plan.apply(|node| {
        let inputs = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let columns = match (expr, subquery(expr)) {
                    (Expr::OuterReferenceColumn(_, column), _) if schema.has_column(column) => {
                        vec![column.clone()]
                    }
                    // What a subquery inside refers to may be nearer.
                    (_, Some(nested)) => {
                        let mut columns = outer_columns(&nested.subquery, schema)?;
                        columns.retain(|column| !inputs.has_column(column));
                        columns
                    }
                    _ => Vec::new(),
                };
                for column in columns {
                    if !found.contains(&column) {
                        found.push(column);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Puts others in the place of references to the query around, in one expression over rows of `schema`: `direct` gives what
/// stands for a column here, `nested` what a subquery inside refers to instead.
pub(super) fn replaced(
    expr: Expr,
    schema: &DFSchema,
    direct: &dyn Fn(&Column) -> Option<Expr>,
    nested: &dyn Fn(&Column) -> Option<Column>,
) -> Result<Expr> {
    let rewritten = expr.transform_up(|expr| match expr {
        Expr::OuterReferenceColumn(field, column) => Ok(match direct(&column) {
            Some(other) => Transformed::yes(other),
            None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
        }),
        other => inside_subquery(other, schema, nested),
    })?;
    Ok(rewritten.data)
}

fn inside_subquery(
    expr: Expr,
    schema: &DFSchema,
    nested: &dyn Fn(&Column) -> Option<Column>,
) -> Result<Transformed<Expr>> {
    let further = |column: &Column| if schema.has_column(column) { None } else { nested(column) };
    let changed = |subquery: Subquery| {
        let plan = replaced_in_plan(subquery.subquery.as_ref().clone(), &further)?;
        Ok::<_, datafusion::common::DataFusionError>(Subquery {
            outer_ref_columns: plan.all_out_ref_exprs(),
            subquery: plan.into(),
            spans: subquery.spans,
        })
    };
    Ok(Transformed::yes(match expr {
        Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(changed(subquery)?),
        Expr::Exists(mut exists) => {
            exists.subquery = changed(exists.subquery)?;
            Expr::Exists(exists)
        }
        Expr::InSubquery(mut member) => {
            member.subquery = changed(member.subquery)?;
            Expr::InSubquery(member)
        }
        Expr::SetComparison(mut comparison) => {
            comparison.subquery = changed(comparison.subquery)?;
            Expr::SetComparison(comparison)
        }
        other => return Ok(Transformed::no(other)),
    }))
}

/// [`replaced`] in all of a subquery's plan, where columns of the query around stay such.
fn replaced_in_plan(plan: LogicalPlan, other: &dyn Fn(&Column) -> Option<Column>) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up(|node| {
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expr| {
            let rewritten = expr.transform_up(|expr| match expr {
                Expr::OuterReferenceColumn(field, column) => Ok(match other(&column) {
                    Some(column) => Transformed::yes(Expr::OuterReferenceColumn(field, column)),
                    None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                }),
                inner => inside_subquery(inner, &schema, other),
            })?;
            Ok(rewritten)
        })
    })?;
    Ok(rewritten.data)
}

//! The types of the branches of a UNION, as PostgreSQL resolves them.

use std::sync::Arc;

use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::errors::external;
use crate::operators::{describe, resolve, result_type};

/// Gives literals of open type the type that the other branches have in that column; known types must match.
pub(crate) fn resolve_branches(branches: Vec<Arc<LogicalPlan>>) -> Result<Vec<Arc<LogicalPlan>>> {
    let width = branches.iter().map(|branch| branch.schema().fields().len()).min().unwrap_or(0);
    let types = (0..width).map(|position| common_type(&branches, position)).collect::<Result<Vec<_>>>()?;
    branches.into_iter().map(|branch| resolve_branch(branch, &types)).collect()
}

fn common_type(branches: &[Arc<LogicalPlan>], position: usize) -> Result<Option<SqlType>> {
    let mut common = None;
    for branch in branches.iter().filter(|branch| !is_open(branch, position)) {
        let known = SqlType::from_arrow(branch.schema().field(position).data_type());
        common = match (common, known) {
            (Some(one), Some(other)) => match result_type(one, other) {
                Some(result) => Some(result),
                None => return Err(no_match(one, other)),
            },
            (one, other) => one.or(other),
        };
    }
    Ok(common)
}

fn no_match(one: SqlType, other: SqlType) -> datafusion::common::DataFusionError {
    let (one, other) = (describe(Some(one)), describe(Some(other)));
    let message = format!("UNION types {one} and {other} cannot be matched");
    external(SqlError::new(SqlState::DATATYPE_MISMATCH, message))
}

fn is_open(branch: &LogicalPlan, position: usize) -> bool {
    match branch {
        LogicalPlan::Projection(projection) => is_open_expr(&projection.expr[position]),
        _ => false,
    }
}

fn is_open_expr(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_open_expr(&alias.expr),
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _)
        | Expr::Placeholder(Placeholder { field: None, .. }) => true,
        _ => false,
    }
}

fn resolve_branch(branch: Arc<LogicalPlan>, types: &[Option<SqlType>]) -> Result<Arc<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = branch.as_ref() else { return Ok(branch) };
    if !projection.expr.iter().any(is_open_expr) {
        return Ok(branch);
    }
    let exprs = projection.expr.iter().zip(projection.schema.iter()).enumerate();
    let exprs = exprs.map(|(position, (expr, (qualifier, field)))| match types.get(position) {
        Some(Some(known)) if is_open_expr(expr) => {
            Ok(resolve(expr.clone(), *known)?.unalias().alias_qualified(qualifier.cloned(), field.name()))
        }
        _ => Ok(expr.clone()),
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, projection.input.clone())?)))
}

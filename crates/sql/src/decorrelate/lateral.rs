use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::alias::AliasGenerator;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::domain::Domain;
use super::references::outer_columns;
use super::unknown;

/// A join whose right side refers to its left one, as one that doesn't.
pub(super) fn joined(join: &Join, aliases: &Arc<AliasGenerator>) -> Result<Option<LogicalPlan>> {
    let columns = outer_columns(&join.right, join.left.schema())?;
    if columns.is_empty() {
        return Ok(None);
    }
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return unknown();
    }
    let domain = Domain::new(&join.left, columns, aliases)?;
    let right = domain.push(&join.right)?;
    let equal = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let condition = conjunction(equal.chain(join.filter.clone()));
    let plan = domain.join_back(join.left.as_ref().clone(), right, join.join_type, condition)?;
    let columns = join.schema.columns().into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(plan).project(columns)?.build().map(Some)
}

//! Queries that return columns of one relation as they are.

use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::relation_table::scanned;

/// Positions of the columns of the one relation that a plan scans which it returns, if it does nothing else but filter: of which rows,
/// its filters say.
pub(crate) fn plain_columns(plan: &LogicalPlan) -> Option<Vec<usize>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let whole = scan.filters.is_empty() && scan.fetch.is_none() && scan.projection.is_none();
            scanned(scan).filter(|_| whole)?;
            Some((0..scan.projected_schema.fields().len()).collect())
        }
        LogicalPlan::SubqueryAlias(alias) => plain_columns(&alias.input),
        LogicalPlan::Filter(filter) => plain_columns(&filter.input),
        LogicalPlan::Projection(projection) => {
            let below = plain_columns(&projection.input)?;
            let schema = projection.input.schema();
            let position = |expr: &Expr| match expr {
                Expr::Column(column) => schema.maybe_index_of_column(column).map(|index| below[index]),
                _ => None,
            };
            projection.expr.iter().map(|expr| position(unaliased(expr))).collect()
        }
        _ => None,
    }
}

/// An expression without the name that it is given.
pub(crate) fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

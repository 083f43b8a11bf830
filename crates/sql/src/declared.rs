use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};
use springtide_types::SqlType;

use crate::functions::cast_target;
use crate::relation_table::scanned;

/// The `varchar` as which an output column was declared, or cast to. Arrow calls every text alike, so that it
/// has to be looked up where the column comes from; `None` where it is computed, which makes it `text`.
pub(crate) fn varchar(plan: &LogicalPlan, position: usize) -> Option<SqlType> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let column = scan.projection.as_ref().map_or(position, |columns| columns[position]);
            let sql_type = scanned(scan)?.0.columns.get(column)?.sql_type;
            is_varchar(&sql_type).then_some(sql_type)
        }
        LogicalPlan::Projection(projection) => of_expr(projection.expr.get(position)?, &projection.input),
        LogicalPlan::Aggregate(aggregate) => of_expr(aggregate.group_expr.get(position)?, &aggregate.input),
        LogicalPlan::SubqueryAlias(alias) => varchar(&alias.input, position),
        LogicalPlan::Filter(filter) => varchar(&filter.input, position),
        LogicalPlan::Sort(sort) => varchar(&sort.input, position),
        LogicalPlan::Limit(limit) => varchar(&limit.input, position),
        LogicalPlan::Distinct(Distinct::All(input)) => varchar(input, position),
        LogicalPlan::Window(window) => {
            let inner = position < window.input.schema().fields().len();
            inner.then(|| varchar(&window.input, position)).flatten()
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                _ if position < left => varchar(&join.left, position),
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                    varchar(&join.right, position - left)
                }
                _ => None,
            }
        }
        LogicalPlan::Union(union) => {
            let mut types = union.inputs.iter().map(|input| varchar(input, position));
            let first = types.next().flatten();
            first.filter(|_| types.all(|other| other == first))
        }
        _ => None,
    }
}

/// Whether a type is `varchar`, or an array of it.
fn is_varchar(sql_type: &SqlType) -> bool {
    matches!(sql_type.element().unwrap_or(*sql_type), SqlType::Varchar(_))
}

fn of_expr(expr: &Expr, input: &LogicalPlan) -> Option<SqlType> {
    match expr {
        Expr::Alias(alias) => of_expr(&alias.expr, input),
        Expr::Column(column) => varchar(input, input.schema().maybe_index_of_column(column)?),
        Expr::ScalarFunction(function) => cast_target(function).filter(is_varchar),
        _ => None,
    }
}

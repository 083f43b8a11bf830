use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};
use springtide_types::SqlType;

use crate::functions::cast_target;
use crate::relation_table::scanned;

/// The `varchar` as which an output column was declared, or cast to. Arrow calls every text alike, so that it
/// has to be looked up where the column comes from; `None` where it is computed, which makes it `text`.
pub(crate) fn varchar(plan: &LogicalPlan, position: usize) -> Option<SqlType> {
    declared(plan, position, is_varchar)
}

/// The `numeric` as which an output column was declared, or cast to; `None` where it is computed.
pub(crate) fn numeric(plan: &LogicalPlan, position: usize) -> Option<SqlType> {
    declared(plan, position, |sql_type| matches!(sql_type, SqlType::Numeric(..)))
}

/// The type as which an output column was declared, if it is one of these.
fn declared(plan: &LogicalPlan, position: usize, is: fn(&SqlType) -> bool) -> Option<SqlType> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let column = scan.projection.as_ref().map_or(position, |columns| columns[position]);
            let sql_type = scanned(scan)?.0.columns.get(column)?.sql_type;
            is(&sql_type).then_some(sql_type)
        }
        LogicalPlan::Projection(projection) => of_expr(projection.expr.get(position)?, &projection.input, is),
        LogicalPlan::Aggregate(aggregate) => {
            of_expr(aggregate.group_expr.get(position)?, &aggregate.input, is)
        }
        LogicalPlan::SubqueryAlias(alias) => declared(&alias.input, position, is),
        LogicalPlan::Filter(filter) => declared(&filter.input, position, is),
        LogicalPlan::Sort(sort) => declared(&sort.input, position, is),
        LogicalPlan::Limit(limit) => declared(&limit.input, position, is),
        LogicalPlan::Distinct(Distinct::All(input)) => declared(input, position, is),
        LogicalPlan::Window(window) => {
            let inner = position < window.input.schema().fields().len();
            inner.then(|| declared(&window.input, position, is)).flatten()
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                _ if position < left => declared(&join.left, position, is),
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                    declared(&join.right, position - left, is)
                }
                _ => None,
            }
        }
        LogicalPlan::Union(union) => {
            let mut types = union.inputs.iter().map(|input| declared(input, position, is));
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

fn of_expr(expr: &Expr, input: &LogicalPlan, is: fn(&SqlType) -> bool) -> Option<SqlType> {
    match expr {
        Expr::Alias(alias) => of_expr(&alias.expr, input, is),
        Expr::Column(column) => declared(input, input.schema().maybe_index_of_column(column)?, is),
        Expr::ScalarFunction(function) => cast_target(function).filter(is),
        _ => None,
    }
}

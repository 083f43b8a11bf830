//! Where the columns of a result come from, for clients that ask the catalogue about them.

use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};
use springtide_types::RelationId;

use crate::plain::unaliased;
use crate::relation_table::scanned;
use crate::scan::Time;

/// A column of a stored relation, by its position.
pub type Origin = (RelationId, usize);

/// For each column of a plan, the column that its values are taken from as they are. What comes through a plain view has
/// none: `is_view` tells their names.
pub(crate) fn origins(plan: &LogicalPlan, is_view: &dyn Fn(&str) -> bool) -> Vec<Option<Origin>> {
    (0..plan.schema().fields().len()).map(|position| origin(plan, position, is_view)).collect()
}

fn origin(plan: &LogicalPlan, position: usize, is_view: &dyn Fn(&str) -> bool) -> Option<Origin> {
    let of = |expr: &Expr, input: &LogicalPlan| match unaliased(expr) {
        Expr::Column(column) => origin(input, input.schema().maybe_index_of_column(column)?, is_view),
        _ => None,
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            let (relation, _) = scanned(scan).filter(|(_, scan)| scan.time == Time::Present)?;
            let position = scan.projection.as_ref().map_or(position, |projection| projection[position]);
            Some((relation.id, position))
        }
        LogicalPlan::SubqueryAlias(alias) if is_view(alias.alias.table()) => None,
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, position, is_view),
        LogicalPlan::Filter(filter) => origin(&filter.input, position, is_view),
        LogicalPlan::Sort(sort) => origin(&sort.input, position, is_view),
        LogicalPlan::Limit(limit) => origin(&limit.input, position, is_view),
        LogicalPlan::Distinct(Distinct::All(input)) => origin(input, position, is_view),
        LogicalPlan::Projection(projection) => of(&projection.expr[position], &projection.input),
        LogicalPlan::Aggregate(aggregate) => of(aggregate.group_expr.get(position)?, &aggregate.input),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                let left = join.left.schema().fields().len();
                match position.checked_sub(left) {
                    None => origin(&join.left, position, is_view),
                    Some(position) => origin(&join.right, position, is_view),
                }
            }
            JoinType::LeftSemi | JoinType::LeftAnti => origin(&join.left, position, is_view),
            _ => None,
        },
        _ => None,
    }
}

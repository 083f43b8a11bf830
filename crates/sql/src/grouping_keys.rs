//! The keys of GROUPING SETS, ROLLUP and CUBE as columns. Rules that put one expression in the place of another see to the names
//! of the keys of an ordinary GROUP BY, but not to those inside of sets; what is a column already they leave alone.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};

/// Computes the keys of sets that are no columns below the grouping, as columns of the names that they have above it.
pub(crate) fn as_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    let computed = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Aggregate(aggregate) => computed_below(aggregate),
        other => Ok(Transformed::no(other)),
    });
    Ok(computed?.data)
}

fn computed_below(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let taken = aggregate.input.schema().field_names();
    // A cast has the name of what it casts, and keeps it.
    let is_computed =
        |key: &Expr| !matches!(key, Expr::Column(_)) && !taken.contains(&key.schema_name().to_string());
    let keys = sets.distinct_expr();
    let computed = keys.into_iter().filter(|key| is_computed(key)).cloned().collect::<Vec<_>>();
    if computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let columns = aggregate.input.schema().iter().map(Expr::from);
    let named = computed.iter().map(|key| key.clone().alias(key.schema_name().to_string()));
    let exprs = columns.chain(named).collect::<Vec<_>>();
    let input = LogicalPlanBuilder::from(aggregate.input.clone()).project(exprs)?.build()?;
    let column = |key: &Expr| match is_computed(key) {
        true => Expr::Column(Column::new_unqualified(key.schema_name().to_string())),
        false => key.clone(),
    };
    let all = |keys: &[Expr]| keys.iter().map(column).collect::<Vec<_>>();
    let sets = match sets {
        GroupingSet::Rollup(keys) => GroupingSet::Rollup(all(keys)),
        GroupingSet::Cube(keys) => GroupingSet::Cube(all(keys)),
        GroupingSet::GroupingSets(sets) => {
            GroupingSet::GroupingSets(sets.iter().map(|keys| all(keys)).collect())
        }
    };
    let aggregate =
        Aggregate::try_new(Arc::new(input), vec![Expr::GroupingSet(sets)], aggregate.aggr_expr.clone())?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

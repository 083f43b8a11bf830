//! Where equal values of `jsonb` meet, they get one form: they may differ in the zeros at the end of fractions, which it keeps.

use datafusion::common::Result;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, LogicalPlanBuilder};
use springtide_types::SqlType;
use std::sync::Arc;

use crate::functions::{jsonb_key, uniform_jsonb};
use crate::operators::known_type;

/// The plan with one form for the values by which it groups, joins, or tells rows apart.
pub(crate) fn unite_equal(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let columns =
                aggregate.group_expr.iter().flat_map(Expr::column_refs).cloned().collect::<Vec<_>>();
            let is_key = |column: &Expr| matches!(column, Expr::Column(column) if columns.contains(column));
            let input = uniform(&aggregate.input, is_key)?;
            let schema = input.schema().clone();
            let groups = aggregate.group_expr.into_iter().map(|group| {
                let is_plain = matches!(group, Expr::Column(_) | Expr::GroupingSet(_));
                if is_plain || known_type(&group, &schema).ok().flatten() != Some(SqlType::Jsonb) {
                    return group;
                }
                let name = group.schema_name().to_string();
                uniform_jsonb(group).alias(name)
            });
            let groups = groups.collect();
            LogicalPlan::Aggregate(Aggregate::try_new(input, groups, aggregate.aggr_expr)?)
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            LogicalPlan::Distinct(Distinct::All(uniform(&input, |_| true)?))
        }
        LogicalPlan::Join(join) => LogicalPlan::Join(with_keys(join)?),
        other => other,
    })
}

fn with_keys(mut join: Join) -> Result<Join> {
    for (left, right) in &mut join.on {
        for (side, input) in [(left, &join.left), (right, &join.right)] {
            if known_type(side, input.schema())? == Some(SqlType::Jsonb) {
                *side = jsonb_key(std::mem::take(side));
            }
        }
    }
    Ok(join)
}

/// The rows with one form for the columns of type `jsonb` that are wanted.
fn uniform(input: &Arc<LogicalPlan>, wanted: impl Fn(&Expr) -> bool) -> Result<Arc<LogicalPlan>> {
    let schema = input.schema();
    let mut changed = false;
    let columns = schema.iter().map(|(qualifier, field)| {
        let column = Expr::Column((qualifier, field).into());
        if *field.data_type() != SqlType::Jsonb.arrow() || !wanted(&column) {
            return column;
        }
        changed = true;
        uniform_jsonb(column).alias_qualified(qualifier.cloned(), field.name())
    });
    let columns = columns.collect::<Vec<_>>();
    if !changed {
        return Ok(input.clone());
    }
    LogicalPlanBuilder::from(input.clone()).project(columns)?.build().map(Arc::new)
}

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Extension, Filter, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::node::AsofJoin;

/// Moves what is asked of the left side of an ASOF JOIN below it: each of its rows finds what it finds, whatever the
/// others are. What is asked of the right side stays, since it must not change what is nearest.
#[derive(Debug)]
pub(crate) struct FilterLeftOfAsofJoin;

impl OptimizerRule for FilterLeftOfAsofJoin {
    fn name(&self) -> &str {
        "filter_left_of_asof_join"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Extension(Extension { node }) = filter.input.as_ref() else {
            return Ok(Transformed::no(plan));
        };
        let Some(join) = node.as_any().downcast_ref::<AsofJoin>() else { return Ok(Transformed::no(plan)) };
        let (mut left, mut rest) = (Vec::new(), Vec::new());
        for part in split_conjunction_owned(filter.predicate.clone()) {
            if join.is_of_left(&part)? { left.push(part) } else { rest.push(part) }
        }
        let Some(of_left) = conjunction(left) else { return Ok(Transformed::no(plan)) };
        let join = join.with_left_filter(of_left)?;
        Ok(Transformed::yes(match conjunction(rest) {
            Some(rest) => LogicalPlan::Filter(Filter::try_new(rest, join.into())?),
            None => join,
        }))
    }
}

//! Correlated subqueries as joins, wherever they stand and whatever they consist of.
//!
//! ```text
//! outer o, subquery q(o.c)
//!
//!   D  = SELECT DISTINCT c FROM outer
//!   Q  = the rows of q(d) for each d of D, with d               ([`push`])
//!   outer o LEFT JOIN Q ON o.c IS NOT DISTINCT FROM Q.d
//! ```
//!
//! Every step is one that can be maintained incrementally, so that views have such subqueries too. DataFusion's own rules come
//! first: they need no D where the correlation is an equality. Source: Neumann and Kemper, *Unnesting Arbitrary
//! Queries*, BTW 2015.

mod domain;
mod lateral;
mod push;
mod references;
mod single_row;
mod subqueries;

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, Filter, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::{AnalyzerRule, ApplyOrder, OptimizerConfig, OptimizerRule};

pub(crate) use single_row::one_row_each;

use references::is_referred_from_inside;
use subqueries::Subqueries;

/// What DataFusion's rules have left over.
#[derive(Debug)]
pub(crate) struct Decorrelate;

impl OptimizerRule for Decorrelate {
    fn name(&self) -> &str {
        "decorrelate"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Join(join) = &plan
            && let Some(joined) = known(lateral::joined(join, config.alias_generator()))?.flatten()
        {
            return Ok(Transformed::yes(joined));
        }
        decorrelated(plan, Subqueries::all(config.alias_generator().clone()))
    }
}

/// What DataFusion's checks would refuse before its rules see it.
#[derive(Debug)]
pub(crate) struct DecorrelateRefused {
    aliases: Arc<AliasGenerator>,
}

impl DecorrelateRefused {
    pub(crate) fn new() -> DecorrelateRefused {
        DecorrelateRefused { aliases: Arc::new(AliasGenerator::new()) }
    }
}

impl AnalyzerRule for DecorrelateRefused {
    fn name(&self) -> &str {
        "decorrelate_refused"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = single_row::in_correlated(plan)?;
        let rewritten = plan.transform_down_with_subqueries(|plan| {
            if let LogicalPlan::Join(join) = &plan
                && is_referred_from_inside(&join.right, join.left.schema())?
                && let Some(joined) = known(lateral::joined(join, &self.aliases))?.flatten()
            {
                return Ok(Transformed::yes(joined));
            }
            decorrelated(plan, Subqueries::refused(self.aliases.clone()))
        });
        rewritten.map(|plan| plan.data)
    }
}

/// `None` for what the rewrite does not know.
fn known<T>(rewritten: Result<T>) -> Result<Option<T>> {
    match rewritten {
        Err(DataFusionError::NotImplemented(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// What a plan that can't be decorrelated gives.
fn unknown<T>() -> Result<T> {
    Err(DataFusionError::NotImplemented("this kind of correlated subquery".to_owned()))
}

/// A node whose expressions refer to columns of joined inputs where they had subqueries.
fn decorrelated(plan: LogicalPlan, subqueries: Subqueries) -> Result<Transformed<LogicalPlan>> {
    if !subqueries.concern(&plan)? {
        return Ok(Transformed::no(plan));
    }
    let rewritten = match &plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            let condition = join.filter.clone().unwrap_or_else(|| lit(true));
            let mut join = join.clone();
            join.filter = None;
            let filter = Filter::try_new(condition, Arc::new(LogicalPlan::Join(join)))?;
            known(over_input(LogicalPlan::Filter(filter), subqueries))?
        }
        LogicalPlan::Join(join) => known(subqueries.in_outer_join(join))?,
        plan if plan.inputs().len() == 1 => known(over_input(plan.clone(), subqueries))?,
        _ => None,
    };
    Ok(match rewritten {
        Some(rewritten) => Transformed::new(rewritten, true, TreeNodeRecursion::Continue),
        None => Transformed::no(plan),
    })
}

/// The node over its input joined with the subqueries of its expressions.
fn over_input(plan: LogicalPlan, mut subqueries: Subqueries) -> Result<LogicalPlan> {
    let input = plan.inputs()[0].clone();
    let (joined, exprs) = subqueries.join(&plan, input, plan.expressions())?;
    let schema = plan.schema().clone();
    let over = plan.with_new_exprs(exprs, vec![joined])?;
    if over.schema().fields().len() == schema.fields().len() {
        return Ok(over);
    }
    LogicalPlanBuilder::from(over).project(schema.columns().into_iter().map(Expr::Column))?.build()
}

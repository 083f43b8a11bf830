//! DataFusion's rules about inner joins take a join for which NULL equals NULL for one for which it doesn't, or the other way
//! round, where both kinds meet.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, Join, JoinType, LogicalPlan, Operator};
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// DataFusion's rule of this name, where all inner joins that touch each other are of one kind.
#[derive(Debug, Default)]
pub(crate) struct EliminateCrossJoinOfOneKind(EliminateCrossJoin);

impl OptimizerRule for EliminateCrossJoinOfOneKind {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut mixed = false;
        plan.apply_with_subqueries(|node| {
            mixed |= mixes(node);
            Ok(if mixed { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if mixed { Ok(Transformed::no(plan)) } else { self.0.rewrite(plan, config) }
    }
}

/// Whether a join stands directly over one of another kind, or a condition that may become part of it over one where NULL
/// equals NULL.
fn mixes(node: &LogicalPlan) -> bool {
    let kind = |plan: &LogicalPlan| match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => Some(join.null_equality),
        _ => None,
    };
    match node {
        LogicalPlan::Filter(Filter { input, .. }) => kind(input) == Some(NullEquality::NullEqualsNull),
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => [&join.left, &join.right]
            .into_iter()
            .any(|side| kind(side).is_some_and(|kind| kind != join.null_equality)),
        _ => false,
    }
}

/// DataFusion's rule of this name, with equalities of a join where NULL equals NULL asking for what is not NULL.
#[derive(Debug, Default)]
pub(crate) struct ExtractEqualities(ExtractEquijoinPredicate);

impl OptimizerRule for ExtractEqualities {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => {
                self.0.rewrite(LogicalPlan::Join(with_known_sides(join)), config)
            }
            other => self.0.rewrite(other, config),
        }
    }
}

fn with_known_sides(mut join: Join) -> Join {
    let Some(filter) = &join.filter else { return join };
    let known = split_conjunction(filter).into_iter().filter_map(|condition| match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, .. }) => Some(left.clone().is_not_null()),
        _ => None,
    });
    let conditions = split_conjunction(filter).into_iter().cloned().chain(known);
    let mut all = Vec::new();
    for condition in conditions {
        if !all.contains(&condition) {
            all.push(condition);
        }
    }
    join.filter = conjunction(all);
    join
}

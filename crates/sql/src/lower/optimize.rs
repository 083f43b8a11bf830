use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use springtide_types::Result;

use crate::Planner;
use crate::decorrelate::DecorrelateScalarAggregate;
use crate::errors::plan_error;

/// What becomes of correlated scalar subqueries.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Subqueries {
    /// Joins with the subquery grouped by the columns that correlate it.
    AsJoins,
    /// See [`DecorrelateScalarAggregate`].
    AsGroups,
}

/// Rewrites the plan into joins, aggregates and unions over narrow inputs. Only rules that hold for changing
/// inputs are in the list; the order is DataFusion's.
pub(super) fn optimize(planner: &Planner, plan: LogicalPlan, subqueries: Subqueries) -> Result<LogicalPlan> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    let before_joins = rules.iter().position(|rule| rule.name() == "scalar_subquery_to_join").unwrap_or(0);
    let at = if subqueries == Subqueries::AsGroups { before_joins } else { before_joins + 1 };
    rules.insert(at, Arc::new(DecorrelateScalarAggregate));
    let mut options: ConfigOptions = planner.options().clone();
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    let context =
        OptimizerContext::new_with_config_options(Arc::new(options)).without_query_execution_start_time();
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {}).map_err(|error| plan_error(&error))
}

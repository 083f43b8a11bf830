use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use springtide_types::Result;

use crate::Planner;
use crate::decorrelate::{Decorrelate, one_row_each};
use crate::errors::plan_error;
use crate::multisets;
use crate::null_equality::{EliminateCrossJoinOfOneKind, ExtractEqualities};
use crate::push_down_filter::PushDownFilterBelowGroups;
use crate::three_valued_in::ThreeValuedIn;

/// Rewrites the plan into joins, aggregates and unions over narrow inputs. Only rules that hold for changing
/// inputs are in the list; the order is DataFusion's.
pub(super) fn optimize(planner: &Planner, plan: LogicalPlan) -> Result<LogicalPlan> {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ThreeValuedIn::EVERYWHERE),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(Decorrelate),
        Arc::new(ExtractEqualities::default()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoinOfOneKind::default()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilterBelowGroups::default()),
        Arc::new(OptimizeProjections::new()),
    ];
    let mut options: ConfigOptions = planner.options().clone();
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    let context =
        OptimizerContext::new_with_config_options(Arc::new(options)).without_query_execution_start_time();
    one_row_each(plan)
        .and_then(multisets::as_nodes)
        .and_then(|plan| Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {}))
        .map_err(|error| plan_error(&error))
}

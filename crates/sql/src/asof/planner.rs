//! From the logical plan to the one that runs.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, internal_datafusion_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::exec::{AsofJoinExec, Compiled};
use super::node::AsofJoin;

/// DataFusion's planner, for plans with [`AsofJoin`] too.
#[derive(Debug)]
pub(crate) struct AsofQueryPlanner;

#[async_trait]
impl QueryPlanner for AsofQueryPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(AsofPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

struct AsofPlanner;

#[async_trait]
impl ExtensionPlanner for AsofPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(join) = node.as_any().downcast_ref::<AsofJoin>() else { return Ok(None) };
        let [left, right] = physical_inputs else {
            return Err(internal_datafusion_err!("an ASOF JOIN has two inputs"));
        };
        let physical = |expr: &Expr, schema: &DFSchema| -> Result<Arc<dyn PhysicalExpr>> {
            planner.create_physical_expr(expr, schema, session, context)
        };
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let left_keys = join.on.iter().map(|(left, _)| physical(left, left_schema));
        let right_keys = join.on.iter().map(|(_, right)| physical(right, right_schema));
        let both = left_schema.join(right_schema)?;
        let compiled = Compiled {
            left_keys: left_keys.collect::<Result<_>>()?,
            right_keys: right_keys.collect::<Result<_>>()?,
            left_time: physical(&join.times.0, left_schema)?,
            right_time: physical(&join.times.1, right_schema)?,
            op: join.op,
            of_match: join.of_match.as_ref().map(|condition| physical(condition, &both)).transpose()?,
            keeps_left: join.keeps_left,
            schema: Arc::new(UserDefinedLogicalNode::schema(join).as_arrow().clone()),
        };
        Ok(Some(Arc::new(AsofJoinExec::new(left.clone(), right.clone(), Arc::new(compiled)))))
    }
}

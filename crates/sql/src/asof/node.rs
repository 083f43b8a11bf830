//! The node of the logical plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, Result, internal_datafusion_err};
use datafusion::logical_expr::{
    Expr, Extension, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, UserDefinedLogicalNodeCore,
    build_join_schema,
};

use super::conditions::{Sides, has_query};
use super::{ASOF, ASOF_NEAREST};
use crate::errors::plan_error;

/// The plan with a node for each join that is marked as an ASOF JOIN. Fails where its condition is none of one.
pub(crate) fn as_nodes(plan: LogicalPlan) -> springtide_types::Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        match join.filter.as_ref().and_then(marked) {
            Some((match_condition, on)) => {
                Ok(Transformed::yes(AsofJoin::of(join, on, match_condition)?.into_plan()))
            }
            None => Ok(Transformed::no(plan)),
        }
    });
    replaced.map(|plan| plan.data).map_err(|error| plan_error(&error))
}

/// What MATCH_CONDITION says, and the parts of what ON says.
fn marked(filter: &Expr) -> Option<(Option<&Expr>, &[Expr])> {
    let Expr::ScalarFunction(call) = filter else { return None };
    match call.name() {
        ASOF => Some((None, &call.args)),
        ASOF_NEAREST => call.args.split_first().map(|(nearest, on)| (Some(nearest), on)),
        _ => None,
    }
}

/// Whether a node is an ASOF JOIN.
pub(crate) fn is_asof_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Extension(Extension { node }) if node.as_any().is::<AsofJoin>())
}

/// `left ASOF [LEFT] JOIN right`. Its columns are those of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AsofJoin {
    pub(super) left: LogicalPlan,
    /// Only rows that may be matched.
    pub(super) right: LogicalPlan,
    /// Whether rows of the left side without a match stay.
    pub(super) keeps_left: bool,
    /// What must be equal, left and right.
    pub(super) on: Vec<(Expr, Expr)>,
    /// The times that are compared, left and right, and how.
    pub(super) times: (Expr, Expr),
    pub(super) op: Operator,
    /// What the nearest row must fulfil.
    pub(super) of_match: Option<Expr>,
    schema: DFSchemaRef,
}

impl AsofJoin {
    fn of(join: &Join, on: &[Expr], match_condition: Option<&Expr>) -> Result<AsofJoin> {
        let sides = Sides { left: join.left.schema(), right: join.right.schema() };
        let parts = sides.conditions(on, match_condition)?;
        let right = LogicalPlanBuilder::from(join.right.as_ref().clone());
        let right = parts.candidates.into_iter().try_fold(right, LogicalPlanBuilder::filter)?.build()?;
        let (left_time, op, right_time) = parts.nearest;
        Ok(AsofJoin {
            left: join.left.as_ref().clone(),
            right,
            keeps_left: join.join_type == JoinType::Left,
            on: parts.on,
            times: (left_time, right_time),
            op,
            of_match: parts.of_match,
            schema: join.schema.clone(),
        })
    }

    /// Whether a condition depends on columns of the left side alone, and is the same wherever it is computed.
    pub(super) fn is_of_left(&self, condition: &Expr) -> Result<bool> {
        let columns = condition.column_refs();
        let has_all = columns.iter().all(|column| self.left.schema().has_column(column));
        Ok(has_all && !columns.is_empty() && !condition.is_volatile() && !has_query(condition)?)
    }

    /// The join of those rows of the left side that fulfil a condition.
    pub(super) fn with_left_filter(&self, condition: Expr) -> Result<LogicalPlan> {
        let left = LogicalPlanBuilder::from(self.left.clone()).filter(condition)?.build()?;
        Ok(AsofJoin { left, ..self.clone() }.into_plan())
    }

    fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    fn join_type(&self) -> JoinType {
        if self.keeps_left { JoinType::Left } else { JoinType::Inner }
    }
}

impl Hash for AsofJoin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.left, &self.right, self.keeps_left, &self.on, &self.times, self.op, &self.of_match)
            .hash(state);
    }
}

impl PartialOrd for AsofJoin {
    fn partial_cmp(&self, other: &AsofJoin) -> Option<Ordering> {
        let parts = |join: &AsofJoin| (join.keeps_left, join.expressions(), join.op);
        match parts(self).partial_cmp(&parts(other)) {
            Some(Ordering::Equal) => (&self.left, &self.right).partial_cmp(&(&other.left, &other.right)),
            different => different,
        }
    }
}

impl UserDefinedLogicalNodeCore for AsofJoin {
    fn name(&self) -> &str {
        "AsofJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let (left, right) = &self.times;
        let on = self.on.iter().flat_map(|(left, right)| [left, right]);
        [left, right].into_iter().chain(on).chain(&self.of_match).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.on.iter().filter(|(left, _)| !matches!(left, Expr::Literal(..)));
        let keys = keys.map(|(left, right)| format!("{left} = {right}"));
        let nearest = format!("nearest {} {} {}", self.times.0, self.op, self.times.1);
        let of_match = self.of_match.iter().map(|condition| format!("if {condition}"));
        let parts = keys.chain([nearest]).chain(of_match).collect::<Vec<_>>();
        write!(f, "AsofJoin: {} on {}", self.join_type(), parts.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<AsofJoin> {
        let incomplete = || internal_datafusion_err!("an ASOF JOIN has two inputs and a pair of times");
        let [left, right] = <[LogicalPlan; 2]>::try_from(inputs).map_err(|_| incomplete())?;
        let mut exprs = exprs.into_iter();
        let mut pair = || Some((exprs.next()?, exprs.next()?));
        let times = pair().ok_or_else(incomplete)?;
        let on = self.on.iter().map(|_| pair().ok_or_else(incomplete)).collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(build_join_schema(left.schema(), right.schema(), &self.join_type())?);
        let of_match = exprs.next();
        Ok(AsofJoin { left, right, keeps_left: self.keeps_left, on, times, op: self.op, of_match, schema })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left.schema().fields().len();
        let left = output_columns.iter().copied().filter(|column| *column < width).collect();
        // Ties are decided by all columns, whatever the query asks for.
        Some(vec![left, (0..self.right.schema().fields().len()).collect()])
    }
}

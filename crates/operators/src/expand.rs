use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::Expand;
use springtide_state::{consolidate, is_narrow};
use springtide_types::SqlError;

use crate::evaluate::project;
use crate::{Input, Operator, Output, Status};

/// π₁ + π₂ + ...: every row once for each of several projections, as for the windows of HOP that hold it. Linear, so stateless.
///
/// Δ(π₁(R) + π₂(R)) = π₁(ΔR) + π₂(ΔR). Cost: O(projections) per changed row. Rows that are equal are summed up before they
/// multiply, where comparing them costs less than one row of the output.
#[derive(Debug)]
pub struct ExpandOperator {
    projections: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    schema: SchemaRef,
    /// Whether equal rows are summed up.
    sums_up: bool,
}

impl ExpandOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Expand) -> ExpandOperator {
        let projections =
            plan.projections.iter().map(|exprs| exprs.iter().map(|output| output.expr.clone()).collect());
        ExpandOperator {
            projections: projections.collect(),
            schema: plan.schema.clone(),
            sums_up: is_narrow(&plan.input.schema()),
        }
    }
}

impl Operator for ExpandOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        let Input::Delta(_, delta) = input else { return Ok(Status::Done) };
        let delta = if self.sums_up { consolidate(&delta) } else { delta };
        for exprs in &self.projections {
            project(exprs, &self.schema, &delta, output)?;
        }
        Ok(Status::Done)
    }
}

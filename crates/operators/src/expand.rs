use springtide_plan::Expand;
use springtide_state::{consolidate, is_narrow};
use springtide_types::SqlError;

use crate::evaluate::Projection;
use crate::{Input, Operator, Output, Status};

/// π₁ + π₂ + ...: every row once for each of several projections, as for the windows of HOP that hold it. Linear, so stateless.
///
/// Δ(π₁(R) + π₂(R)) = π₁(ΔR) + π₂(ΔR). Cost: O(projections) per changed row. Rows that are equal are summed up before they
/// multiply, where comparing them costs less than one row of the output.
#[derive(Debug)]
pub struct ExpandOperator {
    projections: Vec<Projection>,
    /// Whether equal rows are summed up.
    sums_up: bool,
}

impl ExpandOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Expand) -> ExpandOperator {
        let input = plan.input.schema();
        let projections =
            plan.projections.iter().map(|exprs| Projection::new(exprs, &input, plan.schema.clone()));
        ExpandOperator { projections: projections.collect(), sums_up: is_narrow(&input) }
    }
}

impl Operator for ExpandOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        let Input::Delta(_, delta) = input else { return Ok(Status::Done) };
        let delta = if self.sums_up { consolidate(&delta) } else { delta };
        for projection in &self.projections {
            projection.project(&delta, output)?;
        }
        Ok(Status::Done)
    }
}

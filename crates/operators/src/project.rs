use springtide_plan::Project;
use springtide_types::SqlError;

use crate::evaluate::Projection;
use crate::{Input, Operator, Output, Status};

/// π: one expression per output column. Linear, so stateless.
///
/// Δ(π(R)) = π(ΔR). Cost: O(1) per changed row.
#[derive(Debug)]
pub struct ProjectOperator {
    projection: Projection,
}

impl ProjectOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Project) -> ProjectOperator {
        ProjectOperator {
            projection: Projection::new(&plan.exprs, &plan.input.schema(), plan.schema.clone()),
        }
    }
}

impl Operator for ProjectOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Input::Delta(_, delta) = input {
            self.projection.project(&delta, output)?;
        }
        Ok(Status::Done)
    }
}

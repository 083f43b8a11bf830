use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::Project;
use springtide_types::SqlError;

use crate::evaluate::project;
use crate::{Input, Operator, Output, Status};

/// π: one expression per output column. Linear, so stateless.
///
/// Δ(π(R)) = π(ΔR). Cost: O(1) per changed row.
#[derive(Debug)]
pub struct ProjectOperator {
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl ProjectOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Project) -> ProjectOperator {
        let exprs = plan.exprs.iter().map(|output| output.expr.clone()).collect();
        ProjectOperator { exprs, schema: plan.schema.clone() }
    }
}

impl Operator for ProjectOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Input::Delta(_, delta) = input {
            project(&self.exprs, &self.schema, &delta, output)?;
        }
        Ok(Status::Done)
    }
}

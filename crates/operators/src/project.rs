use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::{Project, arrow_error};
use springtide_types::SqlError;

use crate::evaluate::evaluate;
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
        let Input::Delta(_, delta) = input else {
            return Ok(Status::Done);
        };
        let evaluated = evaluate(&self.exprs, &delta, output);
        if !evaluated.delta.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(evaluated.delta.len()));
            let rows = RecordBatch::try_new_with_options(self.schema.clone(), evaluated.columns, &options)
                .map_err(|error| SqlError::internal(arrow_error(&error).message))?;
            output.push(evaluated.delta.with_rows(rows));
        }
        Ok(Status::Done)
    }
}

//! Evaluation of expressions over deltas, row errors included.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::{arrow_error, sql_error};
use springtide_types::{SqlError, ZBatch};

use crate::Output;
use crate::render::failing_row;

/// Rows on which every expression succeeded, and the columns they gave.
pub(crate) struct Evaluated {
    pub(crate) delta: ZBatch,
    pub(crate) columns: Vec<ArrayRef>,
}

/// Evaluates all of `exprs` over a delta. A row on which one fails leaves as an error of its weight, of
/// the first expression that fails. O(rows), plus O(log rows) evaluations for each row that fails.
pub(crate) fn evaluate(exprs: &[Arc<dyn PhysicalExpr>], delta: &ZBatch, output: &mut Output) -> Evaluated {
    let mut pieces = Vec::new();
    bisect(exprs, delta.clone(), &mut pieces, output);
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let deltas = pieces.iter().map(|piece| piece.delta.clone()).collect::<Vec<_>>();
    let columns = (0..exprs.len()).map(|column| {
        let parts = pieces.iter().map(|piece| piece.columns[column].as_ref()).collect::<Vec<_>>();
        concat(&parts)
    });
    match columns.collect::<Result<Vec<_>, _>>() {
        Ok(columns) if !pieces.is_empty() => {
            Evaluated { delta: ZBatch::concat(delta.schema(), &deltas), columns }
        }
        _ => Evaluated { delta: ZBatch::empty(delta.schema()), columns: Vec::new() },
    }
}

/// Halves the delta until what fails is a single row. Expressions that may skip rows (CASE, AND, OR) skip
/// them for a single row at the latest, so a row fails here if and only if it fails alone.
fn bisect(exprs: &[Arc<dyn PhysicalExpr>], delta: ZBatch, pieces: &mut Vec<Evaluated>, output: &mut Output) {
    if delta.is_empty() {
        return;
    }
    match evaluate_all(exprs, &delta) {
        Ok(columns) => pieces.push(Evaluated { delta, columns }),
        Err(error) if delta.len() == 1 => {
            let error = sql_error(&error);
            let detail = match &error.detail {
                Some(detail) => format!("{detail} {}", failing_row(delta.rows(), 0)),
                None => failing_row(delta.rows(), 0),
            };
            output.push_error(error.with_detail(detail), delta.weights().value(0));
        }
        Err(_) => {
            let half = delta.len() / 2;
            bisect(exprs, delta.slice(0, half), pieces, output);
            bisect(exprs, delta.slice(half, delta.len() - half), pieces, output);
        }
    }
}

fn evaluate_all(exprs: &[Arc<dyn PhysicalExpr>], delta: &ZBatch) -> Result<Vec<ArrayRef>, DataFusionError> {
    exprs.iter().map(|expr| expr.evaluate(delta.rows())?.into_array(delta.len())).collect()
}

/// Emits the rows of these columns.
pub(crate) fn project(
    exprs: &[Arc<dyn PhysicalExpr>],
    schema: &SchemaRef,
    delta: &ZBatch,
    output: &mut Output,
) -> Result<(), SqlError> {
    let evaluated = evaluate(exprs, delta, output);
    if !evaluated.delta.is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(evaluated.delta.len()));
        let rows = RecordBatch::try_new_with_options(schema.clone(), evaluated.columns, &options)
            .map_err(|error| SqlError::internal(arrow_error(&error).message))?;
        output.push(evaluated.delta.with_rows(rows));
    }
    Ok(())
}

/// The rows for which a predicate is true; NULL is not true.
pub(crate) fn retain_true(predicate: &Arc<dyn PhysicalExpr>, delta: &ZBatch, output: &mut Output) -> ZBatch {
    use arrow::array::AsArray;
    let evaluated = evaluate(std::slice::from_ref(predicate), delta, output);
    match evaluated.columns.first() {
        Some(mask) if mask.data_type().is_null() => ZBatch::empty(delta.schema()),
        Some(mask) => evaluated.delta.filter(mask.as_boolean()),
        None => evaluated.delta,
    }
}

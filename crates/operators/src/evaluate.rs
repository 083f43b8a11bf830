//! Evaluation of expressions over deltas, row errors included.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use springtide_plan::{ScalarExpr, arrow_error, sql_error};
use springtide_types::{SqlError, ZBatch};

use crate::Output;
use crate::render::failing_row;

/// Expressions over rows, and the columns that they read: of rows that are only selected no others are gathered.
#[derive(Debug)]
pub(crate) struct Exprs {
    /// Over the columns that are read.
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    read: Vec<usize>,
    schema: SchemaRef,
}

impl Exprs {
    /// Expressions over rows of this schema.
    pub(crate) fn new(exprs: impl IntoIterator<Item = Arc<dyn PhysicalExpr>>, input: &Schema) -> Exprs {
        let mut read = Vec::new();
        let mut place = |column: &Column| {
            let known = read.iter().position(|other| *other == column.index());
            known.unwrap_or_else(|| {
                read.push(column.index());
                read.len() - 1
            })
        };
        let mut narrowed = |expr: Arc<dyn PhysicalExpr>| {
            let narrowed = expr.transform_up(|expr| {
                let any: &dyn std::any::Any = expr.as_ref();
                Ok(match any.downcast_ref::<Column>() {
                    Some(column) => {
                        Transformed::yes(Arc::new(Column::new(column.name(), place(column))) as Arc<_>)
                    }
                    None => Transformed::no(expr),
                })
            });
            narrowed.expect("no step fails").data
        };
        let exprs = exprs.into_iter().map(&mut narrowed).collect();
        let fields = read.iter().map(|column| input.field(*column).clone()).collect::<Vec<_>>();
        Exprs { exprs, read, schema: Arc::new(Schema::new(fields)) }
    }

    fn evaluate(&self, delta: &ZBatch) -> Result<Vec<ArrayRef>, DataFusionError> {
        let rows = delta.selected_rows().project(&self.read, self.schema.clone());
        self.exprs.iter().map(|expr| expr.evaluate(rows.batch())?.into_array(delta.len())).collect()
    }
}

/// Rows on which every expression succeeded, and the columns they gave.
pub(crate) struct Evaluated {
    pub(crate) delta: ZBatch,
    pub(crate) columns: Vec<ArrayRef>,
}

/// Evaluates all of `exprs` over a delta. A row on which one fails leaves as an error of its weight, of
/// the first expression that fails. O(rows), plus O(log rows) evaluations for each row that fails.
pub(crate) fn evaluate(exprs: &Exprs, delta: &ZBatch, output: &mut Output) -> Evaluated {
    let mut pieces = Vec::new();
    bisect(exprs, delta.clone(), &mut pieces, output);
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let deltas = pieces.iter().map(|piece| piece.delta.clone()).collect::<Vec<_>>();
    let columns = (0..exprs.exprs.len()).map(|column| {
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
fn bisect(exprs: &Exprs, delta: ZBatch, pieces: &mut Vec<Evaluated>, output: &mut Output) {
    if delta.is_empty() {
        return;
    }
    match exprs.evaluate(&delta) {
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

/// One expression per output column: those that pass a column on, and those that are computed.
#[derive(Debug)]
pub(crate) struct Projection {
    computed: Exprs,
    computed_schema: SchemaRef,
    /// For each output column, its place among the columns of the input, then those that are computed.
    places: Vec<usize>,
    schema: SchemaRef,
}

impl Projection {
    /// Outputs of this schema for rows of the input.
    pub(crate) fn new(outputs: &[ScalarExpr], input: &Schema, schema: SchemaRef) -> Projection {
        let (mut computed, mut fields, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (output, field) in outputs.iter().zip(schema.fields()) {
            places.push(output.column().unwrap_or_else(|| {
                computed.push(output.expr.clone());
                fields.push(field.clone());
                input.fields().len() + computed.len() - 1
            }));
        }
        let computed_schema = Arc::new(Schema::new(fields));
        Projection { computed: Exprs::new(computed, input), computed_schema, places, schema }
    }

    /// Emits the output for a delta.
    pub(crate) fn project(&self, delta: &ZBatch, output: &mut Output) -> Result<(), SqlError> {
        if delta.is_empty() {
            return Ok(());
        }
        if self.computed.exprs.is_empty() {
            output.push(delta.with_rows(delta.selected_rows().project(&self.places, self.schema.clone())));
            return Ok(());
        }
        let evaluated = evaluate(&self.computed, delta, output);
        let delta = &evaluated.delta;
        if !delta.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(delta.len()));
            let schema = self.computed_schema.clone();
            let computed = RecordBatch::try_new_with_options(schema, evaluated.columns, &options)
                .map_err(|error| SqlError::internal(arrow_error(&error).message))?;
            let input = delta.schema();
            let fields = input.fields().iter().chain(self.computed_schema.fields()).cloned();
            let wide = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let rows = delta.selected_rows().beside(&computed.into(), wide);
            output.push(delta.with_rows(rows.project(&self.places, self.schema.clone())));
        }
        Ok(())
    }
}

/// The rows for which a predicate is true; NULL is not true.
pub(crate) fn retain_true(predicate: &Exprs, delta: &ZBatch, output: &mut Output) -> ZBatch {
    use arrow::array::AsArray;
    let evaluated = evaluate(predicate, delta, output);
    match evaluated.columns.first() {
        Some(mask) if mask.data_type().is_null() => ZBatch::empty(delta.schema()),
        Some(mask) => evaluated.delta.filter(mask.as_boolean()),
        None => evaluated.delta,
    }
}

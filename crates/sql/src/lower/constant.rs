//! Rows that no input changes: computed once, when the view is created.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, Values};
use springtide_plan::{Node, ScalarExpr, arrow_error, sql_error};
use springtide_types::{Result, ZBatch};

use super::{arrow_schema, expr};

pub(super) fn empty(empty: &EmptyRelation) -> Result<Node> {
    if empty.produce_one_row {
        return Ok(Node::Constant(ZBatch::inserts(one_row()?)));
    }
    Ok(Node::Constant(ZBatch::empty(arrow_schema(&empty.schema))))
}

/// A row that says nothing, in a column that nobody reads.
fn one_row() -> Result<RecordBatch> {
    let schema = Schema::new(vec![Field::new("nothing", DataType::Boolean, true)]);
    let column = Arc::new(BooleanArray::new_null(1));
    RecordBatch::try_new(Arc::new(schema), vec![column]).map_err(|error| arrow_error(&error))
}

pub(super) fn values(values: &Values) -> Result<Node> {
    let output = arrow_schema(&values.schema);
    let (nothing, row) = (DFSchema::empty(), one_row()?);
    let columns = (0..output.fields().len()).map(|position| {
        let cells = values.values.iter().map(|cells| {
            let cell = expr::physical(&cells[position], &nothing)?;
            let cell = cell.evaluate(&row).and_then(|cell| cell.into_array(1));
            cell.map_err(|error| sql_error(&error))
        });
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let cells = cells.iter().map(|cell| {
            arrow::compute::cast(cell, output.field(position).data_type())
                .map_err(|error| arrow_error(&error))
        });
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let cells = cells.iter().map(|cell| cell.as_ref()).collect::<Vec<_>>();
        concat(&cells).map_err(|error| arrow_error(&error))
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let rows = RecordBatch::try_new(output, columns).map_err(|error| arrow_error(&error))?;
    Ok(Node::Constant(ZBatch::inserts(rows)))
}

/// A projection of constant rows is constant.
pub(super) fn evaluate(rows: &ZBatch, exprs: &[ScalarExpr], output: &SchemaRef) -> Result<Node> {
    let columns = exprs.iter().map(|output| {
        let values = output.expr.evaluate(rows.rows()).and_then(|values| values.into_array(rows.len()));
        values.map_err(|error| sql_error(&error))
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(output.clone(), columns, &options);
    Ok(Node::Constant(rows.with_rows(batch.map_err(|error| arrow_error(&error))?)))
}

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use springtide_catalog::Column;
use springtide_types::{Result, SqlError, SqlState, SqlType};
use std::sync::Arc;

use crate::convert::{Context, convert, convertible};

/// Converts the columns of `batch`, in order, to the types of the `targets` that they are assigned to. What
/// PostgreSQL does not assign without a cast fails by its type, whatever the values are.
pub fn assign(batch: &RecordBatch, targets: &[Column]) -> Result<RecordBatch> {
    if batch.num_columns() != targets.len() {
        let more = if batch.num_columns() > targets.len() {
            "expressions than target columns"
        } else {
            "target columns than expressions"
        };
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("INSERT has more {more}")));
    }
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields()).zip(targets).map(|((array, field), target)| {
        let Some(from) = SqlType::from_arrow(field.data_type()) else {
            return Err(SqlError::internal(format!("no SQL type for {}", field.data_type())));
        };
        check_assignable(from, target)?;
        convert(array, target.sql_type, Context::Assignment)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let fields = targets.iter().map(|target| Field::new(&target.name, target.sql_type.arrow(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| springtide_plan::arrow_error(&error))
}

/// Fails with `42804` unless values of type `from` may be assigned to the column.
pub(crate) fn check_assignable(from: SqlType, target: &Column) -> Result<()> {
    if convertible(from, target.sql_type, Context::Assignment) {
        return Ok(());
    }
    let message =
        format!("column \"{}\" is of type {} but expression is of type {from}", target.name, target.sql_type);
    Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message)
        .with_hint("You will need to rewrite or cast the expression."))
}

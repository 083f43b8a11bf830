use arrow::array::{Array, ArrayRef};
use springtide_catalog::Column;
use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::convert::{Context, convert, convertible};

/// Converts `values`, in order, to the types of the `targets` that they are assigned to. What PostgreSQL does
/// not assign without a cast fails by its type, whatever the values are.
pub fn assign(values: &[ArrayRef], targets: &[&Column]) -> Result<Vec<ArrayRef>> {
    if values.len() != targets.len() {
        let more = if values.len() > targets.len() {
            "expressions than target columns"
        } else {
            "target columns than expressions"
        };
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("INSERT has more {more}")));
    }
    let assigned = values.iter().zip(targets).map(|(values, target)| {
        let Some(from) = SqlType::from_arrow(values.data_type()) else {
            return Err(SqlError::internal(format!("no SQL type for {}", values.data_type())));
        };
        check_assignable(from, target)?;
        convert(values, target.sql_type, Context::Assignment)
    });
    assigned.collect()
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

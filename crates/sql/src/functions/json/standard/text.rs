//! Arguments that are JSON, or texts of it.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::operators::describe;

/// The text in a row of a column of JSON, texts, or bytes that are texts; `None` for NULL.
pub(super) fn text_at(values: &ArrayRef, row: usize) -> Result<Option<Cow<'_, str>>> {
    if values.is_null(row) || values.data_type().is_null() {
        return Ok(None);
    }
    let of_bytes = |bytes| {
        std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).map(Cow::Borrowed).ok_or_else(
            || {
                let message = "invalid byte sequence for encoding \"UTF8\"";
                SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
            },
        )
    };
    Ok(Some(match values.data_type() {
        DataType::Utf8 => Cow::Borrowed(values.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Cow::Borrowed(values.as_string::<i64>().value(row)),
        DataType::LargeBinary => of_bytes(values.as_binary::<i64>().value(row))?,
        DataType::Binary => of_bytes(values.as_binary::<i32>().value(row))?,
        DataType::BinaryView => of_bytes(values.as_binary_view().value(row))?,
        other => return Err(no_json(other)),
    }))
}

/// Fails with `42804` for a type that no JSON is written in.
pub(super) fn check_type(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::LargeBinary | DataType::Binary => {
            Ok(())
        }
        other => Err(no_json(other)),
    }
}

fn no_json(data_type: &DataType) -> SqlError {
    let message =
        format!("cannot use non-string types with FORMAT JSON: {}", describe(SqlType::from_arrow(data_type)));
    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
}

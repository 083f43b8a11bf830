//! The values of a `Bind` message.

use pgwire::api::results::FieldFormat;
use springtide_engine::{ScalarValue, Session, from_binary};
use springtide_types::{Result, SqlError, SqlState, SqlType};

/// Parameter `index` (from 0) of a statement, sent as `bytes` in `format`; no bytes are NULL.
pub(crate) fn decode(
    session: &Session,
    index: usize,
    sql_type: SqlType,
    format: FieldFormat,
    bytes: Option<&[u8]>,
) -> Result<ScalarValue> {
    match (bytes, format) {
        (None, _) => ScalarValue::try_new_null(&sql_type.arrow())
            .map_err(|error| SqlError::internal(format!("no NULL of {sql_type}: {error}"))),
        (Some(bytes), FieldFormat::Text) => session.parse_parameter(sql_type, utf8(bytes)?),
        (Some(bytes), FieldFormat::Binary) => {
            from_binary(sql_type, bytes)?.ok_or_else(|| invalid_binary(index))
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes[error.valid_up_to()..].first().copied().unwrap_or_default();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {bad:#04x}");
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })
}

fn invalid_binary(index: usize) -> SqlError {
    let message = format!("incorrect binary data format in bind parameter {}", index + 1);
    SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

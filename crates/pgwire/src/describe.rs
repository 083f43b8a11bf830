//! SQL types ⇄ what the protocol says of them.

use pgwire::api::results::FieldFormat;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, FieldDescription, RowDescription};
use postgres_types::{Oid, Type};
use springtide_engine::Column;
use springtide_types::{Result, SqlError, SqlState, SqlType, UNCONSTRAINED_NUMERIC};

/// The type that a client declares for a parameter; `None` leaves it to be inferred, which is also the best
/// that can be done with a type that we have not.
pub(crate) fn declared_type(oid: Oid) -> Option<SqlType> {
    let (precision, scale) = UNCONSTRAINED_NUMERIC;
    Some(match Type::from_oid(oid)? {
        Type::BOOL => SqlType::Boolean,
        Type::INT2 => SqlType::Int2,
        Type::INT4 => SqlType::Int4,
        Type::INT8 => SqlType::Int8,
        Type::FLOAT4 => SqlType::Float4,
        Type::FLOAT8 => SqlType::Float8,
        Type::NUMERIC => SqlType::Numeric(precision, scale),
        Type::TEXT | Type::NAME | Type::BPCHAR => SqlType::Text,
        Type::VARCHAR => SqlType::Varchar(None),
        Type::DATE => SqlType::Date,
        Type::TIMESTAMP => SqlType::Timestamp,
        Type::TIMESTAMPTZ => SqlType::Timestamptz,
        Type::INTERVAL => SqlType::Interval,
        Type::BYTEA => SqlType::Bytea,
        Type::TIME => SqlType::Time,
        Type::TIMETZ => SqlType::Timetz,
        Type::UUID => SqlType::Uuid,
        Type::JSON => SqlType::Json,
        Type::JSONB => SqlType::Jsonb,
        Type::JSONPATH => SqlType::Jsonpath,
        Type::NAME_ARRAY | Type::BPCHAR_ARRAY => SqlType::TEXT_ARRAY,
        other => return SqlType::from_oid(other.oid(), -1).filter(|known| known.element().is_some()),
    })
}

/// The `RowDescription` of these columns.
pub(crate) fn row_description(columns: &[Column], formats: &[FieldFormat]) -> PgWireBackendMessage {
    let fields = columns.iter().zip(formats).map(|(column, format)| {
        let sql_type = column.sql_type;
        let (oid, size, modifier) = (sql_type.oid(), sql_type.length(), sql_type.modifier());
        let (table, number) = column.origin.map_or((0, 0), |origin| (origin.table as i32, origin.number));
        FieldDescription::new(column.name.clone(), table, number, oid, size, modifier, format.value())
    });
    PgWireBackendMessage::RowDescription(RowDescription::new(fields.collect()))
}

/// The format of each of `count` values: none given means text for all, one given is for all. `None` if
/// there are neither none, one nor `count` codes.
pub(crate) fn formats(codes: &[i16], count: usize) -> Result<Option<Vec<FieldFormat>>> {
    let parsed = codes.iter().map(|code| format(*code)).collect::<Result<Vec<_>>>()?;
    Ok(match parsed[..] {
        [] => Some(vec![FieldFormat::Text; count]),
        [all] => Some(vec![all; count]),
        _ if parsed.len() == count => Some(parsed),
        _ => None,
    })
}

fn format(code: i16) -> Result<FieldFormat> {
    match code {
        FORMAT_CODE_TEXT => Ok(FieldFormat::Text),
        FORMAT_CODE_BINARY => Ok(FieldFormat::Binary),
        _ => {
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {code}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes() {
        use FieldFormat::{Binary, Text};
        assert_eq!(formats(&[], 2), Ok(Some(vec![Text, Text])));
        assert_eq!(formats(&[1], 3), Ok(Some(vec![Binary; 3])));
        assert_eq!(formats(&[0, 1], 2), Ok(Some(vec![Text, Binary])));
        assert_eq!(formats(&[0, 1], 3), Ok(None));
        assert!(formats(&[2], 1).is_err());
    }

    #[test]
    fn every_type_is_understood_as_a_parameter() {
        for sql_type in [
            SqlType::Boolean,
            SqlType::Int2,
            SqlType::Int4,
            SqlType::Int8,
            SqlType::Float4,
            SqlType::Float8,
            SqlType::Numeric(38, 10),
            SqlType::Text,
            SqlType::Varchar(None),
            SqlType::Date,
            SqlType::Timestamp,
            SqlType::Timestamptz,
            SqlType::Interval,
            SqlType::Bytea,
            SqlType::Time,
            SqlType::Timetz,
            SqlType::Uuid,
            SqlType::Json,
            SqlType::Jsonb,
            SqlType::Jsonpath,
        ] {
            assert_eq!(declared_type(sql_type.oid()), Some(sql_type));
            assert_eq!(sql_type.array().and_then(|array| declared_type(array.oid())), sql_type.array());
        }
        assert_eq!(declared_type(0), None);
    }
}

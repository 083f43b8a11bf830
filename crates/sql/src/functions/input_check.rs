//! `pg_input_is_valid(text, type)`, and what `pg_input_error_info(text, type)` says of an input that is not.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray};
use datafusion::logical_expr::ScalarUDF;
use springtide_catalog::Types;
use springtide_types::SqlType::{Boolean, Text};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::typed::{Args, Gives, Typed, Variant, variant};
use crate::input::parse_text;
use crate::sql_types::sql_type;

const IS_VALID: &[Variant] = &[variant(&[Text, Text], Gives::One(Boolean), is_valid)];

const ERROR_FIELD: &[Variant] = &[variant(&[Text, Text, Text], Gives::One(Text), error_field)];

/// One column of `pg_input_error_info`: the third argument says which.
pub(crate) const INPUT_ERROR: &str = "$input_error";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![Typed::udf("pg_input_is_valid", IS_VALID), Typed::udf(INPUT_ERROR, ERROR_FIELD)]
}

fn is_valid(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, types) = (args.text(0), args.text(1));
    let valid = (0..args.rows).map(|row| match (texts.get(row), types.get(row)) {
        (Some(text), Some(name)) => Ok(Some(refusal(text, type_named(name)?).is_none())),
        _ => Ok(None),
    });
    Ok(Arc::new(valid.collect::<Result<BooleanArray>>()?))
}

fn error_field(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, types, fields) = (args.text(0), args.text(1), args.text(2));
    let said = (0..args.rows).map(|row| {
        let (Some(text), Some(name)) = (texts.get(row), types.get(row)) else { return Ok(None) };
        let Some(error) = refusal(text, type_named(name)?) else { return Ok(None) };
        Ok(match fields.get(row) {
            Some("message") => Some(error.message),
            Some("detail") => error.detail,
            Some("hint") => error.hint,
            _ => Some(error.sqlstate.code().to_owned()),
        })
    });
    Ok(Arc::new(said.collect::<Result<StringArray>>()?))
}

/// Why a type does not take a text, if it does not.
fn refusal(text: &str, sql_type: SqlType) -> Option<SqlError> {
    parse_text(&StringArray::from(vec![text]), sql_type).err()
}

/// A type by its name in SQL.
fn type_named(name: &str) -> Result<SqlType> {
    let parsed = crate::parser(name)?.parse_data_type();
    let error = |_| SqlError::new(SqlState::SYNTAX_ERROR, format!("invalid type name \"{name}\""));
    sql_type(&parsed.map_err(error)?, &Types::default())
}

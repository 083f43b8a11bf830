use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectName, TimezoneInfo,
};
use springtide_types::{Result, SqlError, SqlState, SqlType, UNCONSTRAINED_NUMERIC};

use crate::names::fold;

/// The largest precision that a decimal of 128 bits holds.
const MAX_PRECISION: u64 = UNCONSTRAINED_NUMERIC.0 as u64;

/// The type that a declaration or cast names. `char(n)` is kept as `varchar(n)`: blanks are not padded.
pub fn sql_type(declared: &DataType) -> Result<SqlType> {
    Ok(match declared {
        DataType::Boolean | DataType::Bool => SqlType::Boolean,
        DataType::SmallInt(_) | DataType::Int2(_) => SqlType::Int2,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => SqlType::Int4,
        DataType::BigInt(_) | DataType::Int8(_) => SqlType::Int8,
        DataType::Real | DataType::Float4 => SqlType::Float4,
        DataType::Float(info) => float(info)?,
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 => SqlType::Float8,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Text => SqlType::Text,
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            SqlType::Varchar(limit(length.as_ref(), None)?)
        }
        DataType::Char(length) | DataType::Character(length) => {
            SqlType::Varchar(limit(length.as_ref(), Some(1))?)
        }
        DataType::Date => SqlType::Date,
        DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Timestamp,
        DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => SqlType::Timestamptz,
        DataType::Interval { .. } => SqlType::Interval,
        DataType::Bytea => SqlType::Bytea,
        DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Time,
        DataType::Uuid => SqlType::Uuid,
        DataType::JSON => SqlType::Json,
        DataType::JSONB => SqlType::Jsonb,
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => match sql_type(element)? {
            // Whatever number of dimensions is declared, a value has its own.
            array @ SqlType::Array(_) => array,
            element => element.array().ok_or_else(|| unknown_type(declared))?,
        },
        DataType::Custom(name, _) if array_name(name).is_some() => {
            let element =
                array_name(name).and_then(|element| crate::parser(&element).ok()?.parse_data_type().ok());
            let element = element.ok_or_else(|| unknown_type(declared))?;
            sql_type(&element)?.array().ok_or_else(|| unknown_type(declared))?
        }
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("bpchar") => SqlType::Text,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("jsonpath") => SqlType::Jsonpath,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("name") => SqlType::Text,
        other => return Err(unknown_type(other)),
    })
}

/// What `_int4` is an array of: the name that `pg_type` has for the elements.
fn array_name(name: &ObjectName) -> Option<String> {
    let [part] = name.0.as_slice() else { return None };
    fold(part.as_ident()?).strip_prefix('_').map(str::to_owned)
}

fn unknown_type(declared: &DataType) -> SqlError {
    let name = declared.to_string().to_lowercase();
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")).with_hint(
        "The types are boolean, smallint, integer, bigint, real, double precision, numeric, text, varchar, \
         date, time, timestamp, timestamptz, interval, bytea, uuid, json, jsonb, jsonpath, and arrays of these.",
    )
}

fn float(info: &ExactNumberInfo) -> Result<SqlType> {
    match info {
        ExactNumberInfo::None => Ok(SqlType::Float8),
        ExactNumberInfo::Precision(1..=24) => Ok(SqlType::Float4),
        ExactNumberInfo::Precision(25..=53) => Ok(SqlType::Float8),
        _ => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "precision for type float must be between 1 and 53 bits",
        )),
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<SqlType> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => {
            return Ok(SqlType::Numeric(UNCONSTRAINED_NUMERIC.0, UNCONSTRAINED_NUMERIC.1));
        }
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    if !(1..=MAX_PRECISION).contains(&precision) {
        let message = format!("NUMERIC precision {precision} must be between 1 and {MAX_PRECISION}");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    if !(0..=precision as i64).contains(&scale) {
        let message = format!("NUMERIC scale {scale} must be between 0 and precision {precision}");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(SqlType::Numeric(precision as u8, scale as i8))
}

fn limit(length: Option<&CharacterLength>, default: Option<u32>) -> Result<Option<u32>> {
    match length {
        None | Some(CharacterLength::Max) => Ok(default),
        Some(CharacterLength::IntegerLength { length: 0, .. }) => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "length for type varchar must be at least 1",
        )),
        Some(CharacterLength::IntegerLength { length, .. }) => {
            u32::try_from(*length).map(Some).map_err(|_| {
                SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "length for type varchar is too large")
            })
        }
    }
}

/// Tells DataFusion what a type in a cast is.
#[derive(Debug)]
pub(crate) struct PostgresTypePlanner;

/// Under this key a field says how long its texts may be, which Arrow's type does not.
const LIMIT_KEY: &str = "springtide.limit";

impl TypePlanner for PostgresTypePlanner {
    fn plan_type_field(&self, declared: &DataType) -> datafusion::common::Result<Option<FieldRef>> {
        let sql_type = match declared {
            DataType::Int32 => SqlType::Int4,
            other => sql_type(other).map_err(crate::errors::external)?,
        };
        let field = Field::new("", sql_type.arrow(), true);
        Ok(Some(Arc::new(match sql_type.element().unwrap_or(sql_type) {
            SqlType::Varchar(Some(limit)) => {
                field.with_metadata(HashMap::from([(LIMIT_KEY.to_owned(), limit.to_string())]))
            }
            _ => field,
        })))
    }
}

/// The type that a field stands for, with the limit that [`PostgresTypePlanner`] wrote down.
pub(crate) fn declared_type(field: &Field) -> datafusion::common::Result<SqlType> {
    if let Some(limit) = field.metadata().get(LIMIT_KEY).and_then(|limit| limit.parse().ok()) {
        let limited = SqlType::Varchar(Some(limit));
        let array = matches!(field.data_type(), arrow::datatypes::DataType::List(_)).then(|| limited.array());
        return Ok(array.flatten().unwrap_or(limited));
    }
    SqlType::from_arrow(field.data_type())
        .ok_or_else(|| crate::errors::external(SqlError::unsupported(format!("type {}", field.data_type()))))
}

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Field, FieldRef};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectName, TimezoneInfo,
};
use springtide_catalog::{TypeId, Types};
use springtide_types::{Result, SqlError, SqlState, SqlType, UNCONSTRAINED_NUMERIC};

use crate::domains::types_domain;
use crate::named_types::by_identity;
use crate::names::{fold, type_name};

/// The largest precision that a decimal of 128 bits holds.
const MAX_PRECISION: u64 = UNCONSTRAINED_NUMERIC.0 as u64;
/// What PostgreSQL lets one declare.
const MOST_PRECISION: u64 = 1000;
const MOST_SCALE: i64 = 1000;

/// The type that a declaration or cast names, which may be one of the users'. `char(n)` is kept as `varchar(n)`: blanks are
/// not padded.
pub fn sql_type(declared: &DataType, types: &Types) -> Result<SqlType> {
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
        DataType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => SqlType::Timetz,
        DataType::Uuid => SqlType::Uuid,
        DataType::JSON => SqlType::Json,
        DataType::JSONB => SqlType::Jsonb,
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _))
            if types_domain(element, types).is_some() =>
        {
            return Err(SqlError::unsupported("an array of a domain"));
        }
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => match sql_type(element, types)? {
            // Whatever number of dimensions is declared, a value has its own.
            array @ SqlType::Array(_) => array,
            element => element.array().ok_or_else(|| unknown_type(declared))?,
        },
        DataType::Custom(name, _) if array_name(name).is_some() => {
            let element =
                array_name(name).and_then(|element| crate::parser(&element).ok()?.parse_data_type().ok());
            let element = element.ok_or_else(|| unknown_type(declared))?;
            sql_type(&element, types)?.array().ok_or_else(|| unknown_type(declared))?
        }
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("bpchar") => SqlType::Text,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("jsonpath") => SqlType::Jsonpath,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("name") => SqlType::Text,
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            if let Some(known) = by_identity(name) {
                return Ok(known);
            }
            let known = type_name(name).ok().and_then(|name| types.find(&name).cloned());
            known.ok_or_else(|| unknown_type(declared))?.sql_type()
        }
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
         date, time, timetz, timestamp, timestamptz, interval, bytea, uuid, json, jsonb, jsonpath, those of CREATE TYPE, \
         and arrays of these.",
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
    let refuse = |what: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, what));
    if !(1..=MOST_PRECISION).contains(&precision) {
        return refuse(format!("NUMERIC precision {precision} must be between 1 and {MOST_PRECISION}"));
    }
    if !(-MOST_SCALE..=MOST_SCALE).contains(&scale) {
        return refuse(format!("NUMERIC scale {scale} must be between -{MOST_SCALE} and {MOST_SCALE}"));
    }
    if !(0..=MAX_PRECISION as i64).contains(&scale) || (scale as u64 > precision) {
        let what = format!("a numeric of scale {scale} and precision {precision}");
        return Err(SqlError::unsupported(what).with_hint("Scales from 0 to the precision, and to 38, are."));
    }
    // A value of more digits than a decimal has is refused when it comes.
    let precision = if precision > MAX_PRECISION { MAX_PRECISION - 1 } else { precision };
    let precision = precision.max(scale as u64);
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
#[derive(Debug, Default)]
pub(crate) struct PostgresTypePlanner {
    types: Arc<Types>,
    named: Mutex<BTreeSet<TypeId>>,
}

impl PostgresTypePlanner {
    /// Knows these types besides the built-in ones.
    pub(crate) fn new(types: Arc<Types>) -> PostgresTypePlanner {
        PostgresTypePlanner { types, named: Mutex::default() }
    }

    /// The users' types that casts have named.
    pub(crate) fn named(&self) -> Vec<TypeId> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Notes that a type is named.
    pub(crate) fn note_id(&self, id: TypeId) {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Notes that an enum is named, or the type of arrays of it.
    fn note(&self, sql_type: SqlType) {
        let plain = sql_type.element().unwrap_or(sql_type);
        let mut enums = self.types.iter().filter(|known| known.domain().is_none());
        if let Some(known) = enums.find(|known| known.sql_type() == plain) {
            self.note_id(known.id);
        }
    }
}

/// Under this key a field says how long its texts may be, which Arrow's type does not.
const LIMIT_KEY: &str = "springtide.limit";

impl TypePlanner for PostgresTypePlanner {
    fn plan_type_field(&self, declared: &DataType) -> datafusion::common::Result<Option<FieldRef>> {
        let sql_type = match declared {
            DataType::Int32 => SqlType::Int4,
            other => sql_type(other, &self.types).map_err(crate::errors::external)?,
        };
        self.note(sql_type);
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

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{ElementType, EnumId};

/// Precision and scale of a `numeric` that was declared without them. Arrow decimals have one scale per
/// column, PostgreSQL's have one per value.
pub const UNCONSTRAINED_NUMERIC: (u8, i8) = (DECIMAL128_MAX_PRECISION, 10);

/// A column type as SQL names it. Kept on disk under the names of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SqlType {
    /// `boolean`
    Boolean,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric(precision, scale)`
    Numeric(u8, i8),
    /// `text`
    Text,
    /// `varchar(n)`, or `varchar` without a limit
    Varchar(Option<u32>),
    /// `date`
    Date,
    /// `timestamp without time zone`, in microseconds
    Timestamp,
    /// `timestamp with time zone`, in microseconds UTC
    Timestamptz,
    /// `interval`
    Interval,
    /// `bytea`
    Bytea,
    /// `time without time zone`, in microseconds from midnight to midnight, both included
    Time,
    /// `time with time zone`, in bytes of [`TIMETZ_BYTES`] that are in the order of the values
    Timetz,
    /// `uuid`
    Uuid,
    /// `json`, as it was written
    Json,
    /// `jsonb`, as PostgreSQL writes it
    Jsonb,
    /// `jsonpath`, as PostgreSQL writes it
    Jsonpath,
    /// A type of CREATE TYPE ... AS ENUM
    Enum(EnumId),
    /// `element[]`, of one dimension, counted from 1
    Array(ElementType),
}

/// Bytes of a `time with time zone`.
pub const TIMETZ_BYTES: i32 = 12;

/// Bytes of a `uuid`.
pub const UUID_BYTES: i32 = 16;

impl SqlType {
    /// `text[]`
    pub const TEXT_ARRAY: SqlType = SqlType::Array(ElementType::TEXT);
    /// `json[]`
    pub const JSON_ARRAY: SqlType = SqlType::Array(ElementType::JSON);

    /// The Arrow type that holds values of this type.
    pub fn arrow(self) -> DataType {
        match self {
            SqlType::Boolean => DataType::Boolean,
            SqlType::Int2 => DataType::Int16,
            SqlType::Int4 => DataType::Int32,
            SqlType::Int8 => DataType::Int64,
            SqlType::Float4 => DataType::Float32,
            SqlType::Float8 => DataType::Float64,
            SqlType::Numeric(precision, scale) => DataType::Decimal128(precision, scale),
            SqlType::Text | SqlType::Varchar(_) => DataType::Utf8,
            SqlType::Date => DataType::Date32,
            SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            SqlType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            SqlType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            SqlType::Bytea => DataType::Binary,
            SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
            SqlType::Timetz => DataType::FixedSizeBinary(TIMETZ_BYTES),
            SqlType::Uuid => DataType::FixedSizeBinary(UUID_BYTES),
            // Texts, in forms that no other type has.
            SqlType::Json => DataType::LargeBinary,
            SqlType::Jsonb => DataType::LargeUtf8,
            SqlType::Jsonpath => DataType::BinaryView,
            SqlType::Enum(id) => id.arrow(),
            SqlType::Array(element) => {
                DataType::List(Arc::new(Field::new_list_field(element.sql_type().arrow(), true)))
            }
        }
    }

    /// The SQL type that a column of this Arrow type has, or `None` for a type that SQL here has not.
    /// Wider or differently encoded Arrow types map to the SQL type that holds their values.
    pub fn from_arrow(data_type: &DataType) -> Option<SqlType> {
        if let Some(id) = EnumId::of_arrow(data_type) {
            return Some(SqlType::Enum(id));
        }
        Some(match data_type {
            DataType::Boolean => SqlType::Boolean,
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => SqlType::Int2,
            DataType::UInt16 | DataType::Int32 => SqlType::Int4,
            DataType::UInt32 | DataType::Int64 => SqlType::Int8,
            DataType::UInt64 => SqlType::Numeric(20, 0),
            DataType::Float16 | DataType::Float32 => SqlType::Float4,
            DataType::Float64 => SqlType::Float8,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => {
                SqlType::Numeric((*precision).min(DECIMAL128_MAX_PRECISION), *scale)
            }
            DataType::Null | DataType::Utf8 | DataType::Utf8View => SqlType::Text,
            DataType::LargeUtf8 => SqlType::Jsonb,
            DataType::LargeBinary => SqlType::Json,
            DataType::BinaryView => SqlType::Jsonpath,
            DataType::Date32 | DataType::Date64 => SqlType::Date,
            DataType::Timestamp(_, None) => SqlType::Timestamp,
            DataType::Timestamp(_, Some(_)) => SqlType::Timestamptz,
            DataType::Interval(_) | DataType::Duration(_) => SqlType::Interval,
            DataType::Time32(_) | DataType::Time64(_) => SqlType::Time,
            DataType::FixedSizeBinary(UUID_BYTES) => SqlType::Uuid,
            DataType::FixedSizeBinary(TIMETZ_BYTES) => SqlType::Timetz,
            DataType::Binary | DataType::FixedSizeBinary(_) => SqlType::Bytea,
            DataType::Dictionary(_, values) => return SqlType::from_arrow(values),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                return SqlType::from_arrow(item.data_type())?.array();
            }
            _ => return None,
        })
    }

    /// The type of arrays of this type; `None` for that of arrays, since those have one dimension.
    pub fn array(self) -> Option<SqlType> {
        ElementType::new(self).map(SqlType::Array)
    }

    /// The type of the elements, of an array.
    pub fn element(self) -> Option<SqlType> {
        match self {
            SqlType::Array(element) => Some(element.sql_type()),
            _ => None,
        }
    }

    /// The type without its length or precision.
    #[must_use]
    pub fn unconstrained(self) -> SqlType {
        match self {
            SqlType::Array(element) => element.sql_type().unconstrained().array().unwrap_or(self),
            SqlType::Varchar(_) => SqlType::Varchar(None),
            SqlType::Numeric(..) => SqlType::Numeric(UNCONSTRAINED_NUMERIC.0, UNCONSTRAINED_NUMERIC.1),
            other => other,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SqlType::Boolean => "boolean",
            SqlType::Int2 => "smallint",
            SqlType::Int4 => "integer",
            SqlType::Int8 => "bigint",
            SqlType::Float4 => "real",
            SqlType::Float8 => "double precision",
            SqlType::Numeric(precision, scale) if (*precision, *scale) == UNCONSTRAINED_NUMERIC => "numeric",
            SqlType::Numeric(precision, scale) => return write!(f, "numeric({precision},{scale})"),
            SqlType::Text => "text",
            SqlType::Varchar(Some(limit)) => return write!(f, "character varying({limit})"),
            SqlType::Varchar(None) => "character varying",
            SqlType::Date => "date",
            SqlType::Timestamp => "timestamp without time zone",
            SqlType::Timestamptz => "timestamp with time zone",
            SqlType::Interval => "interval",
            SqlType::Bytea => "bytea",
            SqlType::Time => "time without time zone",
            SqlType::Timetz => "time with time zone",
            SqlType::Uuid => "uuid",
            SqlType::Json => "json",
            SqlType::Jsonb => "jsonb",
            SqlType::Jsonpath => "jsonpath",
            SqlType::Enum(id) => match id.known() {
                Some(known) => return f.write_str(&known.name),
                None => "???",
            },
            SqlType::Array(element) => return write!(f, "{}[]", element.sql_type()),
        })
    }
}

//! Conversions between SQL types with PostgreSQL's rounding, range checks and messages.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, ListArray, StringArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampSecondType};
use springtide_types::{
    Result, SqlError, SqlState, SqlType, TIMETZ_BYTES, UNCONSTRAINED_NUMERIC, UUID_BYTES, array_text,
    bytea_text, numeric_text, uuid_text,
};

use crate::input::{check_length, numeric_overflow, parse_text};
use crate::lists::{compact, range, with_elements};
use crate::operators::describe;
use crate::temporal;

/// Values as PostgreSQL writes them: what [`parse_text`] reads back.
pub fn format_text(array: &ArrayRef) -> Result<StringArray> {
    Ok(convert(array, SqlType::Text, Context::Explicit)?.as_string::<i32>().clone())
}

/// Why a value changes its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// `CAST` or `::`: a text that is too long is cut.
    Explicit,
    /// INSERT or UPDATE: a text that is too long is refused.
    Assignment,
}

/// Groups of types that convert into each other without a cast being spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Boolean,
    Number,
    Text,
    DateTime,
    Interval,
    Bytes,
    Time,
    Timetz,
    Uuid,
    Json,
    Jsonpath,
    Enum,
    Array,
}

/// The family of a type.
pub(crate) fn family(sql_type: SqlType) -> Family {
    match sql_type {
        SqlType::Boolean => Family::Boolean,
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => Family::Number,
        SqlType::Float4 | SqlType::Float8 | SqlType::Numeric(..) => Family::Number,
        SqlType::Text | SqlType::Varchar(_) => Family::Text,
        SqlType::Date | SqlType::Timestamp | SqlType::Timestamptz => Family::DateTime,
        SqlType::Interval => Family::Interval,
        SqlType::Bytea => Family::Bytes,
        SqlType::Time => Family::Time,
        SqlType::Timetz => Family::Timetz,
        SqlType::Uuid => Family::Uuid,
        SqlType::Json | SqlType::Jsonb => Family::Json,
        SqlType::Jsonpath => Family::Jsonpath,
        SqlType::Enum(_) => Family::Enum,
        SqlType::Array(_) => Family::Array,
    }
}

/// Whether values are bytes, texts, moments or lists to DataFusion, whose functions of these are not those of SQL.
pub(crate) fn is_disguised(sql_type: SqlType) -> bool {
    matches!(
        family(sql_type),
        Family::Bytes
            | Family::Timetz
            | Family::Uuid
            | Family::Json
            | Family::Jsonpath
            | Family::Enum
            | Family::Array
    )
}

/// Whether values are moments or lengths of time.
pub(crate) fn is_temporal(sql_type: SqlType) -> bool {
    matches!(family(sql_type), Family::DateTime | Family::Interval | Family::Time | Family::Timetz)
}

/// Whether DataFusion finds no type that values and a string literal have in common.
pub(crate) fn stands_apart(sql_type: SqlType) -> bool {
    is_disguised(sql_type) || sql_type == SqlType::Time
}

/// Whether PostgreSQL has this conversion.
pub(crate) fn convertible(from: SqlType, to: SqlType, context: Context) -> bool {
    if let (Some(from), Some(to)) = (from.element(), to.element()) {
        return convertible(from, to, context);
    }
    let (source, target) = (family(from), family(to));
    let explicit = context == Context::Explicit;
    (source == target && (source != Family::Enum || from == to))
        || target == Family::Text
        || (explicit && source == Family::Text)
        || matches!(
            (from, to),
            (SqlType::Timestamp | SqlType::Timestamptz | SqlType::Interval | SqlType::Timetz, SqlType::Time)
                | (SqlType::Time, SqlType::Interval | SqlType::Timetz)
                | (SqlType::Timestamptz, SqlType::Timetz)
        )
        || (explicit && from == SqlType::Jsonb && matches!(target, Family::Number | Family::Boolean))
        || (explicit && is_integer(from) && to == SqlType::Bytea)
        || (explicit && from == SqlType::Bytea && is_integer(to))
        || (explicit && (from, to) == (SqlType::Boolean, SqlType::Int4))
        || (explicit && (from, to) == (SqlType::Int4, SqlType::Boolean))
}

/// The values as this type. The pair of types is [`convertible`].
pub(crate) fn convert(array: &ArrayRef, to: SqlType, context: Context) -> Result<ArrayRef> {
    let target = to.arrow();
    match (array.data_type(), to) {
        (DataType::List(_), SqlType::Array(element)) => {
            let lists = compact(array.as_list())?;
            Ok(with_elements(&lists, convert(lists.values(), element.sql_type(), context)?))
        }
        (from, SqlType::Varchar(Some(limit))) => {
            let text = if *from == DataType::Utf8 { array.clone() } else { to_text(array)? };
            fit(text.as_string::<i32>(), limit, context)
        }
        (from, _) if *from == target => Ok(array.clone()),
        (DataType::Timestamp(..), _) if is_enum(array.data_type()) => convert(&to_text(array)?, to, context),
        (_, SqlType::Text | SqlType::Varchar(None)) => to_text(array),
        // A text that is too long is cut in an array too.
        (DataType::Utf8, SqlType::Array(_)) if to != to.unconstrained() => {
            let unlimited = parse_text(array.as_string::<i32>(), to.unconstrained())?;
            convert(&unlimited, to, context)
        }
        (DataType::Utf8, _) => parse_text(array.as_string::<i32>(), to),
        (DataType::LargeUtf8, SqlType::Json) | (DataType::LargeBinary, SqlType::Jsonb) => {
            parse_text(to_text(array)?.as_string::<i32>(), to)
        }
        (DataType::LargeUtf8, _) => scalars(array.as_string::<i64>(), to),
        (DataType::Utf8View, _) => parse_text(kernel(array, &DataType::Utf8)?.as_string::<i32>(), to),
        (DataType::Float32 | DataType::Float64, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) => {
            let wide = kernel(array, &DataType::Float64)?;
            let floats = wide.as_primitive::<Float64Type>();
            // To nearest, ties to even, as C's rint.
            integers(floats.iter().map(|value| value.map(|value| exact_integer(value.round_ties_even()))), to)
        }
        (DataType::Decimal128(_, scale), SqlType::Int2 | SqlType::Int4 | SqlType::Int8) => {
            let unit = 10_i128.pow(u32::try_from(*scale).unwrap_or(0));
            let decimals = array.as_primitive::<Decimal128Type>();
            integers(decimals.iter().map(|value| value.map(|value| Some(round_to(value, unit)))), to)
        }
        (DataType::Decimal128(_, scale), SqlType::Float4 | SqlType::Float8) => {
            let scale = *scale;
            let decimals = array.as_primitive::<Decimal128Type>().iter();
            let floats = decimals.map(|value| value.map(|value| decimal_to_float(value, scale)));
            let floats: ArrayRef = Arc::new(floats.collect::<Float64Array>());
            convert(&floats, to, context)
        }
        (DataType::Binary, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) => {
            bytes_as_integers(array.as_binary::<i32>(), to)
        }
        (DataType::Int16 | DataType::Int32 | DataType::Int64, SqlType::Bytea) => integer_bytes(array),
        (_, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) => {
            kernel(array, &target).map_err(|error| out_of_range(error, to))
        }
        (_, SqlType::Numeric(precision, scale)) => kernel(array, &target).map_err(|error| {
            let overflow = error.sqlstate != SqlState::FEATURE_NOT_SUPPORTED;
            if overflow { numeric_overflow(precision, scale) } else { error }
        }),
        (DataType::Float64, SqlType::Float4) => {
            let narrow = kernel(array, &target)?;
            let pairs = narrow.as_primitive::<Float32Type>().iter().zip(array.as_primitive::<Float64Type>());
            let overflow = |(narrow, wide): (Option<f32>, Option<f64>)| {
                narrow.is_some_and(f32::is_infinite) && wide.is_some_and(f64::is_finite)
            };
            match pairs.into_iter().any(overflow) {
                true => {
                    Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"))
                }
                false => Ok(narrow),
            }
        }
        (from, _) if temporal::converts(from, to) => temporal::convert(array, to),
        _ => kernel(array, &target),
    }
}

fn is_integer(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
}

/// The bytes of integers, the highest first.
fn integer_bytes(array: &ArrayRef) -> Result<ArrayRef> {
    let width = array.data_type().primitive_width().unwrap_or(8);
    let wide = kernel(array, &DataType::Int64)?;
    let bytes = |value: i64| value.to_be_bytes()[8 - width..].to_vec();
    let values = wide.as_primitive::<Int64Type>().iter().map(|value| value.map(bytes));
    Ok(Arc::new(values.collect::<BinaryArray>()))
}

/// The integers that bytes are, the highest first. More than the type has are refused.
fn bytes_as_integers(bytes: &BinaryArray, to: SqlType) -> Result<ArrayRef> {
    let width = to.arrow().primitive_width().unwrap_or(8);
    let integer = |bytes: &[u8]| {
        if bytes.len() > width {
            let message = format!("{to} out of range");
            return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        // A value of the full width has a sign.
        let unsigned = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let unused = 64 - 8 * width as u32;
        Ok(Some(i128::from((unsigned << unused) as i64 >> unused)))
    };
    let values = bytes.iter().map(|bytes| bytes.map(integer).transpose()).collect::<Result<Vec<_>>>()?;
    integers(values.into_iter(), to)
}

/// The numbers and booleans that values of `jsonb` are.
fn scalars(values: &LargeStringArray, to: SqlType) -> Result<ArrayRef> {
    let wanted = if to == SqlType::Boolean { Family::Boolean } else { Family::Number };
    let refuse = |what: &str| {
        let message = format!("cannot cast jsonb {what} to type {}", describe(Some(to)));
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
    };
    let scalar = |text: &str| match text.as_bytes().first() {
        Some(b't' | b'f') if wanted == Family::Boolean => Ok(()),
        Some(b'-' | b'0'..=b'9') if wanted == Family::Number => Ok(()),
        Some(b't' | b'f') => refuse("boolean"),
        Some(b'n') => Ok(()),
        Some(b'"') => refuse("string"),
        Some(b'[') => refuse("array"),
        Some(b'{') => refuse("object"),
        _ => refuse("numeric"),
    };
    values.iter().flatten().try_for_each(scalar)?;
    // The null of JSON is that of SQL.
    let texts = values.iter().map(|text| text.filter(|text| *text != "null")).collect::<StringArray>();
    match to {
        // Rounded, where the text of an integer has no fraction.
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => {
            let (precision, scale) = UNCONSTRAINED_NUMERIC;
            let numbers = parse_text(&texts, SqlType::Numeric(precision, scale))?;
            convert(&numbers, to, Context::Explicit)
        }
        _ => parse_text(&texts, to),
    }
}

/// The float nearest to `value` / 10^`scale`. A quotient of two exact floats is; others are read as text.
fn decimal_to_float(value: i128, scale: i8) -> f64 {
    const EXACT_INTEGERS: u128 = 1 << 53;
    const EXACT_POWERS: i8 = 22;
    if value.unsigned_abs() <= EXACT_INTEGERS && (0..=EXACT_POWERS).contains(&scale) {
        return value as f64 / 10_f64.powi(i32::from(scale));
    }
    format!("{value}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN)
}

fn kernel(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, target, &options).map_err(|error| springtide_plan::arrow_error(&error))
}

fn out_of_range(error: SqlError, to: SqlType) -> SqlError {
    match error.sqlstate {
        SqlState::FEATURE_NOT_SUPPORTED => error,
        _ => SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{to} out of range")),
    }
}

fn exact_integer(value: f64) -> Option<i128> {
    (value.abs() < 1e19).then_some(value as i128)
}

fn round_to(value: i128, unit: i128) -> i128 {
    let (quotient, remainder) = (value / unit, value % unit);
    if unit > 1 && remainder.abs() >= unit - remainder.abs() { quotient + value.signum() } else { quotient }
}

fn integers(values: impl Iterator<Item = Option<Option<i128>>>, to: SqlType) -> Result<ArrayRef> {
    fn collect<T: TryFrom<i128>>(
        values: impl Iterator<Item = Option<Option<i128>>>,
        to: SqlType,
    ) -> Result<Vec<Option<T>>> {
        let range = || SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{to} out of range"));
        let narrow = |value: Option<i128>| value.and_then(|value| T::try_from(value).ok()).ok_or_else(range);
        values.map(|value| value.map(narrow).transpose()).collect()
    }
    Ok(match to {
        SqlType::Int2 => Arc::new(Int16Array::from(collect::<i16>(values, to)?)),
        SqlType::Int4 => Arc::new(Int32Array::from(collect::<i32>(values, to)?)),
        _ => Arc::new(Int64Array::from(collect::<i64>(values, to)?)),
    })
}

fn fit(texts: &StringArray, limit: u32, context: Context) -> Result<ArrayRef> {
    if texts.iter().flatten().all(|text| text.len() <= limit as usize) {
        return Ok(Arc::new(texts.clone()));
    }
    if context == Context::Assignment {
        texts.iter().flatten().try_for_each(|text| check_length(text, limit))?;
    }
    let cut = |text: &str| text.chars().take(limit as usize).collect::<String>();
    Ok(Arc::new(texts.iter().map(|text| text.map(cut)).collect::<StringArray>()))
}

/// Elements of arrays as they stand in the texts of these.
pub(crate) fn element_texts(elements: &ArrayRef) -> Result<StringArray> {
    if let Some(booleans) = elements.as_boolean_opt() {
        // A cast to text makes words of them.
        return Ok(booleans.iter().map(|value| value.map(|value| if value { "t" } else { "f" })).collect());
    }
    Ok(to_text(elements)?.as_string::<i32>().clone())
}

fn list_texts(lists: &ListArray) -> Result<StringArray> {
    let lists = compact(lists)?;
    let elements = element_texts(lists.values())?;
    let text = |row| {
        let elements = range(&lists, row).map(|at| elements.is_valid(at).then(|| elements.value(at)));
        lists.is_valid(row).then(|| array_text(elements))
    };
    Ok((0..lists.len()).map(text).collect())
}

/// Whether values are the keys of an enum's labels.
fn is_enum(data_type: &DataType) -> bool {
    matches!(SqlType::from_arrow(data_type), Some(SqlType::Enum(_)))
}

fn enum_texts(array: &ArrayRef) -> Result<StringArray> {
    let Some(SqlType::Enum(id)) = SqlType::from_arrow(array.data_type()) else {
        return Err(SqlError::internal("labels of no enum"));
    };
    let known = id.definition()?;
    let keys = array.as_primitive::<TimestampSecondType>();
    Ok(keys.iter().map(|key| key.and_then(|key| known.label(key))).collect())
}

/// The texts that PostgreSQL's output functions give.
fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match array.data_type() {
        DataType::Float32 => {
            let format = |value: f32| format_float(&format!("{value:e}"), 6);
            array.as_primitive::<Float32Type>().iter().map(|value| value.map(format)).collect()
        }
        DataType::Float64 => {
            let format = |value: f64| format_float(&format!("{value:e}"), 15);
            array.as_primitive::<Float64Type>().iter().map(|value| value.map(format)).collect()
        }
        DataType::Decimal128(precision, scale) => {
            let text = |value: i128| numeric_text(value, *precision, *scale);
            array.as_primitive::<Decimal128Type>().iter().map(|value| value.map(text)).collect()
        }
        enum_type if is_enum(enum_type) => enum_texts(array)?,
        DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Interval(_) => {
            temporal::texts(array)?
        }
        DataType::FixedSizeBinary(TIMETZ_BYTES) => temporal::texts(array)?,
        DataType::List(_) => list_texts(array.as_list())?,
        DataType::Utf8 => array.as_string::<i32>().clone(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().collect(),
        DataType::LargeBinary => {
            let texts = array.as_binary::<i64>().iter();
            texts.map(|text| text.map(|text| str::from_utf8(text).expect("a json is a text"))).collect()
        }
        DataType::FixedSizeBinary(UUID_BYTES) => {
            array.as_fixed_size_binary().iter().map(|bytes| bytes.map(uuid_text)).collect()
        }
        DataType::Binary => array.as_binary::<i32>().iter().map(|bytes| bytes.map(bytea_text)).collect(),
        DataType::BinaryView => {
            let paths = array.as_binary_view().iter();
            paths.map(|path| path.map(|path| str::from_utf8(path).expect("a jsonpath is a text"))).collect()
        }
        _ => return kernel(array, &DataType::Utf8),
    };
    Ok(Arc::new(texts))
}

/// From Rust's shortest scientific form, `1.5e-7`, to PostgreSQL's, which has an exponent only when it is
/// less than −4 or at least `digits`.
fn format_float(scientific: &str, digits: i32) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return match scientific {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            other => other.to_owned(),
        };
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let mut text = sign.to_owned();
    if !(-4..digits).contains(&exponent) {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        write!(text, "{mantissa}e{exponent_sign}{:02}", exponent.abs()).expect("writing to a String");
        return text;
    }
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        text.push_str("0.");
        text.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        text.push_str(&digits);
    } else {
        let whole = exponent as usize + 1;
        text.extend(digits.chars().chain(std::iter::repeat('0')).take(whole));
        if digits.len() > whole {
            text.push('.');
            text.push_str(&digits[whole..]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Decimal128Array;

    fn text(array: impl Array + 'static) -> String {
        let array: ArrayRef = Arc::new(array);
        convert(&array, SqlType::Text, Context::Explicit).unwrap().as_string::<i32>().value(0).to_owned()
    }

    #[test]
    fn floats_are_written_as_postgres_writes_them() {
        for (value, expected) in [
            (0.1, "0.1"),
            (100.0, "100"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(text(Float64Array::from(vec![value])), expected);
        }
    }

    #[test]
    fn numbers_round_as_in_postgres() {
        let round = |array: ArrayRef| {
            let array = convert(&array, SqlType::Int4, Context::Explicit).unwrap();
            array.as_primitive::<arrow::datatypes::Int32Type>().values().to_vec()
        };
        let floats = Float64Array::from(vec![0.5, 1.5, 2.5, -2.5, -0.6]);
        assert_eq!(round(Arc::new(floats)), [0, 2, 2, -2, -1]);
        let decimals =
            Decimal128Array::from(vec![5, 15, 25, -25, 14]).with_precision_and_scale(5, 1).unwrap();
        assert_eq!(round(Arc::new(decimals)), [1, 2, 3, -3, 1]);
        let array: ArrayRef = Arc::new(Float64Array::from(vec![1e10]));
        let error = convert(&array, SqlType::Int4, Context::Explicit).unwrap_err();
        assert_eq!(error.message, "integer out of range");
    }

    #[test]
    fn texts_are_cut_or_refused() {
        let array: ArrayRef = Arc::new(StringArray::from(vec!["abcd"]));
        let limited = SqlType::Varchar(Some(3));
        let cut = convert(&array, limited, Context::Explicit).unwrap();
        assert_eq!(cut.as_string::<i32>().value(0), "abc");
        let error = convert(&array, limited, Context::Assignment).unwrap_err();
        assert_eq!(error.sqlstate, SqlState::STRING_DATA_RIGHT_TRUNCATION);
    }
}

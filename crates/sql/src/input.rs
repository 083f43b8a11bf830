//! PostgreSQL's input functions: the values that texts stand for.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    FixedSizeBinaryBuilder, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray, ListBuilder, StringArray, StringBuilder,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use springtide_datetime::{
    parse_date, parse_interval, parse_time, parse_timestamp, parse_timestamptz, parse_timetz,
};
use springtide_types::{
    Result, SqlError, SqlState, SqlType, TIMETZ_BYTES, UUID_BYTES, WIDEST_NUMERIC, parse_uuid,
};

use crate::array_text::elements;
use crate::bytea::parse_bytea;
use crate::functions::enum_column;
use crate::json;
use crate::jsonpath::JsonPath;
use crate::lists::with_elements;
use crate::literals::{integer_literal, separated};

/// The values that these texts stand for in a column of this type, as COPY and text parameters give
/// them. A text that is too long for its type is refused, as an assignment is.
pub fn parse_text(values: &StringArray, sql_type: SqlType) -> Result<ArrayRef> {
    fn each<T, A>(values: &StringArray, parse: impl Fn(&str) -> Result<T>) -> Result<ArrayRef>
    where
        A: Array + FromIterator<Option<T>> + 'static,
    {
        let parsed = values.iter().map(|text| text.map(&parse).transpose()).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(parsed.into_iter().collect::<A>()))
    }
    match sql_type {
        SqlType::Boolean => each::<bool, BooleanArray>(values, parse_boolean),
        SqlType::Int2 => each::<i16, Int16Array>(values, |text| parse_integer(text, sql_type)),
        SqlType::Int4 => each::<i32, Int32Array>(values, |text| parse_integer(text, sql_type)),
        SqlType::Int8 => each::<i64, Int64Array>(values, |text| parse_integer(text, sql_type)),
        SqlType::Float4 => each::<f32, Float32Array>(values, parse_float4),
        SqlType::Float8 => each::<f64, Float64Array>(values, parse_float8),
        SqlType::Numeric(precision, scale) => {
            let parse =
                |text: Option<&str>| text.map(|text| parse_numeric(text, precision, scale)).transpose();
            let parsed = values.iter().map(parse).collect::<Result<Vec<_>>>()?;
            let array = parsed.into_iter().collect::<Decimal128Array>();
            let array = array.with_precision_and_scale(precision, scale);
            Ok(Arc::new(array.map_err(|error| springtide_plan::arrow_error(&error))?))
        }
        SqlType::Text | SqlType::Varchar(None) => Ok(Arc::new(values.clone())),
        SqlType::Varchar(Some(limit)) => {
            values.iter().flatten().try_for_each(|text| check_length(text, limit))?;
            Ok(Arc::new(values.clone()))
        }
        SqlType::Date => each::<i32, Date32Array>(values, parse_date),
        SqlType::Timestamp => each::<i64, TimestampMicrosecondArray>(values, parse_timestamp),
        SqlType::Timestamptz => {
            let parse = |text: Option<&str>| text.map(parse_timestamptz).transpose();
            let parsed = values.iter().map(parse).collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(parsed.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("+00:00")))
        }
        SqlType::Interval => {
            each::<_, IntervalMonthDayNanoArray>(values, |text| parse_interval(text)?.to_arrow())
        }
        SqlType::Bytea => each::<Vec<u8>, BinaryArray>(values, parse_bytea),
        SqlType::Time => each::<i64, Time64MicrosecondArray>(values, parse_time),
        SqlType::Timetz => fixed_bytes(values, TIMETZ_BYTES, |text| {
            parse_timetz(text).map(springtide_datetime::TimeTz::to_bytes)
        }),
        SqlType::Uuid => fixed_bytes(values, UUID_BYTES, |text| {
            parse_uuid(text).ok_or_else(|| syntax(text, SqlType::Uuid))
        }),
        SqlType::Json => {
            values.iter().flatten().try_for_each(json::check)?;
            Ok(Arc::new(LargeBinaryArray::from_iter(values.iter())))
        }
        SqlType::Jsonb => each::<String, LargeStringArray>(values, json::canonical),
        SqlType::Jsonpath => {
            let path = |text: &str| JsonPath::parse(text).map(|path| path.to_string().into_bytes());
            each::<Vec<u8>, BinaryViewArray>(values, path)
        }
        SqlType::Enum(id) => Ok(enum_column(sql_type, id.definition()?.keys(values)?)),
        SqlType::Array(element) => parse_arrays(values, element.sql_type()),
    }
}

fn parse_arrays(values: &StringArray, element: SqlType) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in values {
        lists.append_option(text.map(elements).transpose()?);
    }
    let lists = lists.finish();
    let parsed = parse_text(lists.values().as_string(), element)?;
    Ok(with_elements(&lists, parsed))
}

/// Values of so many bytes each.
fn fixed_bytes<const N: usize>(
    values: &StringArray,
    length: i32,
    parse: impl Fn(&str) -> Result<[u8; N]>,
) -> Result<ArrayRef> {
    let parsed = values.iter().map(|text| text.map(&parse).transpose()).collect::<Result<Vec<_>>>()?;
    let mut array = FixedSizeBinaryBuilder::with_capacity(values.len(), length);
    for value in parsed {
        match value {
            Some(bytes) => array.append_value(bytes).expect("a value has its length"),
            None => array.append_null(),
        }
    }
    Ok(Arc::new(array.finish()))
}

/// Refuses a text of more than `limit` characters, unless the rest is blank.
pub(crate) fn check_length(text: &str, limit: u32) -> Result<()> {
    if text.len() <= limit as usize || text.chars().skip(limit as usize).all(|c| c == ' ') {
        return Ok(());
    }
    let message = format!("value too long for type character varying({limit})");
    Err(SqlError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message))
}

fn syntax(text: &str, sql_type: SqlType) -> SqlError {
    let name = match sql_type {
        SqlType::Numeric(..) => "numeric".to_owned(),
        other => other.to_string(),
    };
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

fn range(text: &str, sql_type: SqlType) -> SqlError {
    let message = match sql_type {
        SqlType::Float4 | SqlType::Float8 => format!("\"{text}\" is out of range for type {sql_type}"),
        _ => format!("value \"{text}\" is out of range for type {sql_type}"),
    };
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

pub(crate) fn parse_boolean(text: &str) -> Result<bool> {
    let word = text.trim().to_lowercase();
    let is_prefix = |full: &str| !word.is_empty() && full.starts_with(&word);
    if is_prefix("true") || is_prefix("yes") || word == "on" || word == "1" {
        Ok(true)
    } else if is_prefix("false") || is_prefix("no") || word == "of" || word == "off" || word == "0" {
        Ok(false)
    } else {
        Err(syntax(text, SqlType::Boolean))
    }
}

fn parse_integer<T: TryFrom<i128>>(text: &str, sql_type: SqlType) -> Result<T> {
    let word = text.trim_matches(is_space);
    let (negative, unsigned) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let magnitude = match unsigned.bytes().all(|byte| byte.is_ascii_digit()) && !unsigned.is_empty() {
        true => unsigned.parse::<u128>().ok(),
        false => integer_literal(unsigned).ok_or_else(|| syntax(text, sql_type))?,
    };
    let value = magnitude.and_then(|magnitude| i128::try_from(magnitude).ok());
    let value = value.map(|value| if negative { -value } else { value });
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| range(text, sql_type))
}

/// What C takes for space.
fn is_space(c: char) -> bool {
    c == ' ' || ('\t'..='\r').contains(&c)
}

/// The number in a text, and whether digits were lost to range.
pub(crate) fn parse_float8(text: &str) -> Result<f64> {
    let word = text.trim();
    if let Some(value) = special_float(word) {
        return Ok(value);
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Err(syntax(text, SqlType::Float8));
    }
    let value = word.parse::<f64>().map_err(|_| syntax(text, SqlType::Float8))?;
    let nonzero =
        word.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|b| (b'1'..=b'9').contains(&b));
    if value.is_infinite() || (value == 0.0 && nonzero) {
        return Err(range(text, SqlType::Float8));
    }
    Ok(value)
}

fn parse_float4(text: &str) -> Result<f32> {
    let wide = parse_float8(text).map_err(|error| match error.sqlstate {
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => range(text, SqlType::Float4),
        _ => syntax(text, SqlType::Float4),
    })?;
    // Parsed directly, so that the decimal is rounded once.
    let value =
        if wide.is_finite() { text.trim().parse::<f32>().unwrap_or(wide as f32) } else { wide as f32 };
    if (value.is_infinite() && wide.is_finite()) || (value == 0.0 && wide != 0.0) {
        return Err(range(text, SqlType::Float4));
    }
    Ok(value)
}

fn special_float(word: &str) -> Option<f64> {
    let (negative, word) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let value = match word.to_lowercase().as_str() {
        "nan" if !negative => f64::NAN,
        "inf" | "infinity" => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// A number as it is written: `mantissa` × 10^`exponent`, without its sign and underscores.
struct Written<'a> {
    negative: bool,
    whole: Cow<'a, str>,
    fraction: Cow<'a, str>,
    exponent: i32,
}

impl Written<'_> {
    /// `None` if the text is no number.
    fn read(text: &str) -> Option<Written<'_>> {
        let word = text.trim_matches(is_space);
        let (negative, unsigned) = match word.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        let is_plain = unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_plain && let Some(value) = integer_literal(unsigned) {
            // What is larger than any decimal is refused as such.
            let whole = value.map_or_else(|| "9".repeat(40), |value| value.to_string());
            return Some(Written { negative, whole: whole.into(), fraction: "".into(), exponent: 0 });
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, without_underscores(exponent)?.parse().ok()?),
            None => (unsigned, 0_i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (without_underscores(whole)?, without_underscores(fraction)?);
        let mut digits = whole.bytes().chain(fraction.bytes());
        let any = digits.next()?.is_ascii_digit() && digits.all(|byte| byte.is_ascii_digit());
        any.then_some(Written { negative, whole, fraction, exponent })
    }
}

fn without_underscores(digits: &str) -> Option<Cow<'_, str>> {
    if !digits.contains('_') {
        return Some(Cow::Borrowed(digits));
    }
    separated(digits).then(|| Cow::Owned(digits.replace('_', "")))
}

/// The type of a number that has as many digits as it is written with, if these are not too many.
pub(crate) fn written_numeric(text: &str) -> Option<SqlType> {
    let Written { whole, fraction, exponent, .. } = Written::read(text)?;
    let scale = (fraction.len() as i64 - i64::from(exponent)).max(0);
    let leading = whole.bytes().take_while(|digit| *digit == b'0').count();
    let whole = ((whole.len() - leading) as i64 + i64::from(exponent)).max(0);
    let most = i64::from(WIDEST_NUMERIC) - 1;
    if whole > most {
        return None;
    }
    let scale = scale.min(most - whole);
    Some(SqlType::Numeric((whole + scale).max(1) as u8, scale as i8))
}

/// Reads a decimal with an optional exponent at the given scale, rounding half away from zero.
pub(crate) fn parse_numeric(text: &str, precision: u8, scale: i8) -> Result<i128> {
    let sql_type = SqlType::Numeric(precision, scale);
    let Some(Written { negative, whole, fraction, exponent }) = Written::read(text) else {
        let word = text.trim_matches(is_space);
        return Err(match special_float(word) {
            Some(_) => SqlError::unsupported(format!("numeric value \"{word}\"")),
            None => syntax(text, sql_type),
        });
    };
    // How many of the digits stand before the scale's last place.
    let kept = (whole.len() as i64) + i64::from(exponent) + i64::from(scale);
    let mut rest = whole.bytes().chain(fraction.bytes());
    let mut value = 0_i128;
    for position in 0..kept.max(0) {
        if position > 400 && value == 0 {
            break;
        }
        let digit = rest.next().unwrap_or(b'0') - b'0';
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit)))
            .ok_or_else(|| numeric_overflow(precision, scale))?;
    }
    if kept >= 0 && rest.next().is_some_and(|digit| digit >= b'5') {
        value += 1;
    }
    if value >= 10_i128.pow(u32::from(precision)) {
        return Err(numeric_overflow(precision, scale));
    }
    Ok(if negative { -value } else { value })
}

/// What PostgreSQL says of a value that is too large for a `numeric(precision, scale)`.
pub(crate) fn numeric_overflow(precision: u8, scale: i8) -> SqlError {
    let detail = format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{}.",
        precision as i8 - scale
    );
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(text: &str, sql_type: SqlType) -> Result<String> {
        let array = parse_text(&StringArray::from(vec![text]), sql_type)?;
        assert_eq!(array.data_type(), &sql_type.arrow());
        Ok(arrow::util::display::array_value_to_string(&array, 0).unwrap())
    }

    #[test]
    fn integers() {
        assert_eq!(parse_one(" -42 ", SqlType::Int4).unwrap(), "-42");
        let error = parse_one("abc", SqlType::Int4).unwrap_err();
        assert_eq!(error.message, "invalid input syntax for type integer: \"abc\"");
        let error = parse_one("99999999999", SqlType::Int4).unwrap_err();
        assert_eq!(error.message, "value \"99999999999\" is out of range for type integer");
        assert_eq!(error.sqlstate, SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    }

    #[test]
    fn booleans() {
        for text in ["t", "TRUE", "yes", "on", "1", "y"] {
            assert_eq!(parse_one(text, SqlType::Boolean).unwrap(), "true");
        }
        for text in ["f", "false", "no", "off", "0", "n"] {
            assert_eq!(parse_one(text, SqlType::Boolean).unwrap(), "false");
        }
        assert!(parse_one("o", SqlType::Boolean).is_err());
    }

    #[test]
    fn floats() {
        assert_eq!(parse_one("1e3", SqlType::Float8).unwrap(), "1000.0");
        assert_eq!(parse_one("-Infinity", SqlType::Float8).unwrap(), "-inf");
        assert_eq!(parse_one("NaN", SqlType::Float4).unwrap(), "NaN");
        assert_eq!(parse_one("1e400", SqlType::Float8).unwrap_err().sqlstate.code(), "22003");
        assert_eq!(parse_one("1e39", SqlType::Float4).unwrap_err().sqlstate.code(), "22003");
        assert_eq!(parse_one("one", SqlType::Float8).unwrap_err().sqlstate.code(), "22P02");
    }

    #[test]
    fn numerics_round_half_away_from_zero() {
        let numeric = SqlType::Numeric(6, 2);
        assert_eq!(parse_one("1.005", numeric).unwrap(), "1.01");
        assert_eq!(parse_one("-1.005", numeric).unwrap(), "-1.01");
        assert_eq!(parse_one("12.5e1", numeric).unwrap(), "125.00");
        assert_eq!(parse_one("1e-9", numeric).unwrap(), "0.00");
        assert_eq!(parse_one("99999", numeric).unwrap_err().message, "numeric field overflow");
        assert_eq!(parse_one("1.2.3", numeric).unwrap_err().sqlstate.code(), "22P02");
    }

    #[test]
    fn texts_have_a_limit() {
        assert_eq!(parse_one("abc  ", SqlType::Varchar(Some(3))).unwrap(), "abc  ");
        let error = parse_one("abcd", SqlType::Varchar(Some(3))).unwrap_err();
        assert_eq!(error.message, "value too long for type character varying(3)");
    }
}

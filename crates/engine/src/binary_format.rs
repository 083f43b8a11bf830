//! Values in the binary format, as the `*recv` functions of PostgreSQL 15 read them.

use std::fmt::Write;

use arrow::array::StringArray;
use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::ScalarValue;
use springtide_datetime::{Interval, TimeTz};
use springtide_types::{Result, SqlError, SqlState, SqlType, TIMETZ_BYTES, UUID_BYTES};

/// Days from 1970-01-01, where Arrow counts from, to 2000-01-01, where PostgreSQL's binary format does.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS as i64 * DAY_MICROS;
const DAY_MICROS: i64 = 86_400_000_000;
/// The first byte of a `jsonb`; its text follows.
const JSONB_VERSION: u8 = 1;

/// The value of this type; `None` if it is not the format of one.
pub fn from_binary(sql_type: SqlType, bytes: &[u8]) -> Result<Option<ScalarValue>> {
    Ok(match sql_type {
        // Rounding to the scale and the check of the precision are the same as for text.
        SqlType::Numeric(..) => numeric(bytes).map(|text| from_text(sql_type, &text)).transpose()?,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Json | SqlType::Enum(_) => {
            Some(from_text(sql_type, utf8(bytes)?)?)
        }
        SqlType::Jsonb | SqlType::Jsonpath => match bytes.split_first() {
            Some((&JSONB_VERSION, text)) => Some(from_text(sql_type, utf8(text)?)?),
            _ => None,
        },
        SqlType::Array(element) => array_of(element.sql_type(), bytes)?,
        fixed => of_fixed_size(fixed, bytes),
    })
}

/// The array of elements of this type.
fn array_of(element: SqlType, bytes: &[u8]) -> Result<Option<ScalarValue>> {
    let Some((dimensions, rest)) = take_word(bytes) else { return Ok(None) };
    // Whether there are NULLs shows in the elements.
    let Some((oid, mut rest)) = take_word(rest).and_then(|(_, rest)| take_word(rest)) else {
        return Ok(None);
    };
    if dimensions > 1 {
        return Err(SqlError::unsupported("an array of several dimensions"));
    }
    if oid as u32 != element.oid()
        && SqlType::from_oid(oid as u32, -1).is_none_or(|given| !is_alike(given, element))
    {
        let message = "wrong element type";
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut values = Vec::new();
    if dimensions == 1 {
        let Some((length, after)) = take_word(rest) else { return Ok(None) };
        let Some((lower, after)) = take_word(after) else { return Ok(None) };
        if lower != 1 {
            return Err(SqlError::unsupported("an array whose subscripts do not begin at 1"));
        }
        rest = after;
        for _ in 0..length {
            let Some((value, after)) = take_element(element, rest)? else { return Ok(None) };
            values.push(value);
            rest = after;
        }
    }
    let list = ScalarValue::new_list_nullable(&values, &element.arrow());
    Ok(rest.is_empty().then_some(ScalarValue::List(list)))
}

/// Whether the binary format of both types is the same.
fn is_alike(one: SqlType, other: SqlType) -> bool {
    let is_text = |sql_type| matches!(sql_type, SqlType::Text | SqlType::Varchar(_));
    is_text(one) && is_text(other)
}

/// An element with its length before it, and what follows.
fn take_element(element: SqlType, bytes: &[u8]) -> Result<Option<(ScalarValue, &[u8])>> {
    let Some((length, rest)) = take_word(bytes) else { return Ok(None) };
    if length == -1 {
        let null =
            ScalarValue::try_from(&element.arrow()).map_err(|error| springtide_plan::sql_error(&error))?;
        return Ok(Some((null, rest)));
    }
    let Some((own, rest)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
    else {
        return Ok(None);
    };
    Ok(from_binary(element, own)?.map(|value| (value, rest)))
}

fn take_word(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*word), rest))
}

/// The value of this type from its text.
pub(crate) fn from_text(sql_type: SqlType, text: &str) -> Result<ScalarValue> {
    let array = springtide_sql::parse_text(&StringArray::from(vec![text]), sql_type)?;
    ScalarValue::try_from_array(&array, 0).map_err(|error| springtide_plan::sql_error(&error))
}

fn of_fixed_size(sql_type: SqlType, bytes: &[u8]) -> Option<ScalarValue> {
    Some(match sql_type {
        SqlType::Boolean => ScalarValue::Boolean(Some(array::<1>(bytes)? != [0])),
        SqlType::Int2 => ScalarValue::Int16(Some(i16::from_be_bytes(array(bytes)?))),
        SqlType::Int4 => ScalarValue::Int32(Some(i32::from_be_bytes(array(bytes)?))),
        SqlType::Int8 => ScalarValue::Int64(Some(i64::from_be_bytes(array(bytes)?))),
        SqlType::Float4 => ScalarValue::Float32(Some(f32::from_be_bytes(array(bytes)?))),
        SqlType::Float8 => ScalarValue::Float64(Some(f64::from_be_bytes(array(bytes)?))),
        SqlType::Date => {
            let days = i32::from_be_bytes(array(bytes)?);
            let infinite = matches!(days, i32::MAX | i32::MIN);
            ScalarValue::Date32(Some(if infinite { days } else { days.checked_add(POSTGRES_EPOCH_DAYS)? }))
        }
        SqlType::Timestamp => ScalarValue::TimestampMicrosecond(Some(micros(bytes)?), None),
        SqlType::Timestamptz => {
            ScalarValue::TimestampMicrosecond(Some(micros(bytes)?), Some("+00:00".into()))
        }
        SqlType::Bytea => ScalarValue::Binary(Some(bytes.to_vec())),
        SqlType::Time => {
            let micros = i64::from_be_bytes(array(bytes)?);
            (0..=DAY_MICROS).contains(&micros).then_some(ScalarValue::Time64Microsecond(Some(micros)))?
        }
        SqlType::Timetz => ScalarValue::FixedSizeBinary(TIMETZ_BYTES, Some(timetz(bytes)?)),
        SqlType::Uuid => ScalarValue::FixedSizeBinary(UUID_BYTES, Some(array::<16>(bytes)?.to_vec())),
        SqlType::Interval => ScalarValue::IntervalMonthDayNano(Some(interval(bytes)?)),
        SqlType::Numeric(..) | SqlType::Text | SqlType::Varchar(_) => return None,
        SqlType::Json | SqlType::Jsonb | SqlType::Jsonpath => return None,
        SqlType::Enum(_) | SqlType::Array(_) => return None,
    })
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn micros(bytes: &[u8]) -> Option<i64> {
    match i64::from_be_bytes(array(bytes)?) {
        infinite @ (i64::MAX | i64::MIN) => Some(infinite),
        micros => micros.checked_add(POSTGRES_EPOCH_MICROS),
    }
}

fn interval(bytes: &[u8]) -> Option<IntervalMonthDayNano> {
    let (micros, rest) = bytes.split_first_chunk::<8>()?;
    let (days, months) = rest.split_first_chunk::<4>()?;
    let (months, days) = (i32::from_be_bytes(array(months)?), i32::from_be_bytes(*days));
    Interval::new(months, days, i64::from_be_bytes(*micros)).to_arrow().ok()
}

/// The time in microseconds, and the seconds west of UTC.
fn timetz(bytes: &[u8]) -> Option<Vec<u8>> {
    let (time, west) = bytes.split_first_chunk::<8>()?;
    let (time, west) = (i64::from_be_bytes(*time), i32::from_be_bytes(array(west)?));
    let fine = (0..=DAY_MICROS).contains(&time) && west.abs() < 16 * 3600;
    fine.then(|| TimeTz { time, east: -west }.to_bytes().to_vec())
}

/// The text of a binary `numeric`: base-10000 digits, of which `weight + 1` stand before the point.
fn numeric(bytes: &[u8]) -> Option<String> {
    let (header, digits) = bytes.split_first_chunk::<8>()?;
    let word = |at: usize| i16::from_be_bytes([header[at], header[at + 1]]);
    let (count, weight, sign, scale) = (word(0), word(2), word(4) as u16, word(6));
    if digits.len() != usize::from(count as u16) * 2 {
        return None;
    }
    let mut text = String::new();
    match sign {
        0 => {}
        0x4000 => text.push('-'),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    let group = |position: i32| {
        let at = usize::try_from(i32::from(weight) - position).ok().map(|index| index * 2);
        at.and_then(|at| digits.get(at..at + 2)).map_or(0, |pair| i16::from_be_bytes([pair[0], pair[1]]))
    };
    for position in (0..=i32::from(weight).max(0)).rev() {
        write!(text, "{:04}", group(position)).ok()?;
    }
    let mut decimals = String::new();
    for position in 1..=(i32::from(scale) + 3) / 4 {
        write!(decimals, "{:04}", group(-position)).ok()?;
    }
    decimals.truncate(usize::try_from(scale).ok()?);
    if !decimals.is_empty() {
        text.push('.');
        text.push_str(&decimals);
    }
    Some(text)
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes[error.valid_up_to()..].first().copied().unwrap_or_default();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {bad:#04x}");
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[i16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn binary_numeric_to_text() {
        let text = |given: &[i16]| numeric(&words(given));
        assert_eq!(text(&[2, 0, 0, 2, 123, 4500]).as_deref(), Some("0123.45"));
        assert_eq!(text(&[2, 0, 0x4000, 2, 123, 4500]).as_deref(), Some("-0123.45"));
        assert_eq!(text(&[0, 0, 0, 0]).as_deref(), Some("0000"));
        assert_eq!(text(&[1, 2, 0, 0, 1]).as_deref(), Some("000100000000"));
        assert_eq!(text(&[1, -2, 0, 5, 5000]).as_deref(), Some("0000.00005"));
        assert_eq!(text(&[1, -1, 0, 2, 1200]).as_deref(), Some("0000.12"));
        assert_eq!(text(&[0, 0, 0xC000_u16 as i16, 0]).as_deref(), Some("NaN"));
        assert_eq!(text(&[2, 0, 0, 2, 123]), None);
        assert_eq!(numeric(&[0, 1]), None);
    }

    #[test]
    fn binary_interval() {
        let bytes = [&1_500_000_i64.to_be_bytes()[..], &3_i32.to_be_bytes(), &14_i32.to_be_bytes()].concat();
        assert_eq!(interval(&bytes), Some(IntervalMonthDayNano::new(14, 3, 1_500_000_000)));
        assert_eq!(interval(&bytes[1..]), None);
    }
}

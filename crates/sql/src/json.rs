//! The texts of `json` and `jsonb`.
//!
//! A `jsonb` is kept as the text that PostgreSQL writes for it: the keys of an object by their length and then their bytes, each
//! once, numbers without exponents, a blank after each colon and comma. So equal values have equal texts, but for zeros at the
//! end of fractions, which PostgreSQL keeps and does not compare.

use std::fmt::Write;

use serde::de::IgnoredAny;
use serde_json::{Number, Value};
use springtide_types::{Result, SqlError, SqlState};

/// Digits that a number may have before or after its point: an exponent makes as many of few letters.
const MOST_DIGITS: i64 = 16_383;

/// What a text of JSON says. Of equal keys the last one counts.
pub(crate) fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| syntax(&error))
}

/// Fails with `22P02` unless the text is JSON.
pub(crate) fn check(text: &str) -> Result<()> {
    serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|error| syntax(&error))
}

/// The text of a `jsonb`.
pub(crate) fn canonical(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    write_value(&parse(text)?, &mut out)?;
    Ok(out)
}

/// The text of a value as a `jsonb`.
pub(crate) fn text_of(value: &Value) -> Result<String> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out)
}

/// A text as JSON has it, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn syntax(error: &serde_json::Error) -> SqlError {
    let error_text = error.to_string();
    if error_text.starts_with("recursion limit") {
        return SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "the JSON is nested too deeply");
    }
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
        .with_detail(error_text)
}

fn write_value(value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&digits(number)?),
        Value::String(text) => write_text(text, out)?,
        Value::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                write_value(element, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            out.push('{');
            for (position, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                write_text(key, out)?;
                out.push_str(": ");
                write_value(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) -> Result<()> {
    if text.contains('\0') {
        let error = SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
        return Err(error.with_detail("\\u0000 cannot be converted to text."));
    }
    out.push_str(&quoted(text));
    Ok(())
}

/// A number as a `numeric` is written: no exponent, no sign before zero, as many decimals as there were.
fn digits(number: &Number) -> Result<String> {
    let written = number.to_string();
    let (negative, unsigned) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written.as_str()),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() <= MOST_DIGITS);
    let exponent = exponent.ok_or_else(|| {
        SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
    })?;
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let decimals = (fraction.len() as i64 - exponent).max(0) as usize;
    let whole: String = match point {
        ..=0 => String::new(),
        _ => all.chars().chain(std::iter::repeat('0')).take(point as usize).collect(),
    };
    let fraction: String = match point {
        ..0 => format!("{}{all}", "0".repeat(point.unsigned_abs() as usize)),
        _ => all.chars().skip(point as usize).collect(),
    };
    let whole = whole.trim_start_matches('0');
    let is_zero = whole.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    let mut text = String::new();
    let sign = if negative && !is_zero { "-" } else { "" };
    write!(text, "{sign}{}", if whole.is_empty() { "0" } else { whole }).expect("writing to a String");
    if decimals > 0 {
        write!(text, ".{fraction:0<decimals$}").expect("writing to a String");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_as_postgres_writes_jsonb() {
        for (text, expected) in [
            (r#" {"bb":1,"a":[1,2,{}],"b":null,"a":true} "#, r#"{"a": true, "b": null, "bb": 1}"#),
            (r#"["é\u00e9\n\"\\\/\u0001",[]]"#, r#"["éé\n\"\\/\u0001", []]"#),
            (
                "[1.10, 1e2, 1.5e1, 12E-3, -0, -0.0, 1.0e1, 100e-1, 0e5, 1e-2]",
                "[1.10, 100, 15, 0.012, 0, 0.0, 10, 10.0, 0, 0.01]",
            ),
            ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
            ("\"x\"", "\"x\""),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
            assert_eq!(canonical(expected).as_deref(), Ok(expected));
        }
        let nested = "[".repeat(100_000);
        for (text, state) in [
            ("{a: 1}", "22P02"),
            ("", "22P02"),
            ("01", "22P02"),
            ("\"\\u0000\"", "22P05"),
            ("1e99999999", "22003"),
            (&nested, "54001"),
        ] {
            assert_eq!(canonical(text).unwrap_err().sqlstate.code(), state, "{text:.20}");
        }
    }
}

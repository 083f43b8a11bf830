//! The order of `jsonb`, and what is the same for equal values.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use serde_json::{Number, Value};
use springtide_types::Result;
use springtide_types::SqlType::{Bytea, Jsonb};

use super::super::typed::{Args, Gives, Typed, Variant, variant};
use super::{json_at, jsonb};
use crate::json::{parse, text_of};

const KEY: &[Variant; 1] = &[variant(&[Jsonb], Gives::One(Bytea), key)];
const UNIFORM: &[Variant; 1] = &[variant(&[Jsonb], Gives::One(Jsonb), uniform)];
static KEYS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::of_one("$jsonb_key", KEY, Bytea.arrow()));
static UNIFORMS: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Typed::of_one("$jsonb_uniform", UNIFORM, Jsonb.arrow()));

/// Bytes whose order is that of the values of a `jsonb`: equal ones are equal.
pub(crate) fn jsonb_key(value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(KEYS.clone(), vec![value]))
}

/// The `jsonb` in the one form that all equal ones have: without zeros at the end of fractions.
pub(crate) fn uniform_jsonb(value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(UNIFORMS.clone(), vec![value]))
}

/// What a key of [`jsonb_key`] stands for, in that one form; any other expression as it is.
pub(crate) fn value_of_jsonb_key(key: Expr) -> Expr {
    match key {
        Expr::ScalarFunction(mut call) if call.func == *KEYS && call.args.len() == 1 => {
            uniform_jsonb(call.args.remove(0))
        }
        other => other,
    }
}

fn key(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let keys = (0..args.rows).map(|row| json_at(&values, row).map(key_of).transpose());
    let keys = keys.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(keys.into_iter().collect::<BinaryArray>()))
}

fn key_of(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    match parse(text)? {
        // The empty array comes before all else, but only by itself.
        Value::Array(elements) if elements.is_empty() => out.push(0),
        value => write(&value, &mut out),
    }
    Ok(out)
}

/// Kinds in their order, lengths, then contents; no text contains what ends it.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(1),
        Value::String(text) => {
            out.push(2);
            write_text(text, out);
        }
        Value::Number(number) => {
            out.push(3);
            write_number(number, out);
        }
        Value::Bool(value) => out.extend([4, u8::from(*value)]),
        Value::Array(elements) => {
            out.push(5);
            out.extend((elements.len() as u32).to_be_bytes());
            elements.iter().for_each(|element| write(element, out));
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            out.push(6);
            out.extend((members.len() as u32).to_be_bytes());
            for (key, value) in members {
                write_text(key, out);
                write(value, out);
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend(text.as_bytes());
    out.push(0);
}

/// The sign, how many digits are before the point, and the digits; of a negative number all that by its complement.
fn write_number(number: &Number, out: &mut Vec<u8>) {
    let text = number.to_string();
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let point = whole.len() as i64 - (digits.len() - significant.len()) as i64;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return out.push(1);
    }
    out.push(if negative { 0 } else { 2 });
    let point = (point + i64::from(i32::MAX)) as u32;
    let bytes = point.to_be_bytes().into_iter().chain(significant.bytes()).chain([0]);
    out.extend(bytes.map(|byte| if negative { !byte } else { byte }));
}

fn uniform(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = (0..args.rows).map(|row| match json_at(&values, row) {
        // Most have no fraction.
        Some(text) if text.contains('.') => {
            let mut value = parse(text)?;
            trim(&mut value);
            text_of(&value).map(Some)
        }
        text => Ok(text.map(str::to_owned)),
    });
    rows.collect::<Result<Vec<_>>>().map(jsonb)
}

fn trim(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            if text.contains('.')
                && let Ok(shorter) = text.trim_end_matches('0').trim_end_matches('.').parse()
            {
                *number = shorter;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(trim),
        Value::Object(members) => members.values_mut().for_each(trim),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_jsonb() {
        let ascending = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"a b\"",
            "\"b\"",
            "-100",
            "-11",
            "-2",
            "-1.5",
            "-0.01",
            "0",
            "0.001",
            "0.01",
            "1",
            "1.05",
            "1.5",
            "9",
            "10",
            "11",
            "100",
            "false",
            "true",
            "[1]",
            "[2]",
            "[[]]",
            "[1, 0]",
            "{}",
            "{\"a\": 1}",
            "{\"b\": 0}",
            "{\"a\": 0, \"b\": 0}",
        ];
        let keys = ascending.iter().map(|text| key_of(text).unwrap()).collect::<Vec<_>>();
        for (pair, texts) in keys.windows(2).zip(ascending.windows(2)) {
            assert!(pair[0] < pair[1], "{texts:?}");
        }
        assert_eq!(key_of("1.0").unwrap(), key_of("1").unwrap());
        assert_eq!(key_of("[0.0, 10.50]").unwrap(), key_of("[0, 10.5]").unwrap());
    }
}

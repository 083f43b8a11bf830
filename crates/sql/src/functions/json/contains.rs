//! Whether a `jsonb` contains another, or a key.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use serde_json::Value;
use springtide_types::Result;

use super::super::typed::Args;
use super::json_at;
use crate::json::{parse, text_of};

/// `left @> right`
pub(super) fn contains(args: &Args<'_>) -> Result<ArrayRef> {
    compare(args, holds)
}

/// `left <@ right`
pub(super) fn contained(args: &Args<'_>) -> Result<ArrayRef> {
    compare(args, |left, right| holds(right, left))
}

fn compare(args: &Args<'_>, test: impl Fn(&Value, &Value) -> bool) -> Result<ArrayRef> {
    let (left, right) = (args.array(0)?, args.array(1)?);
    let rows = (0..args.rows).map(|row| {
        let (Some(left), Some(right)) = (json_at(&left, row), json_at(&right, row)) else { return Ok(None) };
        Ok(Some(test(&parse(left)?, &parse(right)?)))
    });
    Ok(Arc::new(rows.collect::<Result<BooleanArray>>()?))
}

/// An array also contains a scalar that is one of its elements, but only where that is the whole of the other value.
fn holds(outer: &Value, inner: &Value) -> bool {
    match (outer, inner) {
        (Value::Array(elements), scalar) if !scalar.is_array() && !scalar.is_object() => {
            elements.iter().any(|element| same(element, scalar))
        }
        _ => holds_inside(outer, inner),
    }
}

/// An object contains one whose members it contains, an array one each of whose elements is contained in one of its own.
fn holds_inside(outer: &Value, inner: &Value) -> bool {
    match (outer, inner) {
        (Value::Object(outer), Value::Object(inner)) => {
            inner.iter().all(|(key, inner)| outer.get(key).is_some_and(|outer| holds_inside(outer, inner)))
        }
        (Value::Array(outer), Value::Array(inner)) => {
            inner.iter().all(|inner| outer.iter().any(|outer| holds_inside(outer, inner)))
        }
        _ => same(outer, inner),
    }
}

/// Whether two scalars are equal. Numbers are by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => {
            let trimmed = |value: &Value| {
                let text = text_of(value).unwrap_or_default();
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            };
            trimmed(one) == trimmed(other)
        }
        _ => one == other,
    }
}

/// `value ? key`: a key of an object, or a string in an array.
pub(super) fn has_key(args: &Args<'_>) -> Result<ArrayRef> {
    let keys = args.text(1);
    let value = args.array(0)?;
    let rows = (0..args.rows).map(|row| {
        let (Some(text), Some(key)) = (json_at(&value, row), keys.get(row)) else { return Ok(None) };
        Ok(Some(has(&parse(text)?, key)))
    });
    Ok(Arc::new(rows.collect::<Result<BooleanArray>>()?))
}

/// `value ?| keys`
pub(super) fn has_any(args: &Args<'_>) -> Result<ArrayRef> {
    has_keys(args, |value, keys| keys.iter().flatten().any(|key| has(value, key)))
}

/// `value ?& keys`
pub(super) fn has_all(args: &Args<'_>) -> Result<ArrayRef> {
    has_keys(args, |value, keys| keys.iter().flatten().all(|key| has(value, key)))
}

fn has_keys(args: &Args<'_>, test: impl Fn(&Value, &[Option<String>]) -> bool) -> Result<ArrayRef> {
    let (value, keys) = (args.array(0)?, args.elements(1)?);
    let rows = (0..args.rows).map(|row| {
        let (Some(text), Some(keys)) = (json_at(&value, row), keys(row)) else { return Ok(None) };
        Ok(Some(test(&parse(text)?, &keys)))
    });
    Ok(Arc::new(rows.collect::<Result<BooleanArray>>()?))
}

fn has(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(members) => members.contains_key(key),
        Value::Array(elements) => elements.iter().any(|element| element.as_str() == Some(key)),
        scalar => scalar.as_str() == Some(key),
    }
}

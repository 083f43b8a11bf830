//! A `jsonb` with something more or less in it.

use arrow::array::{ArrayRef, AsArray, StringArray};
use serde_json::Value;
use springtide_types::{Result, SqlError, SqlState};
use std::sync::Arc;

use super::super::typed::Args;
use super::access::position;
use super::{json_at, jsonb};
use crate::json::{parse, quoted, text_of};

fn refuse<T>(message: &str) -> Result<T> {
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// For each row, what `change` makes of its value.
fn each(args: &Args<'_>, change: impl Fn(usize, Value) -> Result<Option<Value>>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = (0..args.rows).map(|row| {
        let Some(text) = json_at(&values, row) else { return Ok(None) };
        change(row, parse(text)?)?.map(|value| text_of(&value)).transpose()
    });
    Ok(jsonb(rows.collect::<Result<_>>()?))
}

/// `left || right`
pub(super) fn join(args: &Args<'_>) -> Result<ArrayRef> {
    let others = args.array(1)?;
    each(args, |row, left| {
        let Some(right) = json_at(&others, row) else { return Ok(None) };
        Ok(Some(match (left, parse(right)?) {
            (Value::Object(mut left), Value::Object(right)) => {
                left.extend(right);
                Value::Object(left)
            }
            (left, right) => {
                let elements = |value| match value {
                    Value::Array(elements) => elements,
                    other => vec![other],
                };
                let mut joined = elements(left);
                joined.extend(elements(right));
                Value::Array(joined)
            }
        }))
    })
}

/// `value - key`: without a member of an object, or the strings of an array that are equal to it.
pub(super) fn delete_key(args: &Args<'_>) -> Result<ArrayRef> {
    let keys = args.text(1);
    each(args, |row, mut value| {
        let Some(key) = keys.get(row) else { return Ok(None) };
        match &mut value {
            Value::Object(members) => drop(members.remove(key)),
            Value::Array(elements) => elements.retain(|element| element.as_str() != Some(key)),
            _ => return refuse("cannot delete from scalar"),
        }
        Ok(Some(value))
    })
}

/// `value - position`
pub(super) fn delete_element(args: &Args<'_>) -> Result<ArrayRef> {
    let positions = args.int4_or(1, 0)?;
    each(args, |row, mut value| {
        let Some(index) = positions.get(row) else { return Ok(None) };
        match &mut value {
            Value::Array(elements) => {
                if let Some(at) = position(&index.to_string(), elements.len()) {
                    elements.remove(at);
                }
            }
            Value::Object(_) => return refuse("cannot delete from object using integer index"),
            _ => return refuse("cannot delete from scalar"),
        }
        Ok(Some(value))
    })
}

/// `value #- path`
pub(super) fn delete_path(args: &Args<'_>) -> Result<ArrayRef> {
    let paths = args.elements(1)?;
    each(args, |row, mut value| {
        let Some(steps) = paths(row) else { return Ok(None) };
        if !value.is_array() && !value.is_object() {
            return refuse("cannot delete path in scalar");
        }
        if let Some((Some(last), before)) = steps.split_last() {
            match descend(&mut value, before) {
                Some(Value::Object(members)) => drop(members.remove(last)),
                Some(Value::Array(elements)) => {
                    if let Some(at) = position(last, elements.len()) {
                        elements.remove(at);
                    }
                }
                _ => {}
            }
        }
        Ok(Some(value))
    })
}

/// `jsonb_set(value, path, new_value [, create_if_missing])`
pub(super) fn set(args: &Args<'_>) -> Result<ArrayRef> {
    let (paths, others) = (args.elements(1)?, args.array(2)?);
    let create = if args.len() > 3 { Some(args.array(3)?) } else { None };
    each(args, |row, mut value| {
        let (Some(steps), Some(new)) = (paths(row), json_at(&others, row)) else { return Ok(None) };
        let create = match &create {
            Some(create) if create.is_null(row) => return Ok(None),
            Some(create) => create.as_boolean().value(row),
            None => true,
        };
        if !value.is_array() && !value.is_object() {
            return refuse("cannot set path in scalar");
        }
        let new = parse(new)?;
        if let Some((Some(last), before)) = steps.split_last() {
            match descend(&mut value, before) {
                Some(Value::Object(members)) if create || members.contains_key(last) => {
                    members.insert(last.clone(), new);
                }
                Some(Value::Array(elements)) => set_element(elements, last, new, create)?,
                _ => {}
            }
        }
        Ok(Some(value))
    })
}

/// Beyond the ends of an array, a new element is put at that end.
fn set_element(elements: &mut Vec<Value>, step: &str, new: Value, create: bool) -> Result<()> {
    let Ok(index) = step.parse::<i64>() else {
        let message = format!("path element at position 1 is not an integer: \"{step}\"");
        return Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
    };
    match position(step, elements.len()) {
        Some(at) => elements[at] = new,
        None if !create => {}
        None if index < 0 => elements.insert(0, new),
        None => elements.push(new),
    }
    Ok(())
}

fn descend<'a>(value: &'a mut Value, steps: &[Option<String>]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| {
        let step = step.as_ref()?;
        match value {
            Value::Object(members) => members.get_mut(step),
            Value::Array(elements) => position(step, elements.len()).map(|at| &mut elements[at]),
            _ => None,
        }
    })
}

/// `jsonb_strip_nulls(value)`: without the members that are null.
pub(super) fn strip_nulls(args: &Args<'_>) -> Result<ArrayRef> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(strip);
            }
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            _ => {}
        }
    }
    each(args, |_, mut value| {
        strip(&mut value);
        Ok(Some(value))
    })
}

/// `jsonb_pretty(value)`
pub(super) fn pretty(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = (0..args.rows).map(|row| {
        let Some(text) = json_at(&values, row) else { return Ok(None) };
        let mut out = String::new();
        write_pretty(&parse(text)?, 0, &mut out)?;
        Ok(Some(out))
    });
    Ok(Arc::new(StringArray::from(rows.collect::<Result<Vec<_>>>()?)))
}

fn write_pretty(value: &Value, depth: usize, out: &mut String) -> Result<()> {
    let line = |depth: usize| format!("\n{}", "    ".repeat(depth));
    match value {
        Value::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                out.push_str(&line(depth + 1));
                write_pretty(element, depth + 1, out)?;
            }
            out.push_str(&line(depth));
            out.push(']');
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            out.push('{');
            for (position, (key, member)) in members.into_iter().enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                out.push_str(&line(depth + 1));
                out.push_str(&quoted(key));
                out.push_str(": ");
                write_pretty(member, depth + 1, out)?;
            }
            out.push_str(&line(depth));
            out.push('}');
        }
        scalar => out.push_str(&text_of(scalar)?),
    }
    Ok(())
}

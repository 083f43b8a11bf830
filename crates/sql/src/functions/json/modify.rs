//! A `jsonb` with something more or less in it.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use serde_json::Value;
use springtide_types::{Result, SqlError, SqlState};
use std::sync::Arc;

use super::super::typed::Args;
use super::access::position;
use super::set_path::{Change, change_at};
use super::spans::{Kind, elements, kind, members};
use super::{json, json_at, jsonb};
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

/// `value - keys`
pub(super) fn delete_keys(args: &Args<'_>) -> Result<ArrayRef> {
    let keys = args.elements(1)?;
    each(args, |row, mut value| {
        let Some(keys) = keys(row) else { return Ok(None) };
        let is_wanted = |key: &str| keys.iter().any(|wanted| wanted.as_deref() == Some(key));
        match &mut value {
            Value::Object(members) => members.retain(|key, _| !is_wanted(key)),
            Value::Array(elements) => elements.retain(|element| !element.as_str().is_some_and(is_wanted)),
            _ => return refuse("cannot delete from scalar"),
        }
        Ok(Some(value))
    })
}

/// `value #- path`
pub(super) fn delete_path(args: &Args<'_>) -> Result<ArrayRef> {
    let paths = args.elements(1)?;
    each(args, |row, mut value| {
        let Some(path) = paths(row) else { return Ok(None) };
        if !value.is_array() && !value.is_object() {
            return refuse("cannot delete path in scalar");
        }
        if !is_empty(&value) {
            changed(&mut value, &path, &Value::Null, Change::Delete)?;
        }
        Ok(Some(value))
    })
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Makes a change at the end of a path, if that has a step.
fn changed(value: &mut Value, path: &[Option<String>], new: &Value, change: Change) -> Result<()> {
    if path.is_empty() { Ok(()) } else { change_at(value, path, 0, new, change) }
}

/// A boolean argument in a row, if it is given.
fn flag(args: &Args<'_>, position: usize, default: bool) -> Result<impl Fn(usize) -> Option<bool>> {
    let values = if position < args.len() { Some(args.array(position)?) } else { None };
    Ok(move |row| match &values {
        Some(values) => values.is_valid(row).then(|| values.as_boolean().value(row)),
        None => Some(default),
    })
}

/// `jsonb_set(value, path, new_value [, create_if_missing])`
pub(super) fn set(args: &Args<'_>) -> Result<ArrayRef> {
    let (paths, others, create) = (args.elements(1)?, args.array(2)?, flag(args, 3, true)?);
    each(args, |row, value| {
        let (Some(path), Some(new), Some(create)) = (paths(row), json_at(&others, row), create(row)) else {
            return Ok(None);
        };
        set_in(value, &path, &parse(new)?, create).map(Some)
    })
}

fn set_in(mut value: Value, path: &[Option<String>], new: &Value, create: bool) -> Result<Value> {
    if !value.is_array() && !value.is_object() {
        return refuse("cannot set path in scalar");
    }
    if is_empty(&value) && !create {
        return Ok(value);
    }
    changed(&mut value, path, new, if create { Change::Set } else { Change::Replace })?;
    Ok(value)
}

/// `jsonb_insert(value, path, new_value [, insert_after])`
pub(super) fn insert(args: &Args<'_>) -> Result<ArrayRef> {
    let (paths, others, after) = (args.elements(1)?, args.array(2)?, flag(args, 3, false)?);
    each(args, |row, mut value| {
        let (Some(path), Some(new), Some(after)) = (paths(row), json_at(&others, row), after(row)) else {
            return Ok(None);
        };
        if !value.is_array() && !value.is_object() {
            return refuse("cannot set path in scalar");
        }
        let change = if after { Change::InsertAfter } else { Change::InsertBefore };
        changed(&mut value, &path, &parse(new)?, change)?;
        Ok(Some(value))
    })
}

/// `jsonb_set_lax(value, path, new_value [, create_if_missing [, null_value_treatment]])`
pub(super) fn set_lax(args: &Args<'_>) -> Result<ArrayRef> {
    let (paths, others, create) = (args.elements(1)?, args.array(2)?, flag(args, 3, true)?);
    let treatments = args.text_or(4, "use_json_null");
    each(args, |row, mut value| {
        let (Some(path), Some(create)) = (paths(row), create(row)) else { return Ok(None) };
        let treatment = treatments.get(row);
        if let Some(new) = json_at(&others, row) {
            return set_in(value, &path, &parse(new)?, create).map(Some);
        }
        match treatment {
            Some("use_json_null") => set_in(value, &path, &Value::Null, create).map(Some),
            Some("delete_key") => {
                if !value.is_array() && !value.is_object() {
                    return refuse("cannot delete path in scalar");
                }
                changed(&mut value, &path, &Value::Null, Change::Delete)?;
                Ok(Some(value))
            }
            Some("return_target") => Ok(Some(value)),
            Some("raise_exception") => {
                let message = "JSON value must not be null";
                Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
                    .with_detail("Exception was raised because null_value_treatment is \"raise_exception\"."))
            }
            _ => refuse(
                "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \
                 \"raise_exception\"",
            ),
        }
    })
}

/// What `UPDATE ... SET value[subscript]... = new` makes of a value.
pub(super) fn assign(args: &Args<'_>) -> Result<ArrayRef> {
    let (values, paths, others) = (args.array(0)?, args.elements(1)?, args.array(2)?);
    let rows = (0..args.rows).map(|row| {
        let path = paths(row).unwrap_or_default();
        if path.iter().any(Option::is_none) {
            let message = "jsonb subscript in assignment must not be null";
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        let is_index = |step: &Option<String>| step.as_ref().is_some_and(|step| step.parse::<i32>().is_ok());
        let mut value = match json_at(&values, row) {
            Some(text) => parse(text)?,
            None if path.first().is_some_and(is_index) => Value::Array(Vec::new()),
            None => Value::Object(serde_json::Map::new()),
        };
        let new = json_at(&others, row).map_or(Ok(Value::Null), parse)?;
        changed(&mut value, &path, &new, Change::Assign)?;
        text_of(&value).map(Some)
    });
    Ok(jsonb(rows.collect::<Result<_>>()?))
}

/// `jsonb_strip_nulls(value [, strip_in_arrays])`: without the members that are null.
pub(super) fn strip_nulls(args: &Args<'_>) -> Result<ArrayRef> {
    fn strip(value: &mut Value, in_arrays: bool) {
        match value {
            Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(|member| strip(member, in_arrays));
            }
            Value::Array(elements) => {
                if in_arrays {
                    elements.retain(|element| !element.is_null());
                }
                elements.iter_mut().for_each(|element| strip(element, in_arrays));
            }
            _ => {}
        }
    }
    let in_arrays = flag(args, 1, false)?;
    each(args, |row, mut value| {
        let Some(in_arrays) = in_arrays(row) else { return Ok(None) };
        strip(&mut value, in_arrays);
        Ok(Some(value))
    })
}

/// `json_strip_nulls(value [, strip_in_arrays])`
pub(super) fn strip_nulls_json(args: &Args<'_>) -> Result<ArrayRef> {
    fn write(text: &str, in_arrays: bool, out: &mut String) {
        let mut first = true;
        let mut separate = |out: &mut String| out.push_str(if std::mem::take(&mut first) { "" } else { "," });
        match kind(text) {
            Kind::Object => {
                out.push('{');
                for (key, value) in members(text).filter(|(_, value)| kind(value) != Kind::Null) {
                    separate(out);
                    out.push_str(key);
                    out.push(':');
                    write(value, in_arrays, out);
                }
                out.push('}');
            }
            Kind::Array => {
                out.push('[');
                for value in elements(text).filter(|value| !in_arrays || kind(value) != Kind::Null) {
                    separate(out);
                    write(value, in_arrays, out);
                }
                out.push(']');
            }
            _ => out.push_str(text.trim()),
        }
    }
    let (values, in_arrays) = (args.array(0)?, flag(args, 1, false)?);
    let rows = (0..args.rows).map(|row| {
        let (text, in_arrays) = (json_at(&values, row)?, in_arrays(row)?);
        let mut out = String::with_capacity(text.len());
        write(text, in_arrays, &mut out);
        Some(out)
    });
    Ok(json(rows.collect()))
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

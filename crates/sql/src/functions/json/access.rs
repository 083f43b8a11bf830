//! What is inside JSON: members, elements, and what is at the end of a path.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use springtide_types::{Result, SqlError, SqlState};

use super::super::typed::Args;
use super::{json, json_at, jsonb};
use crate::json::{parse, text_of};

/// One step into JSON.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// Into an object.
    Key(&'a str),
    /// Into an array, from its end if negative.
    Index(i64),
    /// Into an object, or into an array if it is a number.
    Either(&'a str),
}

/// What is one step inside a value; the rest of the text is passed over.
fn step_into(text: &str, step: Step<'_>) -> Option<Value> {
    let mut source = serde_json::Deserializer::from_str(text);
    // The text is that of a value that was read before.
    step.deserialize(&mut source).ok().flatten()
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> std::result::Result<Option<Value>, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Option<Value>, A::Error> {
        let wanted = match self {
            Step::Key(key) | Step::Either(key) => Some(key),
            Step::Index(_) => None,
        };
        let mut found = None;
        while let Some(is_wanted) = members.next_key_seed(IsKey(wanted))? {
            if is_wanted {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> std::result::Result<Option<Value>, A::Error> {
        let index = match self {
            Step::Index(index) => Some(index),
            Step::Either(key) => key.parse().ok(),
            Step::Key(_) => None,
        };
        let Some(index) = index else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        if index < 0 {
            let mut all = Vec::new();
            while let Some(element) = elements.next_element::<Value>()? {
                all.push(element);
            }
            let position = all.len() as i64 + index;
            return Ok(usize::try_from(position).ok().map(|position| all.swap_remove(position)));
        }
        for _ in 0..index {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> std::result::Result<Option<Value>, E> {
        Ok(None)
    }
}

/// Whether a key is this one.
struct IsKey<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> std::result::Result<bool, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<bool, E> {
        Ok(self.0 == Some(key))
    }
}

/// What a path leads to.
fn follow(text: &str, steps: &[Option<String>]) -> Result<Option<Value>> {
    let mut steps = steps.iter();
    let Some(first) = steps.next() else { return parse(text).map(Some) };
    let Some(first) = first else { return Ok(None) };
    let mut value = step_into(text, Step::Either(first));
    for step in steps {
        let (Some(inner), Some(step)) = (value, step) else { return Ok(None) };
        value = match inner {
            Value::Object(mut members) => members.remove(step),
            Value::Array(mut elements) => position(step, elements.len()).map(|at| elements.swap_remove(at)),
            _ => None,
        };
    }
    Ok(value)
}

/// The position of an element that a step of a path names.
pub(super) fn position(step: &str, length: usize) -> Option<usize> {
    let index = step.parse::<i64>().ok()?;
    let position = if index < 0 { length as i64 + index } else { index };
    usize::try_from(position).ok().filter(|position| *position < length)
}

/// A value as a text: that of a JSON string, nothing for `null`, the JSON itself of others.
fn as_text(value: Value) -> Result<Option<String>> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(text_of(&other)?),
    })
}

fn as_json(value: Value) -> Result<Option<String>> {
    text_of(&value).map(Some)
}

/// For each row, what `find` finds in its JSON, in the form that `form` gives it.
fn each(
    args: &Args<'_>,
    find: impl Fn(usize, &str) -> Result<Option<Value>>,
    form: impl Fn(Value) -> Result<Option<String>>,
) -> Result<Vec<Option<String>>> {
    let values = args.array(0)?;
    let rows = (0..args.rows).map(|row| {
        let Some(text) = json_at(&values, row) else { return Ok(None) };
        find(row, text)?.map_or(Ok(None), &form)
    });
    rows.collect()
}

fn members(args: &Args<'_>, form: impl Fn(Value) -> Result<Option<String>>) -> Result<Vec<Option<String>>> {
    let keys = args.text(1);
    each(args, |row, text| Ok(keys.get(row).and_then(|key| step_into(text, Step::Key(key)))), form)
}

fn elements(args: &Args<'_>, form: impl Fn(Value) -> Result<Option<String>>) -> Result<Vec<Option<String>>> {
    let positions = args.int4_or(1, 0)?;
    let find = |row, text: &str| {
        Ok(positions.get(row).and_then(|position| step_into(text, Step::Index(position.into()))))
    };
    each(args, find, form)
}

fn at(args: &Args<'_>, form: impl Fn(Value) -> Result<Option<String>>) -> Result<Vec<Option<String>>> {
    let paths = args.elements(1)?;
    each(args, |row, text| paths(row).map_or(Ok(None), |steps| follow(text, &steps)), form)
}

fn extracted(args: &Args<'_>, form: impl Fn(Value) -> Result<Option<String>>) -> Result<Vec<Option<String>>> {
    let keys = (1..args.len()).map(|position| args.text(position)).collect::<Vec<_>>();
    let find = |row, text: &str| {
        let steps = keys.iter().map(|keys| keys.get(row).map(str::to_owned)).collect::<Vec<_>>();
        follow(text, &steps)
    };
    each(args, find, form)
}

fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

/// `jsonb -> text`
pub(super) fn member(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, as_json).map(jsonb)
}

/// `json -> text`
pub(super) fn member_json(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, as_json).map(json)
}

/// `->> text`
pub(super) fn member_text(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, as_text).map(texts)
}

/// `jsonb -> integer`
pub(super) fn element(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, as_json).map(jsonb)
}

/// `json -> integer`
pub(super) fn element_json(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, as_json).map(json)
}

/// `->> integer`
pub(super) fn element_text(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, as_text).map(texts)
}

/// `jsonb #> path`
pub(super) fn at_path(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, as_json).map(jsonb)
}

/// `json #> path`
pub(super) fn at_path_json(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, as_json).map(json)
}

/// `#>> path`
pub(super) fn at_path_text(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, as_text).map(texts)
}

/// `jsonb_extract_path(jsonb, key, ...)`
pub(super) fn extract(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, as_json).map(jsonb)
}

/// `json_extract_path(json, key, ...)`
pub(super) fn extract_json(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, as_json).map(json)
}

/// `jsonb_extract_path_text(jsonb, key, ...)`
pub(super) fn extract_text(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, as_text).map(texts)
}

/// `jsonb_typeof(jsonb)`
pub(super) fn type_of(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let name = |text: &str| match text.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    };
    let names = (0..args.rows).map(|row| json_at(&values, row).map(name));
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// `jsonb_array_length(jsonb)`
pub(super) fn length(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let refuse = |what: &str| {
        let message = format!("cannot get array length of {what}");
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
    };
    let lengths = (0..args.rows).map(|row| {
        let Some(text) = json_at(&values, row) else { return Ok(None) };
        match parse(text)? {
            Value::Array(elements) => Ok(Some(elements.len() as i32)),
            Value::Object(_) => refuse("a non-array"),
            _ => refuse("a scalar"),
        }
    });
    Ok(Arc::new(lengths.collect::<Result<Int32Array>>()?))
}

//! Objects of keys and values: `json_object` of arrays of texts, and what `json_object_agg` has collected.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use springtide_types::{Result, SqlError, SqlState};

use super::super::typed::Args;
use super::spans::elements;
use super::{json, jsonb};
use crate::json::{canonical, quoted};

type Pair = (Option<String>, Option<String>);

/// The text of an object.
fn object(pairs: impl Iterator<Item = Pair>) -> Result<String> {
    let members = pairs.map(|(key, value)| {
        let key = key.ok_or_else(|| {
            SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
        })?;
        Ok(format!("{} : {}", quoted(&key), value.map_or_else(|| "null".to_owned(), |value| quoted(&value))))
    });
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>>>()?.join(", ")))
}

fn pairs(args: &Args<'_>) -> Result<Vec<Option<String>>> {
    let lists = args.elements(0)?;
    let row = |row| {
        let Some(list) = lists(row) else { return Ok(None) };
        if !list.len().is_multiple_of(2) {
            let message = "array must have even number of elements";
            return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
        }
        object(list.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()))).map(Some)
    };
    (0..args.rows).map(row).collect()
}

fn keys_and_values(args: &Args<'_>) -> Result<Vec<Option<String>>> {
    let (keys, values) = (args.elements(0)?, args.elements(1)?);
    let row = |row| {
        let (Some(keys), Some(values)) = (keys(row), values(row)) else { return Ok(None) };
        if keys.len() != values.len() {
            return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions"));
        }
        object(keys.into_iter().zip(values)).map(Some)
    };
    (0..args.rows).map(row).collect()
}

fn as_jsonb(texts: Vec<Option<String>>) -> Result<ArrayRef> {
    let texts = texts.into_iter().map(|text| text.map(|text| canonical(&text)).transpose());
    texts.collect::<Result<Vec<_>>>().map(jsonb)
}

/// `jsonb_object(keys and values by turns)`
pub(super) fn of_pairs(args: &Args<'_>) -> Result<ArrayRef> {
    pairs(args).and_then(as_jsonb)
}

/// `json_object(keys and values by turns)`
pub(super) fn of_pairs_json(args: &Args<'_>) -> Result<ArrayRef> {
    pairs(args).map(json)
}

/// `jsonb_object(keys, values)`
pub(super) fn of_keys_and_values(args: &Args<'_>) -> Result<ArrayRef> {
    keys_and_values(args).and_then(as_jsonb)
}

/// `json_object(keys, values)`
pub(super) fn of_keys_and_values_json(args: &Args<'_>) -> Result<ArrayRef> {
    keys_and_values(args).map(json)
}

/// The objects of arrays of keys and values.
fn gather(args: &Args<'_>, once: bool, present: bool) -> Result<Vec<Option<String>>> {
    let lists = args.array(0)?;
    let lists = lists.as_list::<i32>();
    let row = |row: usize| {
        let pairs = lists.is_valid(row).then(|| lists.value(row));
        let Some(pairs) = pairs else { return Ok(None) };
        let (mut keys, mut members) = (HashSet::new(), Vec::new());
        for pair in pairs.as_binary::<i64>().iter().flatten() {
            let pair = std::str::from_utf8(pair).expect("a json is a text");
            let mut parts = elements(pair);
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            if once && !keys.insert(key.to_owned()) {
                let message = format!("duplicate JSON object key value: {key}");
                return Err(SqlError::new(SqlState::from_code("22030"), message));
            }
            if !present || value != "null" {
                members.push(format!("{key} : {value}"));
            }
        }
        Ok(Some(format!("{{ {} }}", members.join(", "))))
    };
    (0..args.rows).map(row).collect()
}

/// `jsonb_object_agg`
pub(super) fn gathered(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, false, false).and_then(as_jsonb)
}

/// `json_object_agg`
pub(super) fn gathered_json(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, false, false).map(json)
}

/// `jsonb_object_agg_unique`
pub(super) fn gathered_once(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, true, false).and_then(as_jsonb)
}

/// `json_object_agg_unique`
pub(super) fn gathered_once_json(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, true, false).map(json)
}

/// `jsonb_object_agg_unique_strict`: keys without a value are unique too.
pub(super) fn gathered_once_present(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, true, true).and_then(as_jsonb)
}

/// `json_object_agg_unique_strict`
pub(super) fn gathered_once_present_json(args: &Args<'_>) -> Result<ArrayRef> {
    gather(args, true, true).map(json)
}

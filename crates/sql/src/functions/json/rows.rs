//! What functions that return sets make rows of: arrays.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, LargeBinaryBuilder, LargeStringBuilder, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use springtide_types::{Result, SqlError, SqlState};

use super::super::typed::Args;
use super::json_at;
use super::spans::{Kind, as_text, elements as elements_of, kind, members, unquoted};

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// For each row the texts of its parts; those of a value that has none are refused.
fn parts<'a, T>(
    args: &Args<'_>,
    values: &'a ArrayRef,
    of: impl Fn(&'a str) -> Result<Vec<T>>,
) -> Result<Vec<Option<Vec<T>>>> {
    (0..args.rows).map(|row| json_at(values, row).map(&of).transpose()).collect()
}

/// Arrays of JSON, of the type that the argument has.
fn json_lists(values: &ArrayRef, rows: Vec<Option<Vec<&str>>>) -> ArrayRef {
    if *values.data_type() == DataType::LargeBinary {
        let mut lists = ListBuilder::new(LargeBinaryBuilder::new());
        rows.into_iter().for_each(|row| lists.append_option(row.map(|row| row.into_iter().map(Some))));
        return Arc::new(lists.finish());
    }
    let mut lists = ListBuilder::new(LargeStringBuilder::new());
    rows.into_iter().for_each(|row| lists.append_option(row.map(|row| row.into_iter().map(Some))));
    Arc::new(lists.finish())
}

fn text_lists(rows: Vec<Option<Vec<Option<Cow<'_, str>>>>>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    rows.into_iter().for_each(|row| lists.append_option(row));
    Arc::new(lists.finish())
}

fn array(text: &str) -> Result<impl Iterator<Item = &str>> {
    match kind(text) {
        Kind::Array => Ok(elements_of(text)),
        Kind::Object => refuse("cannot extract elements from an object"),
        _ => refuse("cannot extract elements from a scalar"),
    }
}

fn object(text: &str) -> Result<impl Iterator<Item = (&str, &str)>> {
    match kind(text) {
        Kind::Object => Ok(members(text)),
        Kind::Array => refuse("cannot deconstruct an array as an object"),
        _ => refuse("cannot deconstruct a scalar"),
    }
}

/// `jsonb_array_elements`
pub(super) fn elements(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = parts(args, &values, |text| array(text).map(Iterator::collect))?;
    Ok(json_lists(&values, rows))
}

/// `jsonb_array_elements_text`
pub(super) fn element_texts(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    parts(args, &values, |text| array(text)?.map(as_text).collect()).map(text_lists)
}

/// `jsonb_object_keys`
pub(super) fn keys(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let keys = |text| match kind(text) {
        Kind::Object => members(text).map(|(key, _)| unquoted(key).map(Some)).collect(),
        Kind::Array => refuse("cannot call jsonb_object_keys on an array"),
        _ => refuse("cannot call jsonb_object_keys on a scalar"),
    };
    parts(args, &values, keys).map(text_lists)
}

/// The keys of `jsonb_each`.
pub(super) fn each_key(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let keys = |text| object(text)?.map(|(key, _)| unquoted(key).map(Some)).collect();
    parts(args, &values, keys).map(text_lists)
}

/// The values of `jsonb_each`.
pub(super) fn each_value(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = parts(args, &values, |text| Ok(object(text)?.map(|(_, value)| value).collect()))?;
    Ok(json_lists(&values, rows))
}

/// The values of `jsonb_each_text`.
pub(super) fn each_text_value(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    parts(args, &values, |text| object(text)?.map(|(_, value)| as_text(value)).collect()).map(text_lists)
}

/// `jsonb_each` in a list: rows as texts.
pub(super) fn each(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let row = |(key, value)| Ok(Some(record([Some(unquoted(key)?), Some(Cow::Borrowed(value))])));
    parts(args, &values, |text| object(text)?.map(row).collect()).map(text_lists)
}

/// `jsonb_each_text` in a list: rows as texts.
pub(super) fn each_text(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let row = |(key, value)| Ok(Some(record([Some(unquoted(key)?), as_text(value)?])));
    parts(args, &values, |text| object(text)?.map(row).collect()).map(text_lists)
}

/// The text of a row.
fn record(fields: [Option<Cow<'_, str>>; 2]) -> Cow<'static, str> {
    let field = |field: &Option<Cow<'_, str>>| match field {
        None => String::new(),
        Some(text)
            if text.is_empty() || text.contains(|c: char| ",()\"\\".contains(c) || c.is_whitespace()) =>
        {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
        }
        Some(text) => text.clone().into_owned(),
    };
    Cow::Owned(format!("({})", fields.iter().map(field).collect::<Vec<_>>().join(",")))
}

/// The objects that `jsonb_to_recordset` makes rows of.
pub(super) fn records(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let objects = |text| {
        let elements = match kind(text) {
            Kind::Array => elements_of(text),
            Kind::Object => return refuse("cannot call jsonb_to_recordset on an object"),
            _ => return refuse("cannot call jsonb_to_recordset on a scalar"),
        };
        let objects = elements.map(|element| match kind(element) {
            Kind::Object => Ok(element),
            _ => refuse("argument of jsonb_to_recordset must be an array of objects"),
        });
        objects.collect()
    };
    let rows = parts(args, &values, objects)?;
    Ok(json_lists(&values, rows))
}

/// The one object that `jsonb_to_record` makes a row of.
pub(super) fn record_of(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let rows = parts(args, &values, |text| match kind(text) {
        Kind::Object => Ok(vec![text]),
        Kind::Array => refuse("cannot call jsonb_to_record on an array"),
        _ => refuse("cannot call jsonb_to_record on a scalar"),
    })?;
    Ok(json_lists(&values, rows))
}

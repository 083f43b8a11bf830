//! What is inside JSON: members, elements, and what is at the end of a path.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use springtide_types::{Result, SqlError, SqlState};

use super::super::typed::Args;
use super::spans::{
    Kind, as_text, element as element_of, elements as elements_of, kind, member as member_of,
};
use super::{json, json_at, jsonb};

/// What is at the end of a path.
fn follow<'a>(text: &'a str, steps: &[Option<String>]) -> Option<&'a str> {
    steps.iter().try_fold(text, |value, step| {
        let step = step.as_deref()?;
        match kind(value) {
            Kind::Object => member_of(value, step),
            Kind::Array => element_of(value, step.trim().parse().ok()?),
            _ => None,
        }
    })
}

/// The position of an element that a step of a path names.
pub(super) fn position(step: &str, length: usize) -> Option<usize> {
    let index = step.parse::<i64>().ok()?;
    let position = if index < 0 { length as i64 + index } else { index };
    usize::try_from(position).ok().filter(|position| *position < length)
}

/// The form of a result.
type Form = fn(&str) -> Result<Option<String>>;

fn text_form(value: &str) -> Result<Option<String>> {
    Ok(as_text(value)?.map(std::borrow::Cow::into_owned))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside the form of a text")]
fn json_form(value: &str) -> Result<Option<String>> {
    Ok(Some(value.to_owned()))
}

/// For each row, what `find` finds in its JSON.
fn each(
    args: &Args<'_>,
    find: impl for<'t> Fn(usize, &'t str) -> Option<&'t str>,
    form: Form,
) -> Result<Vec<Option<String>>> {
    let values = args.array(0)?;
    let rows = (0..args.rows).map(|row| match json_at(&values, row).and_then(|text| find(row, text)) {
        Some(found) => form(found),
        None => Ok(None),
    });
    rows.collect()
}

fn members(args: &Args<'_>, form: Form) -> Result<Vec<Option<String>>> {
    let keys = args.text(1);
    each(
        args,
        |row, text| match kind(text) {
            Kind::Object => keys.get(row).and_then(|key| member_of(text, key)),
            _ => None,
        },
        form,
    )
}

fn elements(args: &Args<'_>, form: Form) -> Result<Vec<Option<String>>> {
    let positions = args.int4_or(1, 0)?;
    each(
        args,
        |row, text| match kind(text) {
            Kind::Array => positions.get(row).and_then(|position| element_of(text, position.into())),
            _ => None,
        },
        form,
    )
}

fn at(args: &Args<'_>, form: Form) -> Result<Vec<Option<String>>> {
    let paths = args.elements(1)?;
    each(args, |row, text| paths(row).and_then(|steps| follow(text, &steps)), form)
}

fn extracted(args: &Args<'_>, form: Form) -> Result<Vec<Option<String>>> {
    let keys = (1..args.len()).map(|position| args.text(position)).collect::<Vec<_>>();
    each(
        args,
        |row, text| {
            let steps = keys.iter().map(|keys| keys.get(row).map(str::to_owned)).collect::<Vec<_>>();
            follow(text, &steps)
        },
        form,
    )
}

fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

/// `jsonb -> text`
pub(super) fn member(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, json_form).map(jsonb)
}

/// `json -> text`
pub(super) fn member_json(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, json_form).map(json)
}

/// `->> text`
pub(super) fn member_text(args: &Args<'_>) -> Result<ArrayRef> {
    members(args, text_form).map(texts)
}

/// `jsonb[text]`: a member, or the element of an array whose position the text is.
pub(super) fn member_or_element(args: &Args<'_>) -> Result<ArrayRef> {
    let steps = args.text(1);
    each(args, |row, text| steps.get(row).and_then(|step| follow(text, &[Some(step.to_owned())])), json_form)
        .map(jsonb)
}

/// `jsonb -> integer`
pub(super) fn element(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, json_form).map(jsonb)
}

/// `json -> integer`
pub(super) fn element_json(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, json_form).map(json)
}

/// `->> integer`
pub(super) fn element_text(args: &Args<'_>) -> Result<ArrayRef> {
    elements(args, text_form).map(texts)
}

/// `jsonb #> path`
pub(super) fn at_path(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, json_form).map(jsonb)
}

/// `json #> path`
pub(super) fn at_path_json(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, json_form).map(json)
}

/// `#>> path`
pub(super) fn at_path_text(args: &Args<'_>) -> Result<ArrayRef> {
    at(args, text_form).map(texts)
}

/// `jsonb_extract_path(jsonb, key, ...)`
pub(super) fn extract(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, json_form).map(jsonb)
}

/// `json_extract_path(json, key, ...)`
pub(super) fn extract_json(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, json_form).map(json)
}

/// `jsonb_extract_path_text(jsonb, key, ...)`
pub(super) fn extract_text(args: &Args<'_>) -> Result<ArrayRef> {
    extracted(args, text_form).map(texts)
}

/// `jsonb_typeof(jsonb)`
pub(super) fn type_of(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let name = |text: &str| match kind(text) {
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Null => "null",
        Kind::Number => "number",
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
        match kind(text) {
            Kind::Array => Ok(Some(elements_of(text).count() as i32)),
            Kind::Object => refuse("a non-array"),
            _ => refuse("a scalar"),
        }
    });
    Ok(Arc::new(lengths.collect::<Result<Int32Array>>()?))
}

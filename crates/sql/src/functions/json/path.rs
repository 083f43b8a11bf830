//! What a `jsonpath` leads to in a `jsonb`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, LargeStringBuilder, ListBuilder};
use serde_json::Value;
use springtide_types::{Result, SqlError, SqlState};

use super::super::typed::Args;
use super::{json_at, jsonb};
use crate::json::{parse, text_of};
use crate::jsonpath::{Evaluation, Failure, Item, JsonPath, Variables};

/// What stays the same from row to row is read once.
struct Parsed<T> {
    text: Option<String>,
    value: Option<T>,
}

impl<T> Parsed<T> {
    fn new() -> Parsed<T> {
        Parsed { text: None, value: None }
    }

    fn get(&mut self, text: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        if self.text.as_deref() != Some(text) {
            self.value = Some(parse(text)?);
            self.text = Some(text.to_owned());
        }
        self.value.as_ref().ok_or_else(|| SqlError::internal("a value that was parsed is gone"))
    }
}

/// How the functions differ.
#[derive(Clone, Copy)]
struct Manner {
    /// Whether failures are kept back where no argument says so.
    silent: bool,
    /// Whether what needs a time zone may have that of the session.
    zoned: bool,
}

const PLAIN: Manner = Manner { silent: false, zoned: false };
const ZONED: Manner = Manner { silent: false, zoned: true };
const SILENT: Manner = Manner { silent: true, zoned: false };

/// The results for a document, and why there are no more.
fn query<T>(
    args: &Args<'_>,
    manner: Manner,
    mut with: impl FnMut(&Evaluation<'_>, bool) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let (documents, paths) = (args.array(0)?, args.array(1)?);
    let variables = if args.len() > 2 { Some(args.array(2)?) } else { None };
    let silent = if args.len() > 3 { Some(args.array(3)?) } else { None };
    let (mut document, mut path, mut given) = (Parsed::new(), Parsed::new(), Parsed::new());
    let rows = (0..args.rows).map(|row| {
        let Some(text) = json_at(&documents, row) else { return Ok(None) };
        if paths.is_null(row) || variables.as_ref().is_some_and(|values| values.is_null(row)) {
            return Ok(None);
        }
        let silent = match &silent {
            Some(silent) if silent.is_null(row) => return Ok(None),
            Some(silent) => silent.as_boolean().value(row),
            None => manner.silent,
        };
        let path_text = std::str::from_utf8(paths.as_binary_view().value(row)).expect("a jsonpath is a text");
        let path = path.get(path_text, JsonPath::parse)?;
        let object = variables.as_ref().and_then(|values| json_at(values, row)).unwrap_or("{}");
        let given = given_variables(given_object(&mut given, object)?);
        let document = document.get(text, parse)?;
        with(&Evaluation::new(path, document, &given, manner.zoned), silent).map(Some)
    });
    rows.collect()
}

fn given_object<'a>(parsed: &'a mut Parsed<Value>, text: &str) -> Result<&'a Value> {
    parsed.get(text, |text| match parse(text)? {
        value @ Value::Object(_) => Ok(value),
        _ => {
            let error =
                SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object");
            Err(error
                .with_detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."))
        }
    })
}

fn given_variables(object: &Value) -> Variables<'_> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), Item::of(value))).collect()
}

/// `None` for a failure that is kept back.
fn kept_back<T>(outcome: Result<T, Failure>, silent: bool) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if silent && !failure.fatal => Ok(None),
        Err(failure) => Err(failure.error),
    }
}

/// All results; those before a failure that is kept back stay.
fn results<'a>(evaluation: &Evaluation<'a>, silent: bool) -> Result<Vec<Item<'a>>> {
    let (found, failure) = evaluation.all();
    kept_back(failure.map_or(Ok(()), Err), silent)?;
    Ok(found)
}

fn exists_as(args: &Args<'_>, manner: Manner) -> Result<ArrayRef> {
    let found = query(args, manner, |evaluation, silent| kept_back(evaluation.exists(), silent))?;
    Ok(Arc::new(found.into_iter().map(Option::flatten).collect::<BooleanArray>()))
}

fn matches_as(args: &Args<'_>, manner: Manner) -> Result<ArrayRef> {
    let found = query(args, manner, |evaluation, silent| {
        let found = results(evaluation, silent)?;
        match found.as_slice() {
            [Item::Json(value)] if value.is_boolean() => Ok(value.as_bool()),
            [Item::Json(value)] if value.is_null() => Ok(None),
            _ if silent => Ok(None),
            _ => Err(SqlError::new(SqlState::from_code("22038"), "single boolean result is expected")),
        }
    })?;
    Ok(Arc::new(found.into_iter().map(Option::flatten).collect::<BooleanArray>()))
}

fn all_as(args: &Args<'_>, manner: Manner) -> Result<ArrayRef> {
    let found = query(args, manner, |evaluation, silent| {
        let found = results(evaluation, silent)?.into_iter();
        found.map(|item| text_of(&item.into_json())).collect::<Result<Vec<_>>>()
    })?;
    let mut lists = ListBuilder::new(LargeStringBuilder::new());
    for row in found {
        lists.append_option(row.map(|texts| texts.into_iter().map(Some)));
    }
    Ok(Arc::new(lists.finish()))
}

fn array_as(args: &Args<'_>, manner: Manner) -> Result<ArrayRef> {
    let found = query(args, manner, |evaluation, silent| {
        let found = results(evaluation, silent)?.into_iter();
        text_of(&Value::Array(found.map(Item::into_json).collect()))
    })?;
    Ok(jsonb(found))
}

fn first_as(args: &Args<'_>, manner: Manner) -> Result<ArrayRef> {
    let found = query(args, manner, |evaluation, silent| {
        let first = results(evaluation, silent)?.into_iter().next();
        first.map(|item| text_of(&item.into_json())).transpose()
    })?;
    Ok(jsonb(found.into_iter().map(Option::flatten).collect()))
}

/// `jsonb_path_exists(target, path [, vars [, silent]])`
pub(super) fn exists(args: &Args<'_>) -> Result<ArrayRef> {
    exists_as(args, PLAIN)
}

/// `jsonb_path_exists_tz`
pub(super) fn exists_tz(args: &Args<'_>) -> Result<ArrayRef> {
    exists_as(args, ZONED)
}

/// `target @? path`
pub(super) fn exists_silently(args: &Args<'_>) -> Result<ArrayRef> {
    exists_as(args, SILENT)
}

/// `jsonb_path_match(target, path [, vars [, silent]])`
pub(super) fn matches(args: &Args<'_>) -> Result<ArrayRef> {
    matches_as(args, PLAIN)
}

/// `jsonb_path_match_tz`
pub(super) fn matches_tz(args: &Args<'_>) -> Result<ArrayRef> {
    matches_as(args, ZONED)
}

/// `target @@ path`
pub(super) fn matches_silently(args: &Args<'_>) -> Result<ArrayRef> {
    matches_as(args, SILENT)
}

/// What `jsonb_path_query` makes rows of.
pub(super) fn all(args: &Args<'_>) -> Result<ArrayRef> {
    all_as(args, PLAIN)
}

/// What `jsonb_path_query_tz` makes rows of.
pub(super) fn all_tz(args: &Args<'_>) -> Result<ArrayRef> {
    all_as(args, ZONED)
}

/// `jsonb_path_query_array`
pub(super) fn array(args: &Args<'_>) -> Result<ArrayRef> {
    array_as(args, PLAIN)
}

/// `jsonb_path_query_array_tz`
pub(super) fn array_tz(args: &Args<'_>) -> Result<ArrayRef> {
    array_as(args, ZONED)
}

/// `jsonb_path_query_first`
pub(super) fn first(args: &Args<'_>) -> Result<ArrayRef> {
    first_as(args, PLAIN)
}

/// `jsonb_path_query_first_tz`
pub(super) fn first_tz(args: &Args<'_>) -> Result<ArrayRef> {
    first_as(args, ZONED)
}

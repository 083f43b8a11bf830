//! JSON_VALUE, JSON_QUERY and JSON_EXISTS.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringArray, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;
use springtide_types::{SqlError, SqlState, SqlType};

use super::super::field::{self, type_of_text};
use super::passed::Passed;
use super::text::{check_type, text_at};
use crate::errors::external;
use crate::input::parse_text;
use crate::json::{parse, text_of};
use crate::jsonpath::{Evaluation, Item, JsonPath, Variables};
use crate::sql_json::{Behavior, EXISTS, Options, QUERY, VALUE, Wrapper};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [(VALUE, Kind::Value), (QUERY, Kind::Query), (EXISTS, Kind::Exists)]
        .map(|(name, kind)| {
            let signature = Signature::variadic_any(Volatility::Immutable);
            Arc::new(ScalarUDF::from(PathFunction { name, kind, signature }))
        })
        .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Value,
    Query,
    Exists,
}

/// The arguments: the document, the path, the options, the defaults on empty and on error, the values of PASSING.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PathFunction {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

const OPTIONS: usize = 2;
const ON_EMPTY: usize = 3;
const ON_ERROR: usize = 4;
const PASSED: usize = 5;

/// What comes of a row.
enum Found {
    Null,
    Bool(bool),
    /// A text for the input function of the type.
    Text(String),
    /// JSON that is to become a value of the type.
    Json(String),
    /// The value of a default, by its argument.
    Default(usize),
}

type RowResult = std::result::Result<Found, SqlError>;

impl PathFunction {
    fn gives(&self, options: &Options) -> springtide_types::Result<SqlType> {
        match (&options.returning, self.kind) {
            (Some(declared), _) => type_of_text(declared),
            (None, Kind::Value) => Ok(SqlType::Text),
            (None, Kind::Query) => Ok(SqlType::Jsonb),
            (None, Kind::Exists) => Ok(SqlType::Boolean),
        }
    }

    /// What the path finds in a row, before it gets its type.
    fn found(&self, items: Vec<Item<'_>>, options: &Options, sql_type: SqlType) -> RowResult {
        if items.is_empty() {
            return self.behave(options.on_empty, ON_EMPTY, || {
                SqlError::new(SqlState::from_code("22035"), "no SQL/JSON item found for specified path")
            });
        }
        match self.kind {
            Kind::Value => one_scalar(items, sql_type),
            _ => one_value(items, options, sql_type),
        }
    }

    fn behave(&self, behavior: Behavior, argument: usize, error: impl FnOnce() -> SqlError) -> RowResult {
        Ok(match behavior {
            Behavior::Null => Found::Null,
            Behavior::Error => return Err(error()),
            Behavior::True => Found::Bool(true),
            Behavior::False => Found::Bool(false),
            Behavior::EmptyArray => Found::Json("[]".to_owned()),
            Behavior::EmptyObject => Found::Json("{}".to_owned()),
            Behavior::Default => Found::Default(argument),
        })
    }
}

fn several(message: &str) -> SqlError {
    SqlError::new(SqlState::from_code("22034"), message)
}

/// The one scalar that JSON_VALUE looks for.
fn one_scalar(items: Vec<Item<'_>>, sql_type: SqlType) -> RowResult {
    let [item] = <[Item<'_>; 1]>::try_from(items)
        .map_err(|_| several("JSON path expression in JSON_VALUE must return single scalar item"))?;
    if item.is_container() {
        let message = "JSON path expression in JSON_VALUE must return single scalar item";
        return Err(SqlError::new(SqlState::from_code("2203F"), message));
    }
    if let (Item::Datetime(moment), false) = (&item, matches!(sql_type, SqlType::Json | SqlType::Jsonb)) {
        return Ok(Found::Text(moment.sql_text()));
    }
    let value = item.into_json();
    if value.is_null() {
        return Ok(Found::Null);
    }
    if matches!(sql_type, SqlType::Json | SqlType::Jsonb) {
        return text_of(&value).map(Found::Json);
    }
    Ok(Found::Text(match value {
        Value::String(text) => text,
        Value::Bool(value) => if value { "t" } else { "f" }.to_owned(),
        other => text_of(&other)?,
    }))
}

/// The one value that JSON_QUERY looks for, or the array of all.
fn one_value(items: Vec<Item<'_>>, options: &Options, sql_type: SqlType) -> RowResult {
    let wraps = match options.wrapper {
        Wrapper::Always => true,
        Wrapper::Conditional => items.len() > 1,
        Wrapper::Without => false,
    };
    let mut values = items.into_iter().map(Item::into_json).collect::<Vec<_>>();
    let value = match values.pop() {
        Some(value) if values.is_empty() && !wraps => value,
        Some(value) if wraps => {
            values.push(value);
            Value::Array(values)
        }
        _ => {
            let message =
                "JSON path expression in JSON_QUERY must return single item when no wrapper is requested";
            return Err(several(message)
                .with_hint("Use the WITH WRAPPER clause to wrap SQL/JSON items into an array."));
        }
    };
    match value {
        Value::String(text) if options.omit_quotes => Ok(Found::Text(text)),
        Value::Null
            if !matches!(sql_type, SqlType::Json | SqlType::Jsonb | SqlType::Text | SqlType::Varchar(_)) =>
        {
            Ok(Found::Null)
        }
        value => text_of(&value).map(Found::Json),
    }
}

/// The value of a type that was found.
fn converted(found: &Found, sql_type: SqlType) -> springtide_types::Result<ArrayRef> {
    match found {
        Found::Text(text) => parse_text(&StringArray::from(vec![text.as_str()]), sql_type),
        // The elements of an array are converted one by one; the text of all else is read as it stands.
        Found::Json(text) => match sql_type {
            SqlType::Array(_) if !text.starts_with('[') => {
                Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array"))
            }
            SqlType::Array(_) => field::typed(std::iter::once(Some(text.as_str())), sql_type),
            _ => parse_text(&StringArray::from(vec![text.as_str()]), sql_type),
        },
        Found::Bool(value) => Ok(Arc::new(BooleanArray::from(vec![*value]))),
        Found::Null | Found::Default(_) => Ok(new_null_array(&sql_type.arrow(), 1)),
    }
}

impl ScalarUDFImpl for PathFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of {} stands in an argument", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let declared = || {
            let options = Options::of(args.scalar_arguments[OPTIONS])?;
            check_type(args.arg_fields[0].data_type())?;
            match args.arg_fields[1].data_type() {
                DataType::Utf8 | DataType::BinaryView | DataType::Null => {}
                _ => {
                    let message = "JSON path expression must be of type jsonpath";
                    return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
                }
            }
            self.gives(&options)
        };
        Ok(Arc::new(Field::new(self.name, declared().map_err(external)?.arrow(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(options) = &args.args[OPTIONS] else {
            return datafusion::common::internal_err!("the options of {} are constant", self.name);
        };
        let options = Options::of(Some(options)).map_err(external)?;
        let sql_type = self.gives(&options).map_err(external)?;
        let columns =
            args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        self.rows(&columns, args.number_rows, &options, sql_type).map(ColumnarValue::Array).map_err(external)
    }
}

impl PathFunction {
    fn rows(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        options: &Options,
        sql_type: SqlType,
    ) -> springtide_types::Result<ArrayRef> {
        let passed = columns[PASSED..].iter().map(|column| Passed::new(column.clone()));
        let passed = passed.collect::<springtide_types::Result<Vec<_>>>()?;
        let mut path: Option<(String, JsonPath)> = None;
        let mut values = Vec::with_capacity(rows);
        // Where the value of each row is: among the values, or in the column of a default.
        let mut places = Vec::with_capacity(rows);
        for row in 0..rows {
            let (document, text) = (text_at(&columns[0], row)?, text_at(&columns[1], row)?);
            let (Some(document), Some(text)) = (document, text) else {
                places.push((0, values.len()));
                values.push(new_null_array(&sql_type.arrow(), 1));
                continue;
            };
            if path.as_ref().is_none_or(|(known, _)| *known != text) {
                path = Some((text.clone().into_owned(), JsonPath::parse(&text)?));
            }
            let Some((_, path)) = &path else { return Err(SqlError::internal("the path was parsed")) };
            let variables = options.names.iter().zip(&passed);
            let variables = variables.map(|(name, values)| Ok((name.as_str(), values.item(row)?)));
            let variables = variables.collect::<springtide_types::Result<Variables<'_>>>()?;
            let (found, value) = self.row(&parse(&document)?, path, &variables, options, sql_type)?;
            match found {
                Found::Default(argument) => places.push((argument, row)),
                _ => {
                    places.push((0, values.len()));
                    values.push(value);
                }
            }
        }
        let defaults = &columns[ON_EMPTY..=ON_ERROR];
        gathered(values, defaults, places, sql_type)
    }

    /// What comes of a document, and its value unless it is that of a default.
    fn row(
        &self,
        document: &Value,
        path: &JsonPath,
        variables: &Variables<'_>,
        options: &Options,
        sql_type: SqlType,
    ) -> springtide_types::Result<(Found, ArrayRef)> {
        let evaluation = Evaluation::new(path, document, variables, true);
        let outcome = match self.kind {
            Kind::Exists => {
                evaluation.exists().map(Found::Bool).map_err(|failure| (failure.error, failure.fatal))
            }
            _ => match evaluation.all() {
                (items, None) if items.is_empty() => {
                    // What comes of nothing fails for good.
                    let found = self.found(items, options, sql_type)?;
                    let value = converted(&found, sql_type)?;
                    return Ok((found, value));
                }
                (items, None) => self.found(items, options, sql_type).map_err(|error| (error, false)),
                (_, Some(failure)) => Err((failure.error, failure.fatal)),
            },
        };
        let outcome = outcome.and_then(|found| match converted(&found, sql_type) {
            Ok(value) => Ok((found, value)),
            Err(error) => Err((error, false)),
        });
        match outcome {
            Ok(found) => Ok(found),
            Err((error, true)) => Err(error),
            Err((error, false)) => {
                let found = self.behave(options.on_error, ON_ERROR, || error)?;
                let value = converted(&found, sql_type)?;
                Ok((found, value))
            }
        }
    }
}

/// The values of all rows, of which some are defaults.
fn gathered(
    values: Vec<ArrayRef>,
    defaults: &[ArrayRef],
    places: Vec<(usize, usize)>,
    sql_type: SqlType,
) -> springtide_types::Result<ArrayRef> {
    let wrong = |error: arrow::error::ArrowError| springtide_plan::arrow_error(&error);
    let parts = values.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>();
    let values = match parts.as_slice() {
        [] => new_null_array(&sql_type.arrow(), 0),
        parts => arrow::compute::concat(parts).map_err(wrong)?,
    };
    if places.iter().all(|(place, _)| *place == 0) {
        return Ok(values);
    }
    let default = |column: &ArrayRef| match column.data_type() {
        DataType::Null => Ok(new_null_array(&sql_type.arrow(), column.len())),
        _ => crate::convert::convert(column, sql_type, crate::convert::Context::Explicit),
    };
    let defaults = defaults.iter().map(default).collect::<springtide_types::Result<Vec<_>>>()?;
    let sources: [&dyn Array; 3] = [&values, &defaults[0], &defaults[1]];
    let place = |(place, at): (usize, usize)| (if place == 0 { 0 } else { place - ON_EMPTY + 1 }, at);
    interleave(&sources, &places.into_iter().map(place).collect::<Vec<_>>()).map_err(wrong)
}

//! JSON of SQL values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::{json, json_at, jsonb};
use crate::convert::format_text;
use crate::errors::external;
use crate::json::{canonical, quoted};
use crate::jsonpath::Datetime;
use crate::lists::{compact, range};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    use Shape::*;
    [
        ("to_json", Value, SqlType::Json),
        ("to_jsonb", Value, SqlType::Jsonb),
        ("array_to_json", Value, SqlType::Json),
        ("row_to_json", Value, SqlType::Json),
        (PRETTY_ARRAY, PrettyArray, SqlType::Json),
        (ROW, Row, SqlType::Json),
        (PRETTY_ROW, PrettyRow, SqlType::Json),
        ("$json_build_array_variadic", ArrayOf, SqlType::Json),
        ("$jsonb_build_array_variadic", ArrayOf, SqlType::Jsonb),
        ("$json_build_object_variadic", ObjectOf, SqlType::Json),
        ("$jsonb_build_object_variadic", ObjectOf, SqlType::Jsonb),
        ("$json_agg", Gathered, SqlType::Json),
        ("$jsonb_agg", Gathered, SqlType::Jsonb),
        ("$json_agg_strict", Present, SqlType::Json),
        ("$jsonb_agg_strict", Present, SqlType::Jsonb),
        ("$json_pair", Pair, SqlType::Json),
        ("$json_pair_strict", PresentPair, SqlType::Json),
        ("$jsonb_pair", Pair, SqlType::Json),
        ("$jsonb_pair_strict", PresentPair, SqlType::Json),
        ("json_build_array", Array, SqlType::Json),
        ("jsonb_build_array", Array, SqlType::Jsonb),
        ("json_build_object", Object, SqlType::Json),
        ("jsonb_build_object", Object, SqlType::Jsonb),
    ]
    .map(|(name, shape, gives)| Arc::new(ScalarUDF::from(Build::new(name, shape, gives))))
    .into()
}

/// `array_to_json(array, true)`: with each element on a line.
pub(crate) const PRETTY_ARRAY: &str = "$array_to_json_pretty";
/// `to_json`
pub(crate) fn as_json() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Build::new("to_json", Shape::Value, SqlType::Json)))
}

/// A row, of names and values by turns.
pub(crate) const ROW: &str = "$row";
/// `row_to_json(row, true)`: with each field on a line.
pub(crate) const PRETTY_ROW: &str = "$row_pretty";

/// What is made of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// The one argument.
    Value,
    Array,
    /// Of keys and values by turns.
    Object,
    Row,
    PrettyRow,
    PrettyArray,
    /// Of the elements of the one argument.
    ArrayOf,
    /// Of the elements of the one argument, keys and values by turns.
    ObjectOf,
    /// What an aggregate has collected.
    Gathered,
    /// The same without NULLs.
    Present,
    Pair,
    /// A pair, unless its value is NULL.
    PresentPair,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Build {
    name: &'static str,
    shape: Shape,
    gives: SqlType,
    signature: Signature,
}

impl Build {
    fn new(name: &'static str, shape: Shape, gives: SqlType) -> Build {
        let arguments = match shape {
            Shape::Value | Shape::PrettyArray | Shape::ArrayOf | Shape::ObjectOf => TypeSignature::Any(1),
            Shape::Gathered | Shape::Present => TypeSignature::Any(1),
            Shape::Pair | Shape::PresentPair => TypeSignature::Any(2),
            _ => TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]),
        };
        Build { name, shape, gives, signature: Signature::new(arguments, Volatility::Immutable) }
    }

    fn row(&self, values: &[Values], row: usize) -> Result<Option<String>, SqlError> {
        let text = match self.shape {
            Shape::Value => match values[0].json(row) {
                Some(text) => text,
                None => return Ok(None),
            },
            Shape::Array => format!("[{}]", all(values, row).join(", ")),
            Shape::Object => object(values, row, self.gives)?,
            Shape::Row => format!("{{{}}}", fields(values, row).join(",")),
            Shape::PrettyRow => format!("{{{}}}", fields(values, row).join(",\n ")),
            Shape::PrettyArray | Shape::ArrayOf | Shape::Gathered | Shape::Present | Shape::ObjectOf => {
                let Some(elements) = values[0].elements(row, self.shape != Shape::Present) else {
                    return Ok(None);
                };
                match self.shape {
                    Shape::PrettyArray => format!("[{}]", elements.join(",\n ")),
                    Shape::Gathered | Shape::Present if values[0].is_structured() => {
                        format!("[{}]", elements.join(", \n "))
                    }
                    Shape::ObjectOf => object_of(&elements, self.gives)?,
                    _ => format!("[{}]", elements.join(", ")),
                }
            }
            Shape::PresentPair if values[1].json(row).is_none() => return Ok(None),
            Shape::Pair | Shape::PresentPair => {
                let is_jsonb = self.name.starts_with("$jsonb");
                let gives = if is_jsonb { SqlType::Jsonb } else { SqlType::Json };
                let missing = || null_key("field name must not be null".to_owned(), gives);
                let key = values[0].text(row).ok_or_else(missing)?;
                let value = values[1].json(row).unwrap_or_else(|| "null".to_owned());
                format!("[{}, {value}]", quoted(&key))
            }
        };
        if self.gives == SqlType::Jsonb { canonical(&text).map(Some) } else { Ok(Some(text)) }
    }
}

/// The members of a row, of names and values by turns.
fn fields(values: &[Values], row: usize) -> Vec<String> {
    let field = |pair: &[Values]| {
        let name = pair[0].text(row).unwrap_or_default();
        format!("{}:{}", quoted(&name), pair[1].json(row).unwrap_or_else(|| "null".to_owned()))
    };
    values.chunks_exact(2).map(field).collect()
}

fn odd_arguments() -> SqlError {
    let hint = "The arguments of json_build_object() must consist of alternating keys and values.";
    let message = "argument list must have even number of elements";
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(hint)
}

/// PostgreSQL has one SQLSTATE for this in `json` and another in `jsonb`.
fn null_key(message: String, gives: SqlType) -> SqlError {
    let state = match gives {
        SqlType::Jsonb => SqlState::INVALID_PARAMETER_VALUE,
        _ => SqlState::NULL_VALUE_NOT_ALLOWED,
    };
    SqlError::new(state, message)
}

fn null_argument(position: usize, gives: SqlType) -> SqlError {
    null_key(format!("argument {position}: key must not be null"), gives)
}

/// The object of the elements of an array.
fn object_of(elements: &[String], gives: SqlType) -> Result<String, SqlError> {
    if !elements.len().is_multiple_of(2) {
        return Err(odd_arguments());
    }
    let members = elements.chunks(2).enumerate().map(|(position, pair)| match pair[0].as_str() {
        "null" => Err(null_argument(2 * position + 1, gives)),
        key if key.starts_with('"') => Ok(format!("{key} : {}", pair[1])),
        key => Ok(format!("{} : {}", quoted(key), pair[1])),
    });
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>, _>>()?.join(", ")))
}

fn all(values: &[Values], row: usize) -> Vec<String> {
    values.iter().map(|value| value.json(row).unwrap_or_else(|| "null".to_owned())).collect()
}

fn object(values: &[Values], row: usize, gives: SqlType) -> Result<String, SqlError> {
    if !values.len().is_multiple_of(2) {
        return Err(odd_arguments());
    }
    let members = values.chunks(2).enumerate().map(|(position, pair)| {
        if !pair[0].is_scalar() {
            let message = "key value must be scalar, not array, composite, or json";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let key = pair[0].text(row).ok_or_else(|| null_argument(2 * position + 1, gives))?;
        let value = pair[1].json(row).unwrap_or_else(|| "null".to_owned());
        Ok(format!("{} : {value}", quoted(&key)))
    });
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>, SqlError>>()?.join(", ")))
}

/// The values of an argument.
pub(super) enum Values {
    /// Numbers and booleans, and texts if `quoted`.
    Texts {
        texts: arrow::array::StringArray,
        quoted: bool,
    },
    Json(ArrayRef),
    Lists(ListArray, Box<Values>),
}

impl Values {
    pub(super) fn is_scalar(&self) -> bool {
        matches!(self, Values::Texts { .. })
    }

    /// Whether the elements are arrays or rows.
    fn is_structured(&self) -> bool {
        matches!(self, Values::Lists(_, elements) if !elements.is_scalar())
    }

    /// The elements of an array; `None` for NULL.
    fn elements(&self, row: usize, with_nulls: bool) -> Option<Vec<String>> {
        let Values::Lists(lists, elements) = self else { return None };
        let null = || with_nulls.then(|| "null".to_owned());
        let element = |at| elements.json(at).or_else(null);
        lists.is_valid(row).then(|| range(lists, row).filter_map(element).collect())
    }

    pub(super) fn new(array: &ArrayRef) -> Result<Values, SqlError> {
        Ok(match array.data_type() {
            DataType::LargeUtf8 | DataType::LargeBinary => Values::Json(array.clone()),
            DataType::List(_) => {
                let lists = compact(array.as_list())?;
                let elements = Values::new(lists.values())?;
                Values::Lists(lists, Box::new(elements))
            }
            DataType::Boolean => {
                let words = array.as_boolean().iter();
                let texts = words.map(|value| value.map(|value| if value { "true" } else { "false" }));
                Values::Texts { texts: texts.collect(), quoted: false }
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                // ISO 8601, whatever the style of the session is.
                let text = |micros| match zone {
                    Some(_) => Datetime::zoned(micros).to_string(),
                    None => Datetime::Timestamp(micros).to_string(),
                };
                let texts = array.as_primitive::<TimestampMicrosecondType>().iter();
                Values::Texts { texts: texts.map(|micros| micros.map(text)).collect(), quoted: true }
            }
            DataType::Date32 => {
                let texts = array.as_primitive::<Date32Type>().iter();
                let text = |days| Datetime::Date(days).to_string();
                Values::Texts { texts: texts.map(|days| days.map(text)).collect(), quoted: true }
            }
            data_type => Values::Texts { texts: format_text(array)?, quoted: !is_number(data_type) },
        })
    }

    pub(super) fn json(&self, row: usize) -> Option<String> {
        match self {
            Values::Json(array) => json_at(array, row).map(str::to_owned),
            Values::Lists(..) => self.elements(row, true).map(|elements| format!("[{}]", elements.join(","))),
            Values::Texts { texts, .. } if texts.is_null(row) => None,
            Values::Texts { texts, quoted: true } => Some(quoted(texts.value(row))),
            // Infinity and NaN are no numbers of JSON.
            Values::Texts { texts, .. } => Some(match texts.value(row) {
                special @ ("NaN" | "Infinity" | "-Infinity") => quoted(special),
                text => text.to_owned(),
            }),
        }
    }

    pub(super) fn text(&self, row: usize) -> Option<String> {
        match self {
            Values::Json(array) => json_at(array, row).map(str::to_owned),
            Values::Lists(..) => self.json(row),
            Values::Texts { texts, .. } => texts.is_valid(row).then(|| texts.value(row).to_owned()),
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || data_type.is_decimal()
}

impl ScalarUDFImpl for Build {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.gives.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let values = arrays.iter().map(Values::new).collect::<Result<Vec<_>, _>>().map_err(external)?;
        let texts = (0..rows).map(|row| self.row(&values, row)).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(external)?;
        let array = if self.gives == SqlType::Jsonb { jsonb(texts) } else { json(texts) };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

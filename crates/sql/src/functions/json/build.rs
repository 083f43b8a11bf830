//! JSON of SQL values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::{json, json_at, jsonb};
use crate::convert::format_text;
use crate::errors::external;
use crate::json::{canonical, quoted};
use crate::lists::{compact, range};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    use Shape::*;
    [
        ("to_json", Value, SqlType::Json),
        ("to_jsonb", Value, SqlType::Jsonb),
        ("array_to_json", Value, SqlType::Json),
        ("json_build_array", Array, SqlType::Json),
        ("jsonb_build_array", Array, SqlType::Jsonb),
        ("json_build_object", Object, SqlType::Json),
        ("jsonb_build_object", Object, SqlType::Jsonb),
    ]
    .map(|(name, shape, gives)| Arc::new(ScalarUDF::from(Build::new(name, shape, gives))))
    .into()
}

/// What is made of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// The one argument.
    Value,
    Array,
    /// Of keys and values by turns.
    Object,
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
            Shape::Value => TypeSignature::Any(1),
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
            Shape::Object => object(values, row)?,
        };
        if self.gives == SqlType::Jsonb { canonical(&text).map(Some) } else { Ok(Some(text)) }
    }
}

fn all(values: &[Values], row: usize) -> Vec<String> {
    values.iter().map(|value| value.json(row).unwrap_or_else(|| "null".to_owned())).collect()
}

fn object(values: &[Values], row: usize) -> Result<String, SqlError> {
    let wrong = |message: String| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    if !values.len().is_multiple_of(2) {
        let hint = "The arguments of json_build_object() must consist of alternating keys and values.";
        return Err(wrong("argument list must have even number of elements".to_owned()).with_hint(hint));
    }
    let members = values.chunks(2).enumerate().map(|(position, pair)| {
        let missing = || wrong(format!("argument {}: key must not be null", 2 * position + 1));
        let key = pair[0].text(row).ok_or_else(missing)?;
        let value = pair[1].json(row).unwrap_or_else(|| "null".to_owned());
        Ok(format!("{} : {value}", quoted(&key)))
    });
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>, SqlError>>()?.join(", ")))
}

/// The values of an argument.
enum Values {
    /// Numbers and booleans, and texts if `quoted`.
    Texts {
        texts: arrow::array::StringArray,
        quoted: bool,
    },
    Json(ArrayRef),
}

impl Values {
    fn new(array: &ArrayRef) -> Result<Values, SqlError> {
        Ok(match array.data_type() {
            DataType::LargeUtf8 | DataType::LargeBinary => Values::Json(array.clone()),
            DataType::List(_) => {
                let lists = compact(array.as_list())?;
                let elements = Values::new(lists.values())?;
                let element = |at| elements.json(at).unwrap_or_else(|| "null".to_owned());
                let text =
                    |row| format!("[{}]", range(&lists, row).map(element).collect::<Vec<_>>().join(","));
                let texts = (0..lists.len()).map(|row| lists.is_valid(row).then(|| text(row)));
                Values::Texts { texts: texts.collect(), quoted: false }
            }
            DataType::Boolean => {
                let words = array.as_boolean().iter();
                let texts = words.map(|value| value.map(|value| if value { "true" } else { "false" }));
                Values::Texts { texts: texts.collect(), quoted: false }
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                // ISO 8601, as PostgreSQL writes them in JSON only.
                let offset = if zone.is_some() { ":00" } else { "" };
                let texts = format_text(array)?;
                let texts = texts.iter().map(|text| text.map(|text| text.replacen(' ', "T", 1) + offset));
                Values::Texts { texts: texts.collect(), quoted: true }
            }
            data_type => Values::Texts { texts: format_text(array)?, quoted: !is_number(data_type) },
        })
    }

    fn json(&self, row: usize) -> Option<String> {
        match self {
            Values::Json(array) => json_at(array, row).map(str::to_owned),
            Values::Texts { texts, .. } if texts.is_null(row) => None,
            Values::Texts { texts, quoted: true } => Some(quoted(texts.value(row))),
            // Infinity and NaN are no numbers of JSON.
            Values::Texts { texts, .. } => Some(match texts.value(row) {
                special @ ("NaN" | "Infinity" | "-Infinity") => quoted(special),
                text => text.to_owned(),
            }),
        }
    }

    fn text(&self, row: usize) -> Option<String> {
        match self {
            Values::Json(array) => json_at(array, row).map(str::to_owned),
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

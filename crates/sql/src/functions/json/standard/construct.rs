//! JSON(), JSON_SCALAR, JSON_SERIALIZE, JSON_OBJECT and JSON_ARRAY.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::super::build::Values;
use super::super::field::type_of_text;
use super::is_json::has_equal_keys;
use super::text::{check_type, text_at};
use crate::convert::{Context, convert};
use crate::errors::external;
use crate::input::parse_text;
use crate::json::{check, quoted};
use crate::operators::describe;
use crate::sql_json::{ARRAY, JSON, OBJECT, Options, SCALAR, SERIALIZE};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    use Shape::{Array, Formatted, Json, Object, Scalar, Serialized};
    [
        (JSON, Json),
        (FORMATTED, Formatted),
        (SCALAR, Scalar),
        (SERIALIZE, Serialized),
        (OBJECT, Object),
        (ARRAY, Array),
    ]
    .map(|(name, shape)| {
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let signature = Signature::new(any, Volatility::Immutable);
        Arc::new(ScalarUDF::from(Construct { name, shape, signature }))
    })
    .into()
}

/// `value FORMAT JSON`
const FORMATTED: &str = "$json_formatted";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// Of a text and options.
    Json,
    /// Of a text and the name of an encoding.
    Formatted,
    /// Of a value.
    Scalar,
    /// Of JSON and options.
    Serialized,
    /// Of options, and keys and values by turns.
    Object,
    /// Of options and values.
    Array,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Construct {
    name: &'static str,
    shape: Shape,
    signature: Signature,
}

fn mismatch(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
}

/// The type that RETURNING names.
fn returned(options: &Options) -> springtide_types::Result<Option<SqlType>> {
    let Some(declared) = &options.returning else { return Ok(None) };
    let Some((declared, encoding)) = declared.split_once(" FORMAT JSON ENCODING ") else {
        return type_of_text(declared).map(Some);
    };
    let sql_type = type_of_text(declared)?;
    check_encoding(encoding)?;
    match sql_type {
        SqlType::Bytea => Ok(Some(sql_type)),
        _ => Err(SqlError::unsupported("a JSON encoding for types that are no bytea")),
    }
}

fn check_encoding(encoding: &str) -> springtide_types::Result<()> {
    match encoding {
        "utf8" => Ok(()),
        "utf16" | "utf32" => Err(SqlError::unsupported(format!("the JSON encoding {encoding}"))),
        other => {
            let message = format!("unrecognized JSON encoding: {other}");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

impl Construct {
    /// The type of a call with arguments of these types.
    fn gives(
        &self,
        types: &[DataType],
        constants: &[Option<&ScalarValue>],
    ) -> springtide_types::Result<SqlType> {
        let of =
            |position: usize| SqlType::from_arrow(&types[position]).filter(|_| !types[position].is_null());
        match self.shape {
            Shape::Json => {
                if check_type(&types[0]).is_err() {
                    let given = describe(of(0));
                    let message = format!("cannot cast type {given} to json");
                    return Err(SqlError::new(SqlState::CANNOT_COERCE, message));
                }
                let is_json = matches!(of(0), Some(SqlType::Json | SqlType::Jsonb));
                match Options::of(constants[1])?.unique && is_json {
                    true => Err(mismatch("cannot use WITH UNIQUE KEYS with values that are JSON already")),
                    false => Ok(SqlType::Json),
                }
            }
            Shape::Formatted => {
                check_type(&types[0])?;
                let encoding =
                    constants[1].and_then(|value| value.try_as_str().flatten()).unwrap_or_default();
                if !encoding.is_empty() {
                    check_encoding(encoding)?;
                    if of(0) != Some(SqlType::Bytea) {
                        return Err(mismatch("JSON ENCODING clause is only allowed for bytea input type"));
                    }
                }
                Ok(if of(0) == Some(SqlType::Jsonb) { SqlType::Jsonb } else { SqlType::Json })
            }
            Shape::Scalar => match of(0) {
                Some(SqlType::Jsonb) => Ok(SqlType::Jsonb),
                _ => Ok(SqlType::Json),
            },
            Shape::Serialized => match returned(&Options::of(constants[1])?)?.unwrap_or(SqlType::Text) {
                text @ (SqlType::Text | SqlType::Varchar(_) | SqlType::Bytea) => Ok(text),
                other => {
                    let message = format!("cannot use type {other} in RETURNING clause of JSON_SERIALIZE()");
                    Err(mismatch(message).with_hint("Try returning a string type or bytea."))
                }
            },
            Shape::Object | Shape::Array => {
                let any_jsonb = types.contains(&SqlType::Jsonb.arrow());
                let plain = if any_jsonb { SqlType::Jsonb } else { SqlType::Json };
                Ok(returned(&Options::of(constants[0])?)?.unwrap_or(plain))
            }
        }
    }

    fn texts(
        &self,
        columns: &[ArrayRef],
        options: &Options,
        rows: usize,
    ) -> springtide_types::Result<StringArray> {
        let values = match self.shape {
            Shape::Object | Shape::Array => &columns[1..],
            _ => &columns[..1],
        };
        if matches!(self.shape, Shape::Json | Shape::Formatted | Shape::Serialized) {
            let checked = |row| {
                let Some(text) = text_at(&values[0], row)? else { return Ok(None) };
                if self.shape != Shape::Serialized {
                    check(&text)?;
                }
                if options.unique && has_equal_keys(&text) {
                    return Err(duplicate_key());
                }
                Ok(Some(text.into_owned()))
            };
            return (0..rows).map(checked).collect();
        }
        let values = values.iter().map(Values::new).collect::<springtide_types::Result<Vec<_>>>()?;
        let text = |row| match self.shape {
            Shape::Scalar => Ok(values[0].json(row)),
            Shape::Array => Ok(Some(array(&values, options, row))),
            _ => object(&values, options, row).map(Some),
        };
        (0..rows).map(text).collect()
    }
}

fn duplicate_key() -> SqlError {
    SqlError::new(SqlState::from_code("22030"), "duplicate JSON object key value")
}

fn array(values: &[Values], options: &Options, row: usize) -> String {
    let elements = values.iter().filter_map(|value| match value.json(row) {
        None if options.absent_on_null => None,
        element => Some(element.unwrap_or_else(|| "null".to_owned())),
    });
    format!("[{}]", elements.collect::<Vec<_>>().join(", "))
}

fn object(values: &[Values], options: &Options, row: usize) -> springtide_types::Result<String> {
    let (mut keys, mut members) = (HashSet::new(), Vec::new());
    for pair in values.chunks_exact(2) {
        if !pair[0].is_scalar() {
            let message = "key value must be scalar, not array, composite, or json";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let key = pair[0].text(row).ok_or_else(|| {
            SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
        })?;
        let value = pair[1].json(row);
        if options.unique && !keys.insert(key.clone()) {
            return Err(duplicate_key());
        }
        if value.is_some() || !options.absent_on_null {
            members.push(format!("{} : {}", quoted(&key), value.unwrap_or_else(|| "null".to_owned())));
        }
    }
    Ok(format!("{{{}}}", members.join(", ")))
}

/// Texts of JSON in a type that holds such.
fn in_type(texts: StringArray, sql_type: SqlType) -> springtide_types::Result<ArrayRef> {
    match sql_type {
        SqlType::Bytea => {
            let bytes = texts.iter().map(|text| text.map(str::as_bytes));
            Ok(Arc::new(bytes.collect::<BinaryArray>()))
        }
        SqlType::Text | SqlType::Varchar(_) => {
            let texts: ArrayRef = Arc::new(texts);
            convert(&texts, sql_type, Context::Assignment)
        }
        other => parse_text(&texts, other),
    }
}

impl ScalarUDFImpl for Construct {
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
        let types = args.arg_fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
        let gives = self.gives(&types, args.scalar_arguments).map_err(external)?;
        Ok(Arc::new(Field::new(self.name, gives.arrow(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let position = match self.shape {
            Shape::Object | Shape::Array => Some(0),
            Shape::Json | Shape::Serialized => Some(1),
            Shape::Formatted | Shape::Scalar => None,
        };
        let options = match position.map(|position| &args.args[position]) {
            Some(ColumnarValue::Scalar(options)) => Options::of(Some(options)).map_err(external)?,
            Some(ColumnarValue::Array(_)) => {
                return datafusion::common::internal_err!("the options of {} are constant", self.name);
            }
            None => Options::default(),
        };
        let columns =
            args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let limited = returned(&options).map_err(external)?;
        let declared = SqlType::from_arrow(args.return_field.data_type());
        let gives = limited.or(declared).unwrap_or(SqlType::Json);
        let texts = self.texts(&columns, &options, args.number_rows);
        texts.and_then(|texts| in_type(texts, gives)).map(ColumnarValue::Array).map_err(external)
    }
}

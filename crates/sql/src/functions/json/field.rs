//! A member of an object as a value of an SQL type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_catalog::Types;
use springtide_types::{SqlError, SqlState, SqlType, array_text};

use super::json_at;
use super::spans::{Kind, as_text, elements, kind, member};
use crate::errors::external;
use crate::input::parse_text;

/// `field(object, key, type)`: what `jsonb_to_record` makes of a member. The type stands in a literal.
pub(crate) const FIELD: &str = "$json_field";

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(MemberAs { signature: Signature::any(3, Volatility::Immutable) }))
}

/// The type that a text declares.
pub(crate) fn type_of_text(text: &str) -> springtide_types::Result<SqlType> {
    let parsed = crate::parser(text)?.parse_data_type();
    let declared = parsed.map_err(|error| SqlError::new(SqlState::SYNTAX_ERROR, error.to_string()))?;
    crate::sql_type(&declared, &Types::default())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MemberAs {
    signature: Signature,
}

fn literal(value: Option<&ScalarValue>) -> springtide_types::Result<String> {
    let text = value.and_then(|value| value.try_as_str().flatten());
    text.map(str::to_owned).ok_or_else(|| SqlError::internal("a field has a name and a type"))
}

impl ScalarUDFImpl for MemberAs {
    fn name(&self) -> &str {
        FIELD
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of a field stands in an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let declared = literal(args.scalar_arguments[2]).and_then(|text| type_of_text(&text));
        Ok(Arc::new(Field::new(FIELD, declared.map_err(external)?.arrow(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |argument: &ColumnarValue| match argument {
            ColumnarValue::Scalar(value) => literal(Some(value)),
            ColumnarValue::Array(values) => {
                let value = values.as_string_opt::<i32>().filter(|values| !values.is_empty());
                value.map(|values| values.value(0).to_owned()).ok_or_else(|| SqlError::internal("a literal"))
            }
        };
        let objects = args.args[0].to_array(args.number_rows)?;
        let values = || {
            let key = constant(&args.args[1])?;
            let sql_type = type_of_text(&constant(&args.args[2])?)?;
            let found = |row| json_at(&objects, row).and_then(|object| member(object, &key));
            typed((0..args.number_rows).map(found), sql_type)
        };
        values().map(ColumnarValue::Array).map_err(external)
    }
}

/// Values of JSON in an SQL type, as `jsonb_populate_record` converts them.
pub(crate) fn typed<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    sql_type: SqlType,
) -> springtide_types::Result<ArrayRef> {
    let texts = values.map(|value| value.map_or(Ok(None), |value| text_for(value, sql_type)));
    let texts = texts.collect::<springtide_types::Result<StringArray>>()?;
    parse_text(&texts, sql_type)
}

/// The text that the input function of a type gets for a value.
fn text_for(value: &str, sql_type: SqlType) -> springtide_types::Result<Option<String>> {
    match (sql_type, kind(value)) {
        (_, Kind::Null) => Ok(None),
        (SqlType::Json | SqlType::Jsonb, _) => Ok(Some(value.to_owned())),
        (SqlType::Array(element), Kind::Array) => {
            let element = element.sql_type();
            let texts = elements(value).map(|value| match kind(value) {
                Kind::Array if !matches!(element, SqlType::Json | SqlType::Jsonb) => {
                    Err(SqlError::unsupported("an array of several dimensions"))
                }
                _ => text_for(value, element),
            });
            let texts = texts.collect::<springtide_types::Result<Vec<_>>>()?;
            Ok(Some(array_text(texts.iter().map(Option::as_deref))))
        }
        (SqlType::Array(_), kind) if kind != Kind::Text => {
            Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array"))
        }
        _ => Ok(as_text(value)?.map(std::borrow::Cow::into_owned)),
    }
}

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use springtide_types::{SqlError, SqlState};

use crate::errors::external;

/// `json_build_object(key, value, ...)`, which clients wrap parts of the catalogue in. There is no type for JSON:
/// the result is a text.
pub(super) fn function() -> Arc<ScalarUDF> {
    let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
    let signature = Signature::new(any, Volatility::Immutable);
    Arc::new(ScalarUDF::from(BuildObject { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BuildObject {
    signature: Signature,
}

impl ScalarUDFImpl for BuildObject {
    fn name(&self) -> &str {
        "json_build_object"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if types.len() % 2 == 1 {
            return Err(invalid("argument list must have even number of elements"));
        }
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let texts = columns.iter().map(|column| Ok(cast(column, &DataType::Utf8)?));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let object = |row: usize| {
            let pairs = columns.iter().zip(&texts).collect::<Vec<_>>();
            let pairs = pairs.chunks(2).map(|pair| member(pair[0].1, pair[1], row));
            Ok(format!("{{{}}}", pairs.collect::<Result<Vec<_>>>()?.join(", ")))
        };
        let objects = (0..args.number_rows).map(object).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(objects))))
    }
}

fn member(key: &ArrayRef, (value, text): (&ArrayRef, &ArrayRef), row: usize) -> Result<String> {
    let keys = key.as_string::<i32>();
    if keys.is_null(row) {
        return Err(invalid("argument 1: key must not be null"));
    }
    let plain = value.data_type().is_numeric() || *value.data_type() == DataType::Boolean;
    let text = match text.as_string::<i32>() {
        texts if texts.is_null(row) => "null".to_owned(),
        texts if plain => texts.value(row).to_owned(),
        texts => quoted(texts.value(row)),
    };
    Ok(format!("{} : {text}", quoted(keys.value(row))))
}

/// As a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", letter as u32)),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

fn invalid(message: &str) -> datafusion::common::DataFusionError {
    external(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(quoted("a\"b\\\n\u{1}"), r#""a\"b\\\n\u0001""#);
    }
}

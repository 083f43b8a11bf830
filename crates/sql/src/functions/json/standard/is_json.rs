//! `IS JSON`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::super::spans::{Kind, elements, kind, members, unquoted};
use super::text::{check_type, text_at};
use crate::errors::external;
use crate::json::check;
use crate::operators::describe;
use crate::sql_json::IS_JSON;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(IsJson { signature: Signature::any(3, Volatility::Immutable) }))
}

/// The arguments: the value, the kind of JSON, and whether keys must be unique.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IsJson {
    signature: Signature,
}

impl ScalarUDFImpl for IsJson {
    fn name(&self) -> &str {
        IS_JSON
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match check_type(&types[0]) {
            Ok(()) => Ok(DataType::Boolean),
            Err(_) => {
                let given = describe(SqlType::from_arrow(&types[0]));
                let message = format!("cannot use type {given} in IS JSON predicate");
                Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)))
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns =
            args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let (kinds, unique) = (columns[1].as_string::<i32>(), columns[2].as_boolean());
        let is_wanted = |text: &str, row: usize| {
            check(text).is_ok()
                && fits(kind(text), kinds.value(row))
                && (!unique.value(row) || !has_equal_keys(text))
        };
        let test = |row| Ok(text_at(&columns[0], row)?.map(|text| is_wanted(&text, row)));
        let tested = (0..args.number_rows).map(test).collect::<std::result::Result<BooleanArray, SqlError>>();
        Ok(ColumnarValue::Array(Arc::new(tested.map_err(external)?)))
    }
}

fn fits(found: Kind, wanted: &str) -> bool {
    match wanted {
        "object" => found == Kind::Object,
        "array" => found == Kind::Array,
        "scalar" => !matches!(found, Kind::Object | Kind::Array),
        _ => true,
    }
}

/// Whether an object anywhere in a text of JSON has two equal keys.
pub(super) fn has_equal_keys(text: &str) -> bool {
    match kind(text) {
        Kind::Object => {
            let mut keys = HashSet::new();
            members(text).any(|(key, value)| {
                let key = unquoted(key).map_or_else(|_| key.to_owned(), std::borrow::Cow::into_owned);
                !keys.insert(key) || has_equal_keys(value)
            })
        }
        Kind::Array => elements(text).any(has_equal_keys),
        _ => false,
    }
}

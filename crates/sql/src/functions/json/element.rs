use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::SqlType;

use crate::json_aggregates::ELEMENT;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Element { signature: Signature::any(1, Volatility::Immutable) }))
}

/// What an aggregate of JSON collects, until the analyzer puts the value itself, or the JSON of it, in the place of the call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Element {
    signature: Signature,
}

impl ScalarUDFImpl for Element {
    fn name(&self) -> &str {
        ELEMENT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match &types[0] {
            DataType::List(_) => SqlType::Json.arrow(),
            other => other.clone(),
        })
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("the analyzer puts something else in its place")
    }
}

//! Functions that tell a client where it is.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::SqlType;

use crate::operators::describe;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let version = concat!(
        "PostgreSQL 15.0 (Springtide ",
        env!("CARGO_PKG_VERSION"),
        "), a streaming database that speaks its protocol"
    );
    let constants =
        [("current_database", "springtide"), ("current_catalog", "springtide"), ("version", version)];
    let constants = constants.map(|(name, value)| {
        let signature = Signature::nullary(Volatility::Immutable);
        Arc::new(ScalarUDF::from(Constant { name, value, signature }))
    });
    let type_of = Arc::new(ScalarUDF::from(TypeOf { signature: Signature::any(1, Volatility::Immutable) }));
    constants.into_iter().chain([type_of]).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::from(self.value)))
    }
}

/// `pg_typeof(x)`
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = match args.arg_fields[0].data_type() {
            DataType::Null => "unknown".to_owned(),
            other => match SqlType::from_arrow(other) {
                Some(sql_type) => describe(Some(sql_type)),
                None => other.to_string(),
            },
        };
        Ok(ColumnarValue::Scalar(ScalarValue::from(name)))
    }
}

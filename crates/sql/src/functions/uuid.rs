//! `gen_random_uuid()`

use std::sync::Arc;

use arrow::array::FixedSizeBinaryBuilder;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlType, UUID_BYTES};
use uuid::Uuid;

pub(super) fn functions() -> [Arc<ScalarUDF>; 1] {
    [Arc::new(ScalarUDF::from(RandomUuid { signature: Signature::nullary(Volatility::Volatile) }))]
}

/// A `uuid` of version 4 for each row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RandomUuid {
    signature: Signature,
}

impl ScalarUDFImpl for RandomUuid {
    fn name(&self) -> &str {
        "gen_random_uuid"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(SqlType::Uuid.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut uuids = FixedSizeBinaryBuilder::with_capacity(args.number_rows, UUID_BYTES);
        for _ in 0..args.number_rows {
            uuids.append_value(Uuid::new_v4().as_bytes())?;
        }
        Ok(ColumnarValue::Array(Arc::new(uuids.finish())))
    }
}

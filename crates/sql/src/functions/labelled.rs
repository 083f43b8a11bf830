use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// `labelled(value, label)` is the value, under a name of its own. The analyzer takes it away again.
pub(crate) const LABELLED: &str = "$labelled";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Labelled {
    signature: Signature,
}

impl Labelled {
    pub(super) fn new() -> Labelled {
        Labelled { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Labelled {
    fn name(&self) -> &str {
        LABELLED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args[0].clone())
    }
}

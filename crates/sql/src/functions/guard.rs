use std::sync::{Arc, LazyLock};

use arrow::array::BooleanArray;
use arrow::compute::nullif;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_boolean_array;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `divisor` where `condition` holds, else NULL. In `b <> 0 AND a / b > 1` the right side counts only where
/// the left one holds, but DataFusion computes both; a guarded divisor does no harm elsewhere.
pub(crate) fn guard(divisor: Expr, condition: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(Guard::new())));
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![divisor, condition]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Guard {
    signature: Signature,
}

impl Guard {
    fn new() -> Guard {
        Guard { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Guard {
    fn name(&self) -> &str {
        "guard"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let holds = as_boolean_array(&arrays[1])?;
        let fails = holds.iter().map(|holds| Some(holds != Some(true))).collect::<BooleanArray>();
        Ok(ColumnarValue::Array(nullif(&arrays[0], &fails)?))
    }
}

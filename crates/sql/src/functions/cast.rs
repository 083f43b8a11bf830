use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::SqlType;
use std::sync::Arc;

use super::arithmetic::external;
use crate::convert::{Context, convert};
use crate::style::in_style;

/// `operand::target`, as PostgreSQL converts.
pub(crate) fn cast_function(operand: Expr, target: SqlType) -> Expr {
    let function = Arc::new(ScalarUDF::from(Cast::new(target)));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![operand]))
}

/// Whether the call is one of [`cast_function`]'s.
pub(crate) fn is_cast(function: &ScalarFunction) -> bool {
    function.func.inner().as_ref().downcast_ref::<Cast>().is_some()
}

/// The type that a call of [`cast_function`] gives.
pub(crate) fn cast_target(call: &ScalarFunction) -> Option<SqlType> {
    call.func.inner().as_ref().downcast_ref::<Cast>().map(|cast| cast.target)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Cast {
    name: String,
    target: SqlType,
    signature: Signature,
}

impl Cast {
    fn new(target: SqlType) -> Cast {
        Cast { name: target.to_string(), target, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.target.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cast = |array: &ArrayRef| {
            in_style(&args, || convert(array, self.target, Context::Explicit)).map_err(external)
        };
        Ok(match &args.args[0] {
            ColumnarValue::Array(array) => ColumnarValue::Array(cast(array)?),
            ColumnarValue::Scalar(value) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&cast(&value.to_array()?)?, 0)?)
            }
        })
    }

    fn is_strict(&self) -> bool {
        true
    }
}

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState};

use crate::errors::external;

/// The only element of an array, NULL for none. Fails with `21000` for several.
pub(crate) fn single(array: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(Single::new())));
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![array]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Single {
    signature: Signature,
}

impl Single {
    fn new() -> Single {
        Single { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Single {
    fn name(&self) -> &str {
        "$single"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::List(element) => Ok(element.data_type().clone()),
            other => datafusion::common::internal_err!("{other} has no elements"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [arrays] = take_function_args(self.name(), ColumnarValue::values_to_arrays(&args.args)?)?;
        let lists = arrays.as_list::<i32>();
        let position = |row: usize| match lists.is_valid(row).then(|| lists.value_length(row)) {
            None | Some(0) => Ok(None),
            Some(1) => Ok(Some(lists.value_offsets()[row] as u32)),
            Some(_) => {
                let message = "more than one row returned by a subquery used as an expression";
                Err(external(SqlError::new(SqlState::CARDINALITY_VIOLATION, message)))
            }
        };
        let positions = (0..lists.len()).map(position).collect::<Result<UInt32Array>>()?;
        let elements: ArrayRef = take(lists.values(), &positions, None)?;
        Ok(ColumnarValue::Array(elements))
    }
}

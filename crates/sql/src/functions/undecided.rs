//! Functions whose result has the type that their arguments have in common.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::functions::core;
use datafusion::logical_expr::binary::type_union_resolution;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::SqlType;

use crate::convert::stands_apart;

/// The functions as the binder is to see them.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [core::coalesce(), core::nullif(), core::greatest(), core::least()]
        .map(|function| Arc::new(ScalarUDF::from(Undecided::new(function))))
        .into()
}

/// The function that the call of an undecided one means, if it is one.
pub(crate) fn decided(call: &ScalarFunction) -> Option<Arc<ScalarUDF>> {
    call.func.inner().as_ref().downcast_ref::<Undecided>().map(|undecided| undecided.function.clone())
}

/// Stands for a function until the analyzer has given string literals among its arguments a type: DataFusion's
/// refuses them next to bytea. It is never run.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Undecided {
    function: Arc<ScalarUDF>,
    signature: Signature,
}

impl Undecided {
    fn new(function: Arc<ScalarUDF>) -> Undecided {
        Undecided { function, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Undecided {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // Next to one of these, a literal is no text.
        let apart = |data_type: &&DataType| SqlType::from_arrow(data_type).is_some_and(stands_apart);
        if let Some(apart) = types.iter().find(apart) {
            return Ok(apart.clone());
        }
        Ok(type_union_resolution(types).unwrap_or_else(|| types[0].clone()))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("the analyzer decides on {}", self.name())
    }
}

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::errors::external;
use crate::operators::describe;

/// `subscript(array, n)` is `array[n]`: counted from 1, and NULL where there is no such element. With several numbers,
/// it is NULL: arrays have one dimension.
pub(crate) const SUBSCRIPT: &str = "$subscript";

/// Subscripts that PostgreSQL lets an expression have.
const MOST_DIMENSIONS: usize = 6;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Subscript { signature: Signature::variadic_any(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Subscript {
    signature: Signature,
}

impl ScalarUDFImpl for Subscript {
    fn name(&self) -> &str {
        SUBSCRIPT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::List(item) if types.len() - 1 <= MOST_DIMENSIONS => Ok(item.data_type().clone()),
            DataType::List(_) => {
                let (given, most) = (types.len() - 1, MOST_DIMENSIONS);
                let message =
                    format!("number of array dimensions ({given}) exceeds the maximum allowed ({most})");
                Err(external(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)))
            }
            // The analyzer puts functions of JSON in its place.
            DataType::LargeUtf8 => Ok(DataType::LargeUtf8),
            other => {
                let name = describe(SqlType::from_arrow(other));
                let message =
                    format!("cannot subscript type {name} because it does not support subscripting");
                Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)))
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() > 2 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
        }
        let lists = args.args[0].to_array(args.number_rows)?;
        let numbers = args.args[1].cast_to(&DataType::Int32, None)?.to_array(args.number_rows)?;
        let (lists, numbers) = (lists.as_list::<i32>(), numbers.as_primitive::<Int32Type>());
        let position = |row: usize| {
            let number = numbers.is_valid(row).then(|| numbers.value(row))?;
            let within = lists.is_valid(row) && (1..=lists.value_length(row)).contains(&number);
            within.then(|| (lists.value_offsets()[row] + number - 1) as u32)
        };
        let positions = (0..args.number_rows).map(position).collect::<UInt32Array>();
        let elements: ArrayRef = take(lists.values(), &positions, None)?;
        Ok(ColumnarValue::Array(elements))
    }

    fn is_strict(&self) -> bool {
        true
    }
}

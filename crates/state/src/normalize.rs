use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};

/// The same column with −0.0 as 0.0 and every NaN as one NaN, so that which of several equal values came
/// first does not show. Columns of other types come back as they are.
pub fn normalize_floats(column: &ArrayRef) -> ArrayRef {
    // Adding zero turns −0.0 into 0.0 and changes nothing else.
    match column.data_type() {
        DataType::Float32 => {
            let normalize = |value: f32| if value.is_nan() { f32::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float32Type>().unary(normalize) as PrimitiveArray<Float32Type>)
        }
        DataType::Float64 => {
            let normalize = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float64Type>().unary(normalize) as PrimitiveArray<Float64Type>)
        }
        DataType::List(field) if has_floats(field.data_type()) => {
            let lists = column.as_list::<i32>();
            let elements = normalize_floats(lists.values());
            Arc::new(ListArray::new(field.clone(), lists.offsets().clone(), elements, lists.nulls().cloned()))
        }
        _ => column.clone(),
    }
}

fn has_floats(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

//! Functions that stand for what the catalogue's own queries do with arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::functions_nested::array_transform::array_transform_higher_order_function;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderUDF, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState};

use crate::errors::external;

/// `or_empty(array)` is the array, and an empty one instead of NULL: what `ARRAY(SELECT ...)` makes of no rows.
pub(super) const OR_EMPTY: &str = "$or_empty";
/// `expanded(array)` are the elements, `x`, with their numbers, `n`.
pub(super) const EXPANDED: &str = "$expanded";
/// DataFusion's name for the function that applies another one to every element.
pub(super) const TRANSFORM: &str = "array_transform";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [OR_EMPTY, EXPANDED].map(function).into()
}

/// The function that [`rewrite`](super::rewrite) applies others by.
pub(crate) fn higher_order(name: &str) -> Option<Arc<HigherOrderUDF>> {
    (name == TRANSFORM).then(array_transform_higher_order_function)
}

fn function(name: &'static str) -> Arc<ScalarUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::from(ArrayFunction { name, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayFunction {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for ArrayFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.name {
            EXPANDED => expanded_type(&types[0])?,
            _ => types[0].clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let Some(lists) = array.as_list_opt::<i32>() else {
            let message = format!("{} of what is no array", self.name);
            return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
        };
        Ok(ColumnarValue::Array(match self.name {
            EXPANDED => expanded(lists)?,
            _ => or_empty(lists)?,
        }))
    }
}

fn expanded_type(array: &DataType) -> Result<DataType> {
    let DataType::List(item) = array else {
        let message = "a function of arrays is called with something else";
        return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
    };
    let number = Field::new("n", DataType::Int32, true);
    let pair = Fields::from(vec![Field::new("x", item.data_type().clone(), true), number]);
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(pair), true))))
}

fn expanded(lists: &ListArray) -> Result<ArrayRef> {
    let DataType::List(item) = expanded_type(lists.data_type())? else { return Ok(Arc::new(lists.clone())) };
    let DataType::Struct(pair) = item.data_type() else { return Ok(Arc::new(lists.clone())) };
    let numbers = lists.offsets().lengths().flat_map(|length| 1..=length as i32).collect::<Int32Array>();
    let first = lists.value_offsets()[0] as usize;
    let elements = lists.values().slice(first, numbers.len());
    let pairs = StructArray::new(pair.clone(), vec![elements, Arc::new(numbers)], None);
    let offsets = OffsetBuffer::from_lengths(lists.offsets().lengths());
    Ok(Arc::new(ListArray::new(item, offsets, Arc::new(pairs), lists.nulls().cloned())))
}

fn or_empty(lists: &ListArray) -> Result<ArrayRef> {
    let DataType::List(field) = lists.data_type() else { return Ok(Arc::new(lists.clone())) };
    let present = lists.iter().flatten().collect::<Vec<_>>();
    let present = present.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>();
    let values = match present.as_slice() {
        [] => new_empty_array(field.data_type()),
        present => arrow::compute::concat(present)?,
    };
    let lengths = (0..lists.len()).map(|row| if lists.is_null(row) { 0 } else { lists.value(row).len() });
    Ok(Arc::new(ListArray::new(field.clone(), OffsetBuffer::from_lengths(lengths), values, None)))
}

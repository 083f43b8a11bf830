//! How long arrays are.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, ListArray, StringArray};
use arrow::datatypes::Int32Type;
use springtide_types::Result;

use super::polymorphic::Args;
use crate::lists::range;

/// The number of elements in a row.
fn length(args: &Args, row: usize) -> Option<i32> {
    let arrays = args.column(0);
    arrays.at(row).map(|at| range(arrays.lists(), at).len() as i32)
}

/// The same if the second argument is 1, the only dimension that there is, and there are any elements.
fn length_along(args: &Args, row: usize) -> Option<i32> {
    length(args, row).filter(|length| *length > 0 && args.column(1).number(row) == Some(1))
}

/// `cardinality(array)`
pub(super) fn cardinality(args: &Args) -> Result<ArrayRef> {
    Ok(Arc::new(args.each::<_, Int32Array>(|row| Ok(length(args, row)))?))
}

/// `array_length(array, 1)`, which is `array_upper(array, 1)`.
pub(super) fn upper(args: &Args) -> Result<ArrayRef> {
    Ok(Arc::new(args.each::<_, Int32Array>(|row| Ok(length_along(args, row)))?))
}

/// `array_lower(array, 1)`
pub(super) fn lower(args: &Args) -> Result<ArrayRef> {
    Ok(Arc::new(args.each::<_, Int32Array>(|row| Ok(length_along(args, row).map(|_| 1)))?))
}

/// `array_ndims(array)`
pub(super) fn dimensions(args: &Args) -> Result<ArrayRef> {
    let some = |row| length(args, row).filter(|length| *length > 0).map(|_| 1);
    Ok(Arc::new(args.each::<_, Int32Array>(|row| Ok(some(row)))?))
}

/// `array_dims(array)`: `[1:3]`
pub(super) fn bounds(args: &Args) -> Result<ArrayRef> {
    let some = |row| length(args, row).filter(|length| *length > 0).map(|length| format!("[1:{length}]"));
    Ok(Arc::new(args.each::<_, StringArray>(|row| Ok(some(row)))?))
}

/// The numbers of the elements along a dimension.
pub(super) fn subscripts(args: &Args) -> Result<ArrayRef> {
    let numbers = |row: usize| {
        let known = !args.is_null(row);
        known.then(|| (1..=length_along(args, row).unwrap_or(0)).map(Some).collect::<Vec<_>>())
    };
    Ok(Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>((0..args.rows).map(numbers))))
}

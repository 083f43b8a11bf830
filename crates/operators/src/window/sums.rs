//! Sums over frames.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, i256};

use super::function::running;
use crate::group_by::{Evaluation, decimal_sums, integer_sums};

/// The sum over each frame, as the difference of what has been summed up at its ends: exact, since integers are summed in
/// 128 bits and decimals in 256. O(values + frames).
pub(super) fn sums(values: &ArrayRef, frames: &[Range<usize>], output: &DataType) -> Evaluation {
    let valid = values.nulls().map(|nulls| running(nulls.iter().map(i64::from)));
    let is_null = |frame: &Range<usize>| match &valid {
        Some(valid) => valid[frame.end] == valid[frame.start],
        None => frame.is_empty(),
    };
    let nulls = values.nulls();
    let is_valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    if let Some(values) = values.as_primitive_opt::<Decimal128Type>() {
        let values = values.values().iter().enumerate();
        let values = values.map(|(row, value)| i256::from_i128(if is_valid(row) { *value } else { 0 }));
        let sums = running(values);
        let sum = |frame: &Range<usize>| sums[frame.end].wrapping_sub(sums[frame.start]);
        let sums = frames.iter().map(|frame| (!is_null(frame)).then(|| sum(frame))).collect::<Vec<_>>();
        return decimal_sums(sums.iter().map(Option::as_ref).collect(), output);
    }
    let values = cast(values, &DataType::Int64).expect("smaller integers fit");
    let values = values.as_primitive::<Int64Type>().values().iter().enumerate();
    let sums = running(values.map(|(row, value)| if is_valid(row) { i128::from(*value) } else { 0 }));
    let sum = |frame: &Range<usize>| sums[frame.end] - sums[frame.start];
    let sums = frames.iter().map(|frame| (!is_null(frame)).then(|| sum(frame))).collect::<Vec<_>>();
    integer_sums(sums.iter().map(Option::as_ref).collect(), output)
}

//! Where in an array a value is.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, ListArray};
use arrow::datatypes::Int32Type;
use springtide_types::{Result, SqlError, SqlState};

use super::polymorphic::Args;
use crate::lists::{comparator, range};

/// `array_position(array, element [, first])`. NULL equals NULL.
pub(super) fn position(args: &Args) -> Result<ArrayRef> {
    let first = |row: usize| match args.optional(2) {
        None => Ok(1),
        Some(first) => first.number(row).ok_or_else(|| {
            SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "initial position must not be null")
        }),
    };
    let found = found(args, |row, mut numbers| {
        let first = first(row)?;
        Ok(numbers.find(|number| *number >= first))
    })?;
    Ok(Arc::new(found.into_iter().map(Option::flatten).collect::<Int32Array>()))
}

/// `array_positions(array, element)`
pub(super) fn positions(args: &Args) -> Result<ArrayRef> {
    let found = found(args, |_, numbers| Ok(numbers.map(Some).collect::<Vec<_>>()))?;
    Ok(Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(found)))
}

/// `width_bucket(value, thresholds)`: how many of the thresholds, which ascend, the value has reached.
pub(super) fn bucket(args: &Args) -> Result<ArrayRef> {
    let (values, arrays) = (args.column(0), args.column(1));
    let lists = arrays.lists();
    let order = comparator(lists.values(), &values.values)?;
    let count = |row: usize| {
        let (Some(value), Some(at)) = (values.at(row), arrays.at(row)) else { return Ok(None) };
        let all = range(lists, at);
        if lists.values().slice(all.start, all.len()).logical_null_count() > 0 {
            let message = "thresholds array must not contain NULLs";
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        }
        Ok(Some(all.collect::<Vec<_>>().partition_point(|threshold| order(*threshold, value).is_le()) as i32))
    };
    Ok(Arc::new(args.each::<_, Int32Array>(count)?))
}

/// What `value` makes of the numbers of the elements that are sought; `None` for a NULL instead of an array.
fn found<T>(
    args: &Args,
    value: impl Fn(usize, Box<dyn Iterator<Item = i32> + '_>) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let (arrays, sought) = (args.column(0), args.column(1));
    let lists = arrays.lists();
    let order = comparator(lists.values(), &sought.values)?;
    let numbers = |row: usize, all: Range<usize>| {
        let (start, sought, order) = (all.start, sought.position(row), &order);
        all.filter(move |at| order(*at, sought).is_eq()).map(move |at| (at - start + 1) as i32)
    };
    let of_row = |row: usize| {
        arrays.at(row).map(|at| value(row, Box::new(numbers(row, range(lists, at))))).transpose()
    };
    (0..args.rows).map(of_row).collect()
}

//! What two arrays have to do with each other.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, DynComparator, Int32Array};
use springtide_types::Result;

use super::polymorphic::Args;
use crate::lists::{comparator, compare as compare_elements, range};

/// `left @> right`: each element of the right array is one of the left. NULL is none.
pub(super) fn contains(args: &Args) -> Result<ArrayRef> {
    relate(args, |left, right, equal| right.into_iter().all(|element| has(&left, element, equal)))
}

/// `left && right`: an element of the right array is one of the left.
pub(super) fn overlaps(args: &Args) -> Result<ArrayRef> {
    relate(args, |left, right, equal| right.into_iter().any(|element| has(&left, element, equal)))
}

fn has(left: &Range<usize>, element: usize, equal: &dyn Fn(usize, usize) -> bool) -> bool {
    left.clone().any(|own| equal(own, element))
}

fn relate(
    args: &Args,
    holds: impl Fn(Range<usize>, Range<usize>, &dyn Fn(usize, usize) -> bool) -> bool,
) -> Result<ArrayRef> {
    let nulls = args.column(1).lists().values().logical_nulls();
    let is_null = |element: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(element));
    let related = pairs(args, |left, right, order| {
        holds(left, right, &|own, element| !is_null(element) && order(own, element).is_eq())
    })?;
    Ok(Arc::new(related.into_iter().collect::<BooleanArray>()))
}

/// Which of two arrays comes first.
pub(super) fn compare(args: &Args) -> Result<ArrayRef> {
    let orders = pairs(args, |left, right, order| compare_elements(left, right, order) as i32)?;
    Ok(Arc::new(orders.into_iter().collect::<Int32Array>()))
}

/// What `value` makes of the elements of each two arrays, whose positions it gets together with what compares them.
fn pairs<T>(
    args: &Args,
    value: impl Fn(Range<usize>, Range<usize>, &DynComparator) -> T,
) -> Result<Vec<Option<T>>> {
    let (left, right) = (args.column(0), args.column(1));
    let order = comparator(left.lists().values(), right.lists().values())?;
    let pair = |row: usize| {
        let (own, other) = (range(left.lists(), left.at(row)?), range(right.lists(), right.at(row)?));
        Some(value(own, other, &order))
    };
    Ok((0..args.rows).map(pair).collect())
}

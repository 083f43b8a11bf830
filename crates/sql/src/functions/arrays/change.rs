//! Arrays made of others.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use springtide_types::{Result, SqlError, SqlState};

use super::polymorphic::{Args, Column, several_dimensions};
use crate::lists::{ListsOf, comparator, range};

/// Sources by which the results of a function are put together: the elements of its array, and its second argument.
const OWN: usize = 0;
const OTHER: usize = 1;

/// `array_append(array, element)`. NULL is no element long.
pub(super) fn append(args: &Args) -> Result<ArrayRef> {
    extended(args, args.column(0), args.column(1), false)
}

/// `array_prepend(element, array)`
pub(super) fn prepend(args: &Args) -> Result<ArrayRef> {
    extended(args, args.column(1), args.column(0), true)
}

fn extended(args: &Args, arrays: &Column, elements: &Column, before: bool) -> Result<ArrayRef> {
    let lists = arrays.lists();
    let mut made = ListsOf::new(vec![lists.values(), &elements.values]);
    for row in 0..args.rows {
        if before {
            made.pick(OTHER, elements.position(row));
        }
        if let Some(at) = arrays.at(row) {
            made.pick_all(OWN, range(lists, at));
        }
        if !before {
            made.pick(OTHER, elements.position(row));
        }
        made.end();
    }
    made.finish()
}

/// `array_cat(array, array)`. NULL is the other one.
pub(super) fn cat(args: &Args) -> Result<ArrayRef> {
    let (left, right) = (args.column(0), args.column(1));
    let mut made = ListsOf::new(vec![left.lists().values(), right.lists().values()]);
    for row in 0..args.rows {
        let found = (left.at(row), right.at(row));
        if found == (None, None) {
            made.null();
            continue;
        }
        if let Some(at) = found.0 {
            made.pick_all(OWN, range(left.lists(), at));
        }
        if let Some(at) = found.1 {
            made.pick_all(OTHER, range(right.lists(), at));
        }
        made.end();
    }
    made.finish()
}

/// `array_remove(array, element)`. NULL equals NULL.
pub(super) fn remove(args: &Args) -> Result<ArrayRef> {
    let (arrays, sought) = (args.column(0), args.column(1));
    let lists = arrays.lists();
    let compare = comparator(lists.values(), &sought.values)?;
    let mut made = ListsOf::new(vec![lists.values()]);
    for row in 0..args.rows {
        let Some(at) = arrays.at(row) else {
            made.null();
            continue;
        };
        let sought = sought.position(row);
        range(lists, at)
            .filter(|element| compare(*element, sought).is_ne())
            .for_each(|at| made.pick(OWN, at));
        made.end();
    }
    made.finish()
}

/// `array_replace(array, from, to)`. NULL equals NULL.
pub(super) fn replace(args: &Args) -> Result<ArrayRef> {
    let (arrays, from, to) = (args.column(0), args.column(1), args.column(2));
    let lists = arrays.lists();
    let compare = comparator(lists.values(), &from.values)?;
    let mut made = ListsOf::new(vec![lists.values(), &to.values]);
    for row in 0..args.rows {
        let Some(at) = arrays.at(row) else {
            made.null();
            continue;
        };
        for element in range(lists, at) {
            match compare(element, from.position(row)).is_eq() {
                true => made.pick(OTHER, to.position(row)),
                false => made.pick(OWN, element),
            }
        }
        made.end();
    }
    made.finish()
}

/// `array[first:last]`; what lies outside of the array is left out.
pub(super) fn slice(args: &Args) -> Result<ArrayRef> {
    let (arrays, first, last) = (args.column(0), args.column(1), args.column(2));
    let lists = arrays.lists();
    let mut made = ListsOf::new(vec![lists.values()]);
    for row in 0..args.rows {
        let (Some(at), Some(first), Some(last)) = (arrays.at(row), first.number(row), last.number(row))
        else {
            made.null();
            continue;
        };
        let all = range(lists, at);
        let skipped = (first.max(1) as usize - 1).min(all.len());
        let end = (last.max(0) as usize).min(all.len());
        made.pick_all(OWN, all.start + skipped..all.start + end.max(skipped));
        made.end();
    }
    made.finish()
}

/// `trim_array(array, n)`: without the last n elements.
pub(super) fn trim(args: &Args) -> Result<ArrayRef> {
    let (arrays, count) = (args.column(0), args.column(1));
    let lists = arrays.lists();
    let mut made = ListsOf::new(vec![lists.values()]);
    for row in 0..args.rows {
        let (Some(at), Some(count)) = (arrays.at(row), count.number(row)) else {
            made.null();
            continue;
        };
        let all = range(lists, at);
        let Some(kept) = usize::try_from(count).ok().and_then(|count| all.len().checked_sub(count)) else {
            let message = format!("number of elements to trim must be between 0 and {}", all.len());
            return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
        };
        made.pick_all(OWN, all.start..all.start + kept);
        made.end();
    }
    made.finish()
}

/// Elements that PostgreSQL lets an array have, at most.
const MOST_ELEMENTS: i32 = 134_217_727;

/// `array_fill(element, {length} [, {1}])`
pub(super) fn fill(args: &Args) -> Result<ArrayRef> {
    let (element, lengths) = (args.column(0), args.column(1));
    let mut made = ListsOf::new(vec![&element.values]);
    for row in 0..args.rows {
        if args.optional(2).map_or(Ok(None), |lower| only_number(lower, row))?.is_some_and(|lower| lower != 1)
        {
            return Err(SqlError::unsupported("an array whose subscripts do not begin at 1"));
        }
        let length = only_number(lengths, row)?.unwrap_or(0);
        if length > MOST_ELEMENTS {
            let message = format!("array size exceeds the maximum allowed ({MOST_ELEMENTS})");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        (0..length).for_each(|_| made.pick(0, element.position(row)));
        made.end();
    }
    made.finish()
}

/// The number in an array of one; `None` if the array is empty.
fn only_number(arrays: &Column, row: usize) -> Result<Option<i32>> {
    let null = |what: &str| SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, what);
    let missing = "dimension array or low bound array cannot be null";
    let all = range(arrays.lists(), arrays.at(row).ok_or_else(|| null(missing))?);
    let numbers = arrays.lists().values();
    match all.len() {
        0 => Ok(None),
        1 if numbers.is_null(all.start) => Err(null("dimension values cannot be null")),
        1 => Ok(Some(numbers.as_primitive::<Int32Type>().value(all.start))),
        _ => Err(several_dimensions()),
    }
}

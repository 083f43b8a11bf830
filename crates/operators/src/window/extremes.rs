//! Greatest and least values of frames that begin or end with their partition.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, UInt32Array, make_comparator};
use arrow::compute::SortOptions;
use springtide_plan::{Bound, Frame, arrow_error};
use springtide_types::Result;

use super::function::bounds;
use super::peers::Peers;
use super::scope::{Part, Scope};

/// Where the greatest, or least, value of each wanted row's frame is. From one row to the next such a frame only gains rows,
/// in one direction, so that a pass in that direction finds all. O(rows that are read).
pub(super) fn extremes(
    values: &ArrayRef,
    greatest: bool,
    frame: Frame,
    scope: &Scope,
    peers: &Peers,
) -> Result<UInt32Array> {
    let compare =
        make_comparator(values, values, SortOptions::default()).map_err(|error| arrow_error(&error))?;
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    let nulls = values.nulls();
    let better = |best: Option<u32>, row: usize| match best {
        _ if nulls.is_some_and(|nulls| nulls.is_null(row)) => best,
        Some(other) if compare(row, other as usize) != wanted => best,
        _ => Some(row as u32),
    };
    let mut found = Vec::new();
    // The best of the rows of a part up to each of its rows, or from it on.
    let mut bests = Vec::new();
    for part in scope.parts() {
        let Part { read, wanted } = part;
        bests.clear();
        bests.push(None);
        let mut best = None;
        let mut next = |row| {
            best = better(best, row);
            bests.push(best);
        };
        let forwards = frame.start == Bound::Partition;
        if forwards {
            read.clone().for_each(&mut next);
        } else {
            read.clone().rev().for_each(&mut next);
        }
        found.extend(wanted.clone().map(|row| {
            let frame = bounds(frame, part, row, peers);
            let rows = if forwards { frame.end - read.start } else { read.end - frame.start };
            if frame.is_empty() { None } else { bests[rows] }
        }));
    }
    Ok(found.into_iter().collect())
}

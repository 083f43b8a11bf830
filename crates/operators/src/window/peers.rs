//! Which rows have the same values of ORDER BY.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::compute::partition;
use springtide_plan::arrow_error;
use springtide_types::Result;

use super::scope::Scope;

/// The peers of each row of a scope, itself included.
#[derive(Default)]
pub(super) struct Peers {
    of: Vec<(u32, u32)>,
}

impl Peers {
    /// Finds the peers: neighbours of one partition that have the same values in all of `columns`.
    pub(super) fn find(scope: &Scope, columns: &[ArrayRef]) -> Result<Peers> {
        let mut begins = vec![false; scope.rows().len()];
        for part in scope.parts() {
            begins[part.read.start] = true;
        }
        if !columns.is_empty() && !begins.is_empty() {
            let groups = partition(columns).map_err(|error| arrow_error(&error))?;
            groups.ranges().into_iter().for_each(|range| begins[range.start] = true);
        }
        let mut of = Vec::with_capacity(begins.len());
        for group in groups(&begins) {
            of.extend(std::iter::repeat_n((group.start as u32, group.end as u32), group.len()));
        }
        Ok(Peers { of })
    }

    pub(super) fn of(&self, row: usize) -> Range<usize> {
        let (start, end) = self.of[row];
        start as usize..end as usize
    }
}

fn groups(begins: &[bool]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = start;
        if first == begins.len() {
            return None;
        }
        start = (first + 1..begins.len()).find(|row| begins[*row]).unwrap_or(begins.len());
        Some(first..start)
    })
}

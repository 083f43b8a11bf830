//! `(start, end) OVERLAPS (start, end)`, where an end may be told by an interval.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Time64MicrosecondType, TimestampMicrosecondType};
use springtide_types::Result;

use crate::functions::temporal_arithmetic::later;
use crate::functions::typed::Args;

pub(super) fn overlaps(args: &Args<'_>) -> Result<ArrayRef> {
    let (one, other) = (Periods::of(args, 0)?, Periods::of(args, 2)?);
    let overlap = (0..args.rows).map(|row| overlap(one.get(row), other.get(row)));
    Ok(Arc::new(overlap.collect::<BooleanArray>()))
}

struct Periods {
    starts: ArrayRef,
    ends: ArrayRef,
}

impl Periods {
    fn of(args: &Args<'_>, position: usize) -> Result<Periods> {
        let starts = args.array(position)?;
        let ends = match args.data_type(position + 1) {
            DataType::Interval(_) => later(starts.clone(), args.array(position + 1)?)?,
            _ => args.array(position + 1)?,
        };
        Ok(Periods { starts, ends })
    }

    /// Start and end, the earlier one first; without a start, the end is it.
    fn get(&self, row: usize) -> (Option<i64>, Option<i64>) {
        let value = |array: &ArrayRef| {
            array.is_valid(row).then(|| match array.data_type() {
                DataType::Time64(_) => array.as_primitive::<Time64MicrosecondType>().value(row),
                _ => array.as_primitive::<TimestampMicrosecondType>().value(row),
            })
        };
        match (value(&self.starts), value(&self.ends)) {
            (None, end) => (end, None),
            (Some(start), Some(end)) if start > end => (Some(end), Some(start)),
            period => period,
        }
    }
}

/// Whether they do; `None` where that depends on what is NULL.
fn overlap(one: (Option<i64>, Option<i64>), other: (Option<i64>, Option<i64>)) -> Option<bool> {
    let ((start, end), (other_start, other_end)) = ((one.0?, one.1), (other.0?, other.1));
    match start.cmp(&other_start) {
        Ordering::Greater if start < other_end? => Some(true),
        Ordering::Greater => end.map(|_| false),
        Ordering::Less if other_start < end? => Some(true),
        Ordering::Less => other_end.map(|_| false),
        Ordering::Equal => end.and(other_end).map(|_| true),
    }
}

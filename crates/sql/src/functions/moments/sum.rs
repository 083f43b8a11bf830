//! `date_add`, `date_subtract`, and the timestamp at which a day has come to a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_datetime::{Interval, current};
use springtide_types::{Result, SqlType};

use super::zones::Zones;
use crate::functions::temporal_arithmetic::{date_with_time, moved_in};
use crate::functions::typed::Args;
use crate::temporal::convert;

pub(super) fn add(args: &Args<'_>) -> Result<ArrayRef> {
    moved(args, false)
}

pub(super) fn subtract(args: &Args<'_>) -> Result<ArrayRef> {
    moved(args, true)
}

/// By the clocks of the session, or of a zone that is given.
fn moved(args: &Args<'_>, minus: bool) -> Result<ArrayRef> {
    let (moments, intervals) = (args.array(0)?, args.array(1)?);
    let (moments, intervals) = (
        moments.as_primitive::<TimestampMicrosecondType>(),
        intervals.as_primitive::<IntervalMonthDayNanoType>(),
    );
    let mut zones = match args.len() {
        3 => Zones::of(args, 2)?,
        _ => Zones::Session(current().zone.clone()),
    };
    let moved = (0..args.rows).map(|row| {
        let Some(zone) = zones.get(row)? else { return Ok(None) };
        if moments.is_null(row) || intervals.is_null(row) {
            return Ok(None);
        }
        moved_in(moments.value(row), Interval::from_arrow(intervals.value(row)), minus, Some(&zone)).map(Some)
    });
    let moved = moved.collect::<Result<PrimitiveArray<TimestampMicrosecondType>>>()?;
    Ok(Arc::new(moved.with_data_type(SqlType::Timestamptz.arrow())))
}

/// `timestamptz(date, time)`
pub(super) fn at_time(args: &Args<'_>) -> Result<ArrayRef> {
    let sums = date_with_time(args.array(0)?, args.array(1)?)?;
    match sums.data_type() {
        DataType::Timestamp(_, None) => convert(&sums, SqlType::Timestamptz),
        _ => Ok(sums),
    }
}

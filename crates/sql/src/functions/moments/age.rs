//! `age(later, earlier)`: a difference in years, months and days, as people count them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_datetime::{Civil, DAY, Interval, LATE, current, days_in_month, is_finite, out_of_range};
use springtide_types::Result;

use crate::functions::typed::Args;

pub(super) fn age(args: &Args<'_>) -> Result<ArrayRef> {
    let (ends, starts) = (args.array(0)?, args.array(1)?);
    ages(&ends, &starts)
}

/// How old something is at the beginning of today.
pub(super) fn age_today(args: &Args<'_>) -> Result<ArrayRef> {
    let starts = args.array(0)?;
    let style = current();
    let midnight = Civil { time: 0, ..style.clock() };
    let zoned = matches!(starts.data_type(), DataType::Timestamp(_, Some(_)));
    let today = if zoned { style.zone.to_utc(&midnight) } else { midnight.micros() };
    let today = today.ok_or_else(|| out_of_range("timestamp"))?;
    let ends = PrimitiveArray::<TimestampMicrosecondType>::from_value(today, starts.len());
    let ends: ArrayRef = Arc::new(ends.with_data_type(starts.data_type().clone()));
    ages(&ends, &starts)
}

fn ages(ends: &ArrayRef, starts: &ArrayRef) -> Result<ArrayRef> {
    let zoned = matches!(ends.data_type(), DataType::Timestamp(_, Some(_)));
    let style = current();
    let local = |micros: i64| if zoned { style.zone.to_local(micros).unwrap_or(micros) } else { micros };
    let ends = ends.as_primitive::<TimestampMicrosecondType>();
    let starts = starts.as_primitive::<TimestampMicrosecondType>();
    let age = |row: usize| {
        if ends.is_null(row) || starts.is_null(row) {
            return Ok(None);
        }
        let (end, start) = (ends.value(row), starts.value(row));
        match (is_finite(end), is_finite(start)) {
            (true, true) => between(local(end), local(start)).map(Some),
            (false, false) if end == start => Err(out_of_range("interval")),
            (false, _) => infinite(end == LATE).map(Some),
            (true, false) => infinite(start != LATE).map(Some),
        }
    };
    let ages = (0..ends.len()).map(age).collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?;
    Ok(Arc::new(ages))
}

fn infinite(late: bool) -> Result<IntervalMonthDayNano> {
    (if late { Interval::LATE } else { Interval::EARLY }).to_arrow()
}

fn between(end: i64, start: i64) -> Result<IntervalMonthDayNano> {
    let (later, earlier, sign) = if end >= start { (end, start, 1) } else { (start, end, -1) };
    let (until, since) = (Civil::from_micros(later), Civil::from_micros(earlier));
    let (mut time, mut days) = (until.time - since.time, until.day - since.day);
    let mut months = (until.year - since.year) * 12 + until.month - since.month;
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    // A month that is not complete counts as many days as the one in which the earlier moment lies.
    let borrowed = days_in_month(since.year, since.month);
    while days < 0 {
        days += borrowed;
        months -= 1;
    }
    Interval::new(sign * months as i32, sign * days as i32, i64::from(sign) * time).to_arrow()
}

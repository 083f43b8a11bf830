//! `age(later, earlier)`: a difference in years, months and days, as people count them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_types::Result;

use crate::functions::typed::Args;
use springtide_datetime::{DAY, civil_from_days, days_in_month};

pub(super) fn age(args: &Args<'_>) -> Result<ArrayRef> {
    let (ends, starts) = (args.array(0)?, args.array(1)?);
    let ends = ends.as_primitive::<TimestampMicrosecondType>();
    let starts = starts.as_primitive::<TimestampMicrosecondType>();
    let age = |row: usize| {
        let valid = ends.is_valid(row) && starts.is_valid(row);
        valid.then(|| between(ends.value(row), starts.value(row)))
    };
    Ok(Arc::new((0..args.rows).map(age).collect::<PrimitiveArray<IntervalMonthDayNanoType>>()))
}

fn between(end: i64, start: i64) -> IntervalMonthDayNano {
    let (later, earlier, sign) = if end >= start { (end, start, 1) } else { (start, end, -1) };
    let (year, month, day) = civil_from_days(later.div_euclid(DAY));
    let (since_year, since_month, since_day) = civil_from_days(earlier.div_euclid(DAY));
    let mut time = later.rem_euclid(DAY) - earlier.rem_euclid(DAY);
    let mut days = day - since_day;
    let mut months = (year - since_year) * 12 + month - since_month;
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    // A month that is not complete counts as many days as the one in which the earlier moment lies.
    let borrowed = days_in_month(since_year, since_month);
    while days < 0 {
        days += borrowed;
        months -= 1;
    }
    IntervalMonthDayNano::new(sign * months as i32, sign * days as i32, i64::from(sign) * time * 1000)
}

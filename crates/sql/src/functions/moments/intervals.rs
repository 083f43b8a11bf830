//! Functions of intervals, and the infinities of all types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use springtide_datetime::{DAY, HOUR, Interval, MINUTE, is_finite, is_finite_date, out_of_range};
use springtide_types::Result;

use crate::functions::typed::Args;

fn each(args: &Args<'_>, value: fn(Interval) -> Result<Interval>) -> Result<ArrayRef> {
    let intervals = args.array(0)?;
    let changed = intervals.as_primitive::<IntervalMonthDayNanoType>().iter().map(|interval| {
        let Some(interval) = interval else { return Ok(None) };
        value(Interval::from_arrow(interval))?.to_arrow().map(Some)
    });
    Ok(Arc::new(changed.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?))
}

pub(super) fn justify_days(args: &Args<'_>) -> Result<ArrayRef> {
    each(args, Interval::justify_days)
}

pub(super) fn justify_hours(args: &Args<'_>) -> Result<ArrayRef> {
    each(args, Interval::justify_hours)
}

pub(super) fn justify_interval(args: &Args<'_>) -> Result<ArrayRef> {
    each(args, Interval::justify)
}

/// `isfinite(x)`
pub(super) fn finite(args: &Args<'_>) -> Result<ArrayRef> {
    let values = args.array(0)?;
    let finite: BooleanArray = match values.data_type() {
        DataType::Date32 => {
            values.as_primitive::<Date32Type>().iter().map(|days| days.map(is_finite_date)).collect()
        }
        DataType::Interval(_) => values
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .map(|interval| interval.map(|interval| Interval::from_arrow(interval).is_finite()))
            .collect(),
        _ => {
            let moments = values.as_primitive::<TimestampMicrosecondType>().iter();
            moments.map(|micros| micros.map(is_finite)).collect()
        }
    };
    Ok(Arc::new(finite))
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`, each 0 unless it is given.
pub(super) fn make(args: &Args<'_>) -> Result<ArrayRef> {
    let numbers = (0..6).map(|position| args.int4_or(position, 0)).collect::<Result<Vec<_>>>()?;
    let seconds = if args.len() > 6 { Some(args.values::<Float64Type>(6)?) } else { None };
    let interval = |row: usize| {
        let values = numbers.iter().map(|number| number.get(row)).collect::<Option<Vec<_>>>();
        let seconds = seconds.as_ref().map_or(Some(0.0), |seconds| seconds.get(row));
        let (Some(values), Some(seconds)) = (values, seconds) else { return Ok(None) };
        let error = || out_of_range("interval");
        let sum = || {
            let months = values[0].checked_mul(12)?.checked_add(values[1])?;
            let days = values[2].checked_mul(7)?.checked_add(values[3])?;
            let micros = (seconds * 1e6).round_ties_even();
            let fits = micros >= -(2_f64.powi(63)) && micros < 2_f64.powi(63);
            let time = i64::from(values[4]) * HOUR + i64::from(values[5]) * MINUTE;
            let micros = time.checked_add(fits.then_some(micros as i64)?)?;
            Some(Interval::new(months, days, micros))
        };
        sum().filter(|sum| sum.is_finite()).ok_or_else(error)?.to_arrow().map(Some)
    };
    let made = (0..args.rows).map(interval);
    Ok(Arc::new(made.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?))
}

/// The lengths by which intervals compare.
pub(super) fn length(args: &Args<'_>) -> Result<ArrayRef> {
    let intervals = args.array(0)?;
    let lengths = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let lengths = lengths.unary::<_, Decimal128Type>(|interval| Interval::from_arrow(interval).span());
    let lengths = lengths.with_precision_and_scale(38, 0);
    Ok(Arc::new(lengths.map_err(|error| springtide_plan::arrow_error(&error))?))
}

/// The length of an interval that counts no months. It is positive.
pub(super) fn fixed_length(interval: Interval) -> Option<i64> {
    i64::from(interval.days).checked_mul(DAY)?.checked_add(interval.micros)
}

//! Dates and timestamps from numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, PrimitiveArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::out_of_range;
use crate::functions::typed::Args;
use springtide_datetime::{DAY, HOUR, MINUTE, days_from_civil, days_in_month};

/// `make_date(year, month, day)`; years before Christ are negative.
pub(super) fn date(args: &Args<'_>) -> Result<ArrayRef> {
    let (years, months, days) = (args.int4_or(0, 0)?, args.int4_or(1, 0)?, args.int4_or(2, 0)?);
    let date = |row| match (years.get(row), months.get(row), days.get(row)) {
        (Some(year), Some(month), Some(day)) => day_number(year, month, day).map(Some),
        _ => Ok(None),
    };
    Ok(Arc::new((0..args.rows).map(date).collect::<Result<Date32Array>>()?))
}

/// Days since 1970.
fn day_number(year: i32, month: i32, day: i32) -> Result<i32> {
    let out_of_range = || {
        let message = format!("date field value out of range: {year}-{month:02}-{day:02}");
        SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
    };
    let (shown, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    // The year before 1 AD is 1 BC.
    let year = if shown < 0 { shown + 1 } else { shown };
    let valid = shown != 0 && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    let days = Some(()).filter(|()| valid).map(|()| days_from_civil(year, month, day));
    days.and_then(|days| i32::try_from(days).ok()).ok_or_else(out_of_range)
}

/// `make_timestamp(year, month, day, hour, minute, seconds)`, also with a time zone, which is UTC.
pub(super) fn timestamp(args: &Args<'_>) -> Result<ArrayRef> {
    let days = date(args)?;
    let days = days.as_primitive::<arrow::datatypes::Date32Type>();
    let (hours, minutes, seconds) = (args.int4_or(3, 0)?, args.int4_or(4, 0)?, args.array(5)?);
    let seconds = seconds.as_primitive::<Float64Type>();
    let moment = |row| {
        let (Some(hour), Some(minute)) = (hours.get(row), minutes.get(row)) else { return Ok(None) };
        if days.is_null(row) || seconds.is_null(row) {
            return Ok(None);
        }
        let time = time_of_day(hour, minute, seconds.value(row))?;
        let day = i64::from(days.value(row)).checked_mul(DAY);
        day.and_then(|day| day.checked_add(time)).map(Some).ok_or_else(out_of_range)
    };
    timestamps((0..args.rows).map(moment), SqlType::Timestamp)
}

/// In microseconds.
fn time_of_day(hour: i32, minute: i32, seconds: f64) -> Result<i64> {
    let micros = (seconds * 1e6).round_ties_even();
    let time = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + micros as i64;
    let valid = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&seconds);
    if valid && time <= DAY {
        return Ok(time);
    }
    let message = format!("time field value out of range: {hour}:{minute:02}:{seconds:02}");
    Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message))
}

/// `to_timestamp(seconds since 1970)`
pub(super) fn from_epoch(args: &Args<'_>) -> Result<ArrayRef> {
    let seconds = args.array(0)?;
    let seconds = seconds.as_primitive::<Float64Type>();
    let moments = seconds.iter().map(|seconds| seconds.map(moment).transpose());
    timestamps(moments, SqlType::Timestamptz)
}

fn moment(seconds: f64) -> Result<i64> {
    /// 4714 BC, where Julian days begin, and the end of the year 294276.
    const RANGE: std::ops::Range<f64> = -210_866_803_200.0..9_224_318_016_000.0;
    /// From 1970 to 2000, from which PostgreSQL counts; the rounding depends on it.
    const TO_2000: f64 = 946_684_800.0;
    if seconds.is_nan() {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if !RANGE.contains(&seconds) {
        let message = format!("timestamp out of range: \"{seconds}\"");
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    let since_2000 = ((seconds - TO_2000) * 1e6).round_ties_even() as i64;
    since_2000.checked_add(TO_2000 as i64 * 1_000_000).ok_or_else(out_of_range)
}

fn timestamps(moments: impl Iterator<Item = Result<Option<i64>>>, sql_type: SqlType) -> Result<ArrayRef> {
    let moments = moments.collect::<Result<PrimitiveArray<TimestampMicrosecondType>>>()?;
    Ok(Arc::new(moments.with_data_type(sql_type.arrow())))
}

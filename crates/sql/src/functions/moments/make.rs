//! Dates and timestamps from numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, PrimitiveArray};
use arrow::datatypes::{Float64Type, Time64MicrosecondType, TimestampMicrosecondType};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::out_of_range;
use super::zones::signed_zone;
use crate::functions::typed::Args;
use springtide_datetime::{
    Civil, DAY, EARLY, HOUR, LATE, MINUTE, SECOND, current, days_from_civil, days_in_month, valid_date,
    valid_timestamp,
};

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
    days.and_then(valid_date).ok_or_else(out_of_range)
}

/// `make_time(hour, minute, seconds)`
pub(super) fn time(args: &Args<'_>) -> Result<ArrayRef> {
    let (hours, minutes, seconds) =
        (args.int4_or(0, 0)?, args.int4_or(1, 0)?, args.values::<Float64Type>(2)?);
    let time = |row| match (hours.get(row), minutes.get(row), seconds.get(row)) {
        (Some(hour), Some(minute), Some(seconds)) => time_of_day(hour, minute, seconds).map(Some),
        _ => Ok(None),
    };
    Ok(Arc::new((0..args.rows).map(time).collect::<Result<PrimitiveArray<Time64MicrosecondType>>>()?))
}

/// `make_timestamp(year, month, day, hour, minute, seconds)`
pub(super) fn timestamp(args: &Args<'_>) -> Result<ArrayRef> {
    timestamps(shown(args)?.into_iter().map(Ok), SqlType::Timestamp)
}

/// The same by the clocks of the session, or of a zone that is given.
pub(super) fn timestamptz(args: &Args<'_>) -> Result<ArrayRef> {
    let shown = shown(args)?;
    let style = current();
    let zones = (args.len() > 6).then(|| args.text(6));
    let moment = |(row, shown): (usize, Option<i64>)| {
        let Some(shown) = shown else { return Ok(None) };
        let civil = Civil::from_micros(shown);
        let east = match zones {
            None => style.zone.east_when(&civil),
            Some(zones) => match zones.get(row) {
                Some(name) => signed_zone(name)?.east_when(&civil),
                None => return Ok(None),
            },
        };
        let moment = shown.checked_sub(i64::from(east) * SECOND).and_then(valid_timestamp);
        moment.map(Some).ok_or_else(out_of_range)
    };
    timestamps(shown.into_iter().enumerate().map(moment), SqlType::Timestamptz)
}

/// What clocks show.
fn shown(args: &Args<'_>) -> Result<Vec<Option<i64>>> {
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
        let moment = day.and_then(|day| day.checked_add(time)).and_then(valid_timestamp);
        moment.map(Some).ok_or_else(out_of_range)
    };
    (0..args.rows).map(moment).collect()
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
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { LATE } else { EARLY });
    }
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

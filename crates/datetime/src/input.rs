//! Dates and times from their texts, in all of PostgreSQL's forms.

use springtide_types::{Result, SqlError, SqlState};

use crate::TimeTz;
use crate::calendar::{DAY, END_OF_DATES, FIRST_DAY, SECOND};
use crate::decode::{Decoded, date_time, time_only};
use crate::error::Fault;
use crate::scan::fields;
use crate::style::{Style, current};

/// What stands for `infinity` among dates.
pub const LATE_DATE: i32 = i32::MAX;
/// What stands for `-infinity` among dates.
pub const EARLY_DATE: i32 = i32::MIN;
/// What stands for `infinity` among timestamps.
pub const LATE: i64 = i64::MAX;
/// What stands for `-infinity` among timestamps.
pub const EARLY: i64 = i64::MIN;

/// Whether a timestamp is neither `infinity` nor `-infinity`.
pub fn is_finite(micros: i64) -> bool {
    micros != LATE && micros != EARLY
}

/// Whether a date is neither `infinity` nor `-infinity`.
pub fn is_finite_date(days: i32) -> bool {
    days != LATE_DATE && days != EARLY_DATE
}

/// A timestamp, if there is one of so many microseconds since 1970.
pub fn valid_timestamp(micros: i64) -> Option<i64> {
    (micros >= FIRST_DAY * DAY && micros != LATE).then_some(micros)
}

/// A date, if there is one of so many days since 1970.
pub fn valid_date(days: i64) -> Option<i32> {
    (FIRST_DAY..END_OF_DATES).contains(&days).then_some(days as i32)
}

fn decode(text: &str, type_name: &str, style: &Style) -> Result<Decoded> {
    let decoded = fields(text).ok_or(Fault::Format).and_then(|fields| date_time(&fields, style));
    decoded.map_err(|fault| fault.of(text, type_name))
}

fn out_of_range(text: &str, type_name: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{type_name} out of range: \"{text}\""))
}

/// Days since 1970-01-01.
pub fn parse_date(text: &str) -> Result<i32> {
    let style = current();
    Ok(match decode(text, "date", &style)? {
        Decoded::Moment(civil, _) => valid_date(civil.days()).ok_or_else(|| out_of_range(text, "date"))?,
        Decoded::Epoch => 0,
        Decoded::Late => LATE_DATE,
        Decoded::Early => EARLY_DATE,
    })
}

/// Microseconds since 1970; a zone in the text is ignored.
pub fn parse_timestamp(text: &str) -> Result<i64> {
    let style = current();
    moment(text, "timestamp", &style, |civil, _| civil.micros())
}

/// Microseconds since 1970 UTC; without a zone the text is in that of the session.
pub fn parse_timestamptz(text: &str) -> Result<i64> {
    let style = current();
    moment(text, "timestamp with time zone", &style, |civil, east| {
        civil.micros()?.checked_sub(i64::from(east) * SECOND)
    })
}

fn moment(
    text: &str,
    type_name: &str,
    style: &Style,
    micros: impl Fn(&crate::Civil, i32) -> Option<i64>,
) -> Result<i64> {
    Ok(match decode(text, type_name, style)? {
        Decoded::Moment(civil, east) => {
            micros(&civil, east).and_then(valid_timestamp).ok_or_else(|| out_of_range(text, "timestamp"))?
        }
        Decoded::Epoch => 0,
        Decoded::Late => LATE,
        Decoded::Early => EARLY,
    })
}

/// `+02:30`, seconds east of UTC: `None` if it is not written as such, an error if it is too far.
pub fn parse_displacement(text: &str) -> Option<Result<i32>> {
    match crate::number::displacement(text) {
        Ok(east) => Some(Ok(east)),
        Err(Fault::Displacement) => Some(Err(Fault::Displacement.of(text, "time zone"))),
        Err(_) => None,
    }
}

fn decode_time(text: &str, type_name: &str) -> Result<(i64, i32)> {
    let style = current();
    let decoded = fields(text).ok_or(Fault::Format).and_then(|fields| time_only(&fields, &style));
    decoded.map_err(|fault| fault.of(text, type_name))
}

/// Microseconds since midnight; a zone in the text is ignored.
pub fn parse_time(text: &str) -> Result<i64> {
    decode_time(text, "time").map(|(time, _)| time)
}

/// A time of day in a zone; without one in the text, in that of the session.
pub fn parse_timetz(text: &str) -> Result<TimeTz> {
    decode_time(text, "time with time zone").map(|(time, east)| TimeTz { time, east })
}

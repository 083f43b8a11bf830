//! `date_trunc(unit, moment)`

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_types::{Result, SqlError, SqlState};

use super::zones::Zones;
use super::{out_of_range, type_name};
use crate::functions::typed::Args;
use springtide_datetime::{
    Civil, DAY, HOUR, Interval, MINUTE, Named, SECOND, civil_from_days, current, days_from_civil, is_finite,
    valid_timestamp,
};

#[derive(Clone, Copy)]
enum Unit {
    /// Of so many microseconds.
    Time(i64),
    Week,
    /// Of so many months.
    Months(i64),
    /// So many years, the last of which has a number that they divide.
    Century(i64),
}

impl Unit {
    fn from_name(name: &str, of: &DataType) -> Result<Unit> {
        Ok(match name.trim().to_lowercase().as_str() {
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Unit::Time(1),
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Unit::Time(1000),
            "second" | "seconds" | "s" | "sec" | "secs" => Unit::Time(SECOND),
            "minute" | "minutes" | "m" | "min" | "mins" => Unit::Time(MINUTE),
            "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Time(HOUR),
            "day" | "days" | "d" => Unit::Time(DAY),
            "week" | "weeks" | "w" => Unit::Week,
            "month" | "months" | "mon" | "mons" => Unit::Months(1),
            "quarter" | "qtr" => Unit::Months(3),
            "year" | "years" | "y" | "yr" | "yrs" => Unit::Months(12),
            "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
            "century" | "centuries" | "c" | "cent" => Unit::Century(100),
            "millennium" | "millennia" | "mil" | "mils" => Unit::Century(1000),
            _ => {
                // What is a field of a moment, but no length of time.
                let (state, what) = match name.trim().to_lowercase().as_str() {
                    "timezone" | "timezone_h" | "timezone_m" => {
                        (SqlState::FEATURE_NOT_SUPPORTED, "supported")
                    }
                    _ => (SqlState::INVALID_PARAMETER_VALUE, "recognized"),
                };
                let message = format!("unit \"{name}\" not {what} for type {}", type_name(of));
                return Err(SqlError::new(state, message));
            }
        })
    }

    /// The start of the unit that holds a moment, both in microseconds since 1970.
    fn start(self, micros: i64) -> Option<i64> {
        let days = micros.div_euclid(DAY);
        let first = match self {
            Unit::Time(length) => return micros.checked_sub(micros.rem_euclid(length)),
            // 1970 began on a Thursday.
            Unit::Week => days - (days + 3).rem_euclid(7),
            Unit::Months(length) => {
                let (year, month, _) = civil_from_days(days);
                let months = year * 12 + month - 1;
                let first = months - months.rem_euclid(length);
                days_from_civil(first.div_euclid(12), first.rem_euclid(12) + 1, 1)
            }
            Unit::Century(length) => {
                let (year, _, _) = civil_from_days(days);
                days_from_civil((year - 1).div_euclid(length) * length + 1, 1, 1)
            }
        };
        first.checked_mul(DAY)
    }

    /// The same by the clocks of a zone. What is no longer than an hour has the offset of the moment.
    fn start_in(self, micros: i64, zone: &Named) -> Option<i64> {
        let east = i64::from(zone.east_at(micros)) * SECOND;
        let start = self.start(micros.checked_add(east)?)?;
        match self {
            Unit::Time(length) if length < DAY => start.checked_sub(east),
            _ => start.checked_sub(i64::from(zone.east_when(&Civil::from_micros(start))) * SECOND),
        }
    }

    /// The interval without what is smaller than the unit.
    fn cut(self, interval: IntervalMonthDayNano, name: &str) -> Result<IntervalMonthDayNano> {
        if !Interval::from_arrow(interval).is_finite() && !matches!(self, Unit::Week) {
            return Ok(interval);
        }
        let IntervalMonthDayNano { months, days, nanoseconds } = interval;
        let whole = |months: i32, length: i64| (i64::from(months) / length * length) as i32;
        Ok(match self {
            Unit::Time(DAY) => IntervalMonthDayNano::new(months, days, 0),
            Unit::Time(length) => {
                IntervalMonthDayNano::new(months, days, nanoseconds - nanoseconds % (length * 1000))
            }
            Unit::Months(length) => IntervalMonthDayNano::new(whole(months, length), 0, 0),
            Unit::Century(years) => IntervalMonthDayNano::new(whole(months, years * 12), 0, 0),
            Unit::Week => {
                let message = format!("unit \"{name}\" not supported for type interval");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_detail("Months usually have fractional weeks."));
            }
        })
    }
}

/// Of a timestamp, with a time zone or without. One with is cut by the clocks of the session, or of a zone that is given.
pub(super) fn timestamp(args: &Args<'_>) -> Result<ArrayRef> {
    let moments = args.array(1)?;
    let data_type = moments.data_type().clone();
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let zoned = matches!(data_type, DataType::Timestamp(_, Some(_)));
    let zones = RefCell::new(match args.len() {
        3 => Some(Zones::of(args, 2)?),
        _ => zoned.then(|| Zones::Session(current().zone.clone())),
    });
    let starts = each(args, &data_type, |row, unit, _| {
        if moments.is_null(row) {
            return Ok(None);
        }
        let zone = match zones.borrow_mut().as_mut() {
            Some(zones) => match zones.get(row)? {
                None => return Ok(None),
                zone => zone,
            },
            None => None,
        };
        let moment = moments.value(row);
        if !is_finite(moment) {
            return Ok(Some(moment));
        }
        let start = match zone {
            None => unit.start(moment),
            Some(zone) => unit.start_in(moment, &zone),
        };
        start.and_then(valid_timestamp).map(Some).ok_or_else(out_of_range)
    });
    let starts = starts.collect::<Result<PrimitiveArray<TimestampMicrosecondType>>>()?;
    Ok(Arc::new(starts.with_data_type(data_type)))
}

/// Of an interval.
pub(super) fn interval(args: &Args<'_>) -> Result<ArrayRef> {
    let intervals = args.array(1)?;
    let data_type = intervals.data_type().clone();
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let cut = each(args, &data_type, |row, unit, name| {
        intervals.is_valid(row).then(|| unit.cut(intervals.value(row), name)).transpose()
    });
    Ok(Arc::new(cut.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?))
}

/// One value per row, from the unit of the row and its name; NULL without a unit.
fn each<'a, T>(
    args: &'a Args<'_>,
    of: &'a DataType,
    value: impl Fn(usize, Unit, &str) -> Result<Option<T>> + 'a,
) -> impl Iterator<Item = Result<Option<T>>> + 'a {
    let names = args.text(0);
    let mut last = None;
    (0..args.rows).map(move |row| {
        let Some(name) = names.get(row) else { return Ok(None) };
        let unit = match last {
            Some((before, unit)) if before == name => unit,
            _ => Unit::from_name(name, of)?,
        };
        last = Some((name, unit));
        value(row, unit, name)
    })
}

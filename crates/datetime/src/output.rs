//! Dates and times as texts, in the styles of DateStyle.

use std::fmt::Write;

use crate::TimeTz;
use crate::calendar::{Civil, HOUR, MINUTE, SECOND, civil_from_days, day_of_week};
use crate::input::{EARLY, EARLY_DATE, LATE, LATE_DATE};
use crate::style::{DateFormat, DateOrder, Style};
use crate::zone::{Offset, offset_text};

/// The names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The names of the days of the week, from Sunday.
pub const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn put(out: &mut impl Write, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to memory");
}

macro_rules! put {
    ($out:expr, $($argument:tt)*) => { put($out, format_args!($($argument)*)) };
}

/// Writes a date, in days since 1970.
pub fn write_date(days: i32, style: &Style, out: &mut impl Write) {
    match days {
        LATE_DATE => return put!(out, "infinity"),
        EARLY_DATE => return put!(out, "-infinity"),
        _ => {}
    }
    let (year, month, day) = civil_from_days(i64::from(days));
    write_civil_date(year, month, day, style, out);
    era(year, out);
}

fn shown(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

fn era(year: i64, out: &mut impl Write) {
    if year <= 0 {
        put!(out, " BC");
    }
}

fn write_civil_date(year: i64, month: i64, day: i64, style: &Style, out: &mut impl Write) {
    let year = shown(year);
    let by_day = style.date.order == DateOrder::Dmy;
    match style.date.format {
        DateFormat::Iso => put!(out, "{year:04}-{month:02}-{day:02}"),
        DateFormat::Sql if by_day => put!(out, "{day:02}/{month:02}/{year:04}"),
        DateFormat::Sql => put!(out, "{month:02}/{day:02}/{year:04}"),
        DateFormat::German => put!(out, "{day:02}.{month:02}.{year:04}"),
        DateFormat::Postgres if by_day => put!(out, "{day:02}-{month:02}-{year:04}"),
        DateFormat::Postgres => put!(out, "{month:02}-{day:02}-{year:04}"),
    }
}

/// Writes a timestamp without time zone, in microseconds since 1970.
pub fn write_timestamp(micros: i64, style: &Style, out: &mut impl Write) {
    match micros {
        LATE => put!(out, "infinity"),
        EARLY => put!(out, "-infinity"),
        _ => write_civil(micros, None, style, out),
    }
}

/// Writes a timestamp with time zone, in microseconds since 1970 UTC.
pub fn write_timestamptz(micros: i64, style: &Style, out: &mut impl Write) {
    match micros {
        LATE => put!(out, "infinity"),
        EARLY => put!(out, "-infinity"),
        _ => {
            let offset = match style.zone.always() {
                Some(east) if style.date.format == DateFormat::Iso => {
                    Offset { east, abbreviation: String::new() }
                }
                _ => style.zone.offset_at(micros),
            };
            write_civil(micros.saturating_add(i64::from(offset.east) * SECOND), Some(&offset), style, out);
        }
    }
}

fn write_civil(local: i64, offset: Option<&Offset>, style: &Style, out: &mut impl Write) {
    let Civil { year, month, day, time } = Civil::from_micros(local);
    if style.date.format == DateFormat::Postgres {
        let weekday = &WEEKDAYS[day_of_week(Civil { year, month, day, time }.days()) as usize][..3];
        let name = &MONTHS[month as usize - 1][..3];
        match style.date.order {
            DateOrder::Dmy => put!(out, "{weekday} {day:02} {name} "),
            _ => put!(out, "{weekday} {name} {day:02} "),
        }
        write_time(time, out);
        put!(out, " {:04}", shown(year));
    } else {
        write_civil_date(year, month, day, style, out);
        put!(out, " ");
        write_time(time, out);
    }
    if let Some(offset) = offset {
        match style.date.format {
            DateFormat::Iso => put!(out, "{}", offset_text(offset.east)),
            _ if offset.abbreviation.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                put!(out, " {}", offset.abbreviation)
            }
            DateFormat::Postgres => put!(out, " {}", offset_text(offset.east)),
            _ if offset.abbreviation.is_empty() => put!(out, "{}", offset_text(offset.east)),
            _ => put!(out, " {}", offset.abbreviation),
        }
    }
    era(year, out);
}

/// Writes a time of day, in microseconds since midnight: `12:34:56.789`.
pub fn write_time(micros: i64, out: &mut impl Write) {
    put!(out, "{:02}:{:02}:", micros / HOUR, micros / MINUTE % 60);
    write_seconds(micros % MINUTE, 2, out);
}

/// Writes a time of day with its zone: `12:34:56.789+08`.
pub fn write_timetz(value: TimeTz, out: &mut impl Write) {
    write_time(value.time, out);
    put!(out, "{}", offset_text(value.east));
}

/// Writes seconds, with as many decimals as needed.
pub(crate) fn write_seconds(micros: i64, width: usize, out: &mut impl Write) {
    put!(out, "{:0width$}", micros / SECOND);
    let (mut fraction, mut digits) = (micros % SECOND, 6);
    if fraction == 0 {
        return;
    }
    while fraction % 10 == 0 {
        (fraction, digits) = (fraction / 10, digits - 1);
    }
    put!(out, ".{fraction:0digits$}");
}

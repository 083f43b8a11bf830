//! PostgreSQL's text form of intervals (`postgres` style).

use std::fmt::Write;

use arrow::datatypes::IntervalMonthDayNano;
use springtide_types::{Result, SqlError, SqlState};

use crate::datetime::{format_seconds, parse_seconds};

const SECOND: f64 = 1e6;
const DAY: f64 = 86_400.0 * SECOND;

/// Reads `1 year 2 mons -3 days 04:05:06.7`, `1-2`, `P1Y2M3DT4H5M6S`, `1 day ago`.
pub(crate) fn parse_interval(text: &str) -> Result<IntervalMonthDayNano> {
    let parsed = match text.trim().strip_prefix(['P', 'p']) {
        Some(designators) => parse_iso(designators),
        None => parse_words(text),
    };
    let interval = parsed.ok_or_else(|| {
        let message = format!("invalid input syntax for type interval: \"{text}\"");
        SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
    })?;
    interval.build().ok_or_else(|| {
        let message = format!("interval field value out of range: \"{text}\"");
        SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
    })
}

/// Sums of what has been read; fractions of a unit have gone to the next smaller one.
#[derive(Default)]
struct Sum {
    months: f64,
    days: f64,
    micros: f64,
}

impl Sum {
    fn add(&mut self, amount: f64, unit: &str) -> Option<()> {
        match unit {
            "y" | "yr" | "yrs" | "year" | "years" => self.add_months(amount * 12.0),
            "mon" | "mons" | "month" | "months" => self.add_months(amount),
            "decade" | "decades" => self.add_months(amount * 120.0),
            "c" | "century" | "centuries" => self.add_months(amount * 1200.0),
            "millennium" | "millennia" => self.add_months(amount * 12_000.0),
            "w" | "week" | "weeks" => self.add_days(amount * 7.0),
            "d" | "day" | "days" => self.add_days(amount),
            "h" | "hr" | "hrs" | "hour" | "hours" => self.micros += amount * 3600.0 * SECOND,
            "m" | "min" | "mins" | "minute" | "minutes" => self.micros += amount * 60.0 * SECOND,
            "s" | "sec" | "secs" | "second" | "seconds" => self.micros += amount * SECOND,
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => self.micros += amount * 1e3,
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => self.micros += amount,
            _ => return None,
        }
        Some(())
    }

    fn add_months(&mut self, months: f64) {
        // A sixth of a year is two months, whatever the binary fraction says.
        let months = (months * 1e6).round() / 1e6;
        self.months += months.trunc();
        if months.fract() != 0.0 {
            self.add_days(months.fract() * 30.0);
        }
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc();
        self.micros += (days.fract() * DAY).round();
    }

    fn build(&self) -> Option<IntervalMonthDayNano> {
        let small = |value: f64| (value.abs() <= f64::from(i32::MAX)).then_some(value as i32);
        let nanos = (self.micros.round() as i64).checked_mul(1000)?;
        Some(IntervalMonthDayNano::new(small(self.months)?, small(self.days)?, nanos))
    }

    fn negate(self) -> Sum {
        Sum { months: -self.months, days: -self.days, micros: -self.micros }
    }
}

fn parse_words(text: &str) -> Option<Sum> {
    let lower = text.trim().trim_start_matches('@').to_lowercase();
    let spaced = separate_units(&lower);
    let mut words = spaced.split_whitespace().peekable();
    words.peek()?;
    let mut sum = Sum::default();
    while let Some(word) = words.next() {
        if word == "ago" {
            return words.next().is_none().then(|| sum.negate());
        } else if word.contains(':') {
            sum.micros += parse_clock(word)?;
        } else if let Some((years, months)) = years_and_months(word) {
            sum.add_months(years * 12.0 + months);
        } else {
            let amount = word.parse::<f64>().ok().filter(|amount| amount.is_finite())?;
            match words.next_if(|next| next.starts_with(|c: char| c.is_alphabetic()) && *next != "ago") {
                Some(unit) => sum.add(amount, unit)?,
                None => sum.micros += amount * SECOND,
            }
        }
    }
    Some(sum)
}

/// `2h30m` is `2 h 30 m`.
fn separate_units(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        let boundary = (before.is_ascii_digit() && character.is_alphabetic())
            || (before.is_alphabetic() && character.is_ascii_digit());
        if boundary {
            spaced.push(' ');
        }
        spaced.push(character);
        before = character;
    }
    spaced
}

/// `[-]12:34[:56.7]` in microseconds.
fn parse_clock(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.trim_start_matches('+')),
    };
    let mut fields = text.split(':');
    let hours = fields.next()?.parse::<u32>().ok()?;
    let minutes = fields.next()?.parse::<u32>().ok().filter(|minutes| *minutes < 60)?;
    let seconds = fields.next().map_or(Some(0), parse_seconds)?;
    if fields.next().is_some() || seconds > 60_000_000 {
        return None;
    }
    Some(sign * (f64::from(hours) * 3600.0 * SECOND + f64::from(minutes) * 60.0 * SECOND + seconds as f64))
}

/// `1-2` is one year and two months.
fn years_and_months(text: &str) -> Option<(f64, f64)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let (years, months) = digits.split_once('-')?;
    let (years, months) = (years.parse::<u32>().ok()?, months.parse::<u32>().ok()?);
    Some((sign * f64::from(years), sign * f64::from(months)))
}

fn parse_iso(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let (mut number, mut time) = (String::new(), false);
    for character in text.chars() {
        let unit = match (character.to_ascii_uppercase(), time) {
            ('T', false) if number.is_empty() => {
                time = true;
                continue;
            }
            ('Y', false) => "year",
            ('M', false) => "month",
            ('W', false) => "week",
            ('D', false) => "day",
            ('H', true) => "hour",
            ('M', true) => "minute",
            ('S', true) => "second",
            ('0'..='9' | '.' | '-' | '+', _) => {
                number.push(character);
                continue;
            }
            _ => return None,
        };
        sum.add(number.parse().ok()?, unit)?;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then_some(sum)
}

/// Writes `1 year 2 mons 3 days 04:05:06.7`.
pub(crate) fn format_interval(interval: IntervalMonthDayNano) -> String {
    let mut text = String::new();
    let (years, months) = (interval.months / 12, interval.months % 12);
    let mut negative_before = false;
    for (amount, unit) in [(years, "year"), (months, "mon"), (interval.days, "day")] {
        if amount != 0 {
            let sign = if negative_before && amount > 0 { "+" } else { "" };
            let plural = if amount == 1 { "" } else { "s" };
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}{sign}{amount} {unit}{plural}").expect("writing to a String");
            negative_before = amount < 0;
        }
    }
    let micros = interval.nanoseconds / 1000;
    if micros != 0 || text.is_empty() {
        let sign = if micros < 0 {
            "-"
        } else if negative_before {
            "+"
        } else {
            ""
        };
        let space = if text.is_empty() { "" } else { " " };
        let magnitude = micros.unsigned_abs() as i64;
        let (hours, minutes) = (magnitude / 3_600_000_000, magnitude / 60_000_000 % 60);
        let seconds = format_seconds(magnitude % 60_000_000);
        write!(text, "{space}{sign}{hours:02}:{minutes:02}:{seconds}").expect("writing to a String");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_as_postgres() {
        let check = |input: &str, output: &str| {
            assert_eq!(format_interval(parse_interval(input).unwrap()), output, "{input}");
        };
        check("1 day 02:03:04", "1 day 02:03:04");
        check("1 mon", "1 mon");
        check("14 months", "1 year 2 mons");
        check("1.5 days", "1 day 12:00:00");
        check("1.5 months", "1 mon 15 days");
        check("90 minutes", "01:30:00");
        check("-1 day +2:00", "-1 days +02:00:00");
        check("3 days ago", "-3 days");
        check("1-2", "1 year 2 mons");
        check("P1Y2M3DT4H5M6.5S", "1 year 2 mons 3 days 04:05:06.5");
        check("10", "00:00:10");
        check("2h30m", "02:30:00");
        check("0", "00:00:00");
        check("250 ms", "00:00:00.25");
    }

    #[test]
    fn refuses_nonsense() {
        for text in ["", "soon", "1 fortnight", "1:2:3:4", "P"] {
            assert_eq!(
                parse_interval(text).unwrap_err().sqlstate,
                SqlState::INVALID_DATETIME_FORMAT,
                "{text}"
            );
        }
    }
}

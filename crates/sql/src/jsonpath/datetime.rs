//! Moments as items of a path.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

use springtide_datetime::{
    Civil, DAY, HOUR, MINUTE, SECOND, Style, current, days_from_civil, days_in_month, is_finite, offset_text,
    write_date, write_time, write_timestamp, write_timestamptz,
};
use springtide_types::{SqlError, SqlState};

use super::failure::{Outcome, fatal};

/// A moment: dates in days since 1970, the others in microseconds since then or since midnight; offsets in microseconds east
/// of UTC, which the moment does not contain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Datetime {
    Date(i32),
    Time(i64),
    TimeTz(i64, i64),
    Timestamp(i64),
    TimestampTz(i64, i64),
}

/// Abbreviations of zones, with their hours.
const ZONES: [(&str, i64); 13] = [
    ("Z", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("CET", 1),
    ("CEST", 2),
];

/// Decimals of a second that are kept.
const MICROS: u32 = 6;

impl Display for Datetime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = Style::default();
        let mut text = String::new();
        match *self {
            Datetime::Date(days) => write_date(days, &plain, &mut text),
            Datetime::Time(micros) => write_time(micros, &mut text),
            Datetime::TimeTz(micros, offset) => {
                write_time(micros, &mut text);
                text.push_str(&minutes(offset));
            }
            Datetime::Timestamp(micros) => write_timestamp(micros, &plain, &mut text),
            Datetime::TimestampTz(micros, offset) if is_finite(micros) => {
                write_timestamp(micros + offset, &plain, &mut text);
                text.push_str(&minutes(offset));
            }
            Datetime::TimestampTz(micros, _) => write_timestamp(micros, &plain, &mut text),
        }
        match self {
            Datetime::Timestamp(_) | Datetime::TimestampTz(..) => f.write_str(&text.replacen(' ', "T", 1)),
            _ => f.write_str(&text),
        }
    }
}

/// An offset with its minutes.
fn minutes(offset: i64) -> String {
    let text = offset_text((offset / SECOND) as i32);
    if text.contains(':') { text } else { text + ":00" }
}

/// What clocks in the zone of the session show at a moment, and the offset then.
fn local(micros: i64) -> (i64, i64) {
    let east = i64::from(current().zone.east_at(micros)) * SECOND;
    (micros + east, east)
}

/// The moment at which clocks in the zone of the session show this.
fn moment_of(local: i64) -> Datetime {
    let zone = &current().zone;
    let micros = zone.to_utc(&Civil::from_micros(local)).unwrap_or(local);
    Datetime::TimestampTz(micros, local - micros)
}

/// The offset of the session's zone at a time of today.
fn offset_today(time: i64) -> i64 {
    let style = current();
    i64::from(style.zone.east_when(&Civil { time, ..style.clock() })) * SECOND
}

impl Datetime {
    /// A moment, as clocks in the zone of the session show it.
    pub(crate) fn zoned(micros: i64) -> Datetime {
        Datetime::TimestampTz(micros, if is_finite(micros) { local(micros).1 } else { 0 })
    }

    /// The text that SQL has for it.
    pub(crate) fn sql_text(&self) -> String {
        let (style, mut text) = (current(), String::new());
        match *self {
            Datetime::Date(days) => write_date(days, &style, &mut text),
            Datetime::Timestamp(micros) => write_timestamp(micros, &style, &mut text),
            Datetime::TimestampTz(micros, _) => write_timestamptz(micros, &style, &mut text),
            other => return other.to_string(),
        }
        text
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Datetime::Date(_) => "date",
            Datetime::Time(_) => "time without time zone",
            Datetime::TimeTz(..) => "time with time zone",
            Datetime::Timestamp(_) => "timestamp without time zone",
            Datetime::TimestampTz(..) => "timestamp with time zone",
        }
    }

    /// What PostgreSQL's messages call the type.
    fn short_name(self) -> &'static str {
        match self {
            Datetime::Date(_) => "date",
            Datetime::Time(_) => "time",
            Datetime::TimeTz(..) => "timetz",
            Datetime::Timestamp(_) => "timestamp",
            Datetime::TimestampTz(..) => "timestamptz",
        }
    }

    /// The moment of a text in ISO 8601; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Datetime> {
        let text = text.trim();
        let mut reader = Reader { rest: text };
        let is_date = text.get(1..).is_some_and(|rest| rest.split(':').next().unwrap_or(rest).contains('-'))
            && text.find('-').is_some_and(|dash| text.find(':').is_none_or(|colon| dash < colon));
        let date = if is_date { Some(reader.date()?) } else { None };
        if date.is_some() {
            if reader.rest.is_empty() {
                return date.map(Datetime::Date);
            }
            if !reader.eat("T") && !reader.blanks() {
                return None;
            }
        }
        let time = reader.time()?;
        reader.blanks();
        let offset = if reader.rest.is_empty() { None } else { Some(reader.offset()?) };
        reader.rest.is_empty().then(|| Datetime::of_parts(date, Some(time), offset)).flatten()
    }

    /// Of what a text says.
    pub(super) fn of_parts(date: Option<i32>, time: Option<i64>, offset: Option<i64>) -> Option<Datetime> {
        let moment = |days: i32| i64::from(days) * DAY + time.unwrap_or(0);
        Some(match (date, time, offset) {
            (Some(days), None, None) => Datetime::Date(days),
            (Some(days), _, None) => Datetime::Timestamp(moment(days)),
            (Some(days), _, Some(offset)) => Datetime::TimestampTz(moment(days) - offset, offset),
            (None, Some(time), None) => Datetime::Time(time),
            (None, Some(time), Some(offset)) => Datetime::TimeTz(time, offset),
            (None, None, _) => return None,
        })
    }

    /// Without more decimals of a second than this.
    pub(super) fn rounded(self, digits: Option<i64>) -> Datetime {
        let Some(digits) = digits.and_then(|digits| u32::try_from(digits).ok()) else { return self };
        let unit = 10_i64.pow(MICROS.saturating_sub(digits));
        let round = |micros: i64| (micros + unit / 2).div_euclid(unit) * unit;
        match self {
            Datetime::Date(days) => Datetime::Date(days),
            Datetime::Time(micros) => Datetime::Time(round(micros)),
            Datetime::TimeTz(micros, offset) => Datetime::TimeTz(round(micros), offset),
            Datetime::Timestamp(micros) => Datetime::Timestamp(round(micros)),
            Datetime::TimestampTz(micros, offset) => Datetime::TimestampTz(round(micros), offset),
        }
    }

    pub(super) fn date(self, zoned: bool) -> Outcome<Option<Datetime>> {
        Ok(match self {
            Datetime::Date(_) => Some(self),
            Datetime::Timestamp(micros) => Some(Datetime::Date(micros.div_euclid(DAY) as i32)),
            Datetime::TimestampTz(micros, _) => {
                needs_zone(self, "date", zoned)?;
                Some(Datetime::Date(local(micros).0.div_euclid(DAY) as i32))
            }
            Datetime::Time(_) | Datetime::TimeTz(..) => None,
        })
    }

    pub(super) fn time(self, zoned: bool) -> Outcome<Option<Datetime>> {
        Ok(match self {
            Datetime::Date(_) => None,
            Datetime::Time(_) => Some(self),
            Datetime::Timestamp(micros) => Some(Datetime::Time(micros.rem_euclid(DAY))),
            Datetime::TimeTz(micros, _) => {
                needs_zone(self, "time", zoned)?;
                Some(Datetime::Time(micros))
            }
            Datetime::TimestampTz(micros, _) => {
                needs_zone(self, "time", zoned)?;
                Some(Datetime::Time(local(micros).0.rem_euclid(DAY)))
            }
        })
    }

    pub(super) fn time_tz(self, zoned: bool) -> Outcome<Option<Datetime>> {
        Ok(match self {
            Datetime::Date(_) | Datetime::Timestamp(_) => None,
            Datetime::TimeTz(..) => Some(self),
            Datetime::Time(micros) => {
                needs_zone(self, "timetz", zoned)?;
                Some(Datetime::TimeTz(micros, offset_today(micros)))
            }
            Datetime::TimestampTz(micros, _) => {
                let (micros, offset) = local(micros);
                Some(Datetime::TimeTz(micros.rem_euclid(DAY), offset))
            }
        })
    }

    pub(super) fn timestamp(self, zoned: bool) -> Outcome<Option<Datetime>> {
        Ok(match self {
            Datetime::Date(days) => Some(Datetime::Timestamp(i64::from(days) * DAY)),
            Datetime::Timestamp(_) => Some(self),
            Datetime::TimestampTz(micros, _) => {
                needs_zone(self, "timestamp", zoned)?;
                Some(Datetime::Timestamp(local(micros).0))
            }
            Datetime::Time(_) | Datetime::TimeTz(..) => None,
        })
    }

    pub(super) fn timestamp_tz(self, zoned: bool) -> Outcome<Option<Datetime>> {
        Ok(match self {
            Datetime::TimestampTz(..) => Some(self),
            Datetime::Date(days) => {
                needs_zone(self, "timestamptz", zoned)?;
                Some(moment_of(i64::from(days) * DAY))
            }
            Datetime::Timestamp(micros) => {
                needs_zone(self, "timestamptz", zoned)?;
                Some(moment_of(micros))
            }
            Datetime::Time(_) | Datetime::TimeTz(..) => None,
        })
    }

    fn micros(self) -> i64 {
        match self {
            Datetime::Date(days) => i64::from(days) * DAY,
            Datetime::Time(micros) | Datetime::TimeTz(micros, _) => micros,
            Datetime::Timestamp(micros) | Datetime::TimestampTz(micros, _) => micros,
        }
    }

    /// How two moments compare; `None` if one is a time of day and the other is none.
    pub(super) fn compare(&self, other: &Datetime, zoned: bool) -> Outcome<Option<Ordering>> {
        use Datetime::{Date, Time, TimeTz, Timestamp, TimestampTz};
        Ok(match (*self, *other) {
            (Time(left), Time(right)) => Some(left.cmp(&right)),
            (Time(left), TimeTz(right, offset)) => {
                needs_zone(*self, "timetz", zoned)?;
                let own = offset_today(left);
                Some((left - own).cmp(&(right - offset)).then(offset.cmp(&own)))
            }
            (TimeTz(left, offset), Time(right)) => {
                needs_zone(*other, "timetz", zoned)?;
                let own = offset_today(right);
                Some((left - offset).cmp(&(right - own)).then(own.cmp(&offset)))
            }
            (TimeTz(left, left_offset), TimeTz(right, right_offset)) => {
                // Of two that are one moment, the eastern one is less.
                let order = (left - left_offset).cmp(&(right - right_offset));
                Some(order.then(right_offset.cmp(&left_offset)))
            }
            (Time(_) | TimeTz(..), _) | (_, Time(_) | TimeTz(..)) => None,
            (left, right) => {
                let is_zoned = |moment| matches!(moment, TimestampTz(..));
                for (one, other) in [(left, right), (right, left)] {
                    if is_zoned(one) && !is_zoned(other) {
                        needs_zone(other, "timestamptz", zoned)?;
                    }
                }
                let any_zoned = is_zoned(left) || is_zoned(right);
                let micros = |moment| match moment {
                    Date(days) if any_zoned => moment_of(i64::from(days) * DAY).micros(),
                    Timestamp(micros) if any_zoned => moment_of(micros).micros(),
                    other => other.micros(),
                };
                Some(micros(left).cmp(&micros(right)))
            }
        })
    }
}

/// Fails for a conversion that takes a time zone, where none may be taken.
fn needs_zone(from: Datetime, to: &str, zoned: bool) -> Outcome<()> {
    if zoned {
        return Ok(());
    }
    // Messages name the type without a zone first.
    let message = format!("cannot convert value from {} to {to} without time zone usage", from.short_name());
    let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
    Err(fatal(error.with_hint("Use *_tz() function for time zone support.")))
}

/// Reads a text from its start.
pub(super) struct Reader<'a> {
    pub rest: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Passes over blanks, and tells whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.len() < self.rest.len();
        self.rest = rest;
        found
    }

    /// A number of so many digits.
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<&'a str> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Some(digits)
    }

    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        self.digits(least, most)?.parse().ok()
    }

    fn date(&mut self) -> Option<i32> {
        let year = self.number(1, 6)?;
        let month = self.eat("-").then(|| self.number(1, 2))??;
        let day = self.eat("-").then(|| self.number(1, 2))??;
        civil(year, month, day)
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number(1, 2)?;
        let minute = self.eat(":").then(|| self.number(1, 2))??;
        let second = self.eat(":").then(|| self.number(1, 2))??;
        let micros = if self.eat(".") { micros(self.digits(1, usize::MAX)?) } else { 0 };
        time_of_day(hour, minute, second, micros)
    }

    fn offset(&mut self) -> Option<i64> {
        if let Some((name, hours)) = ZONES.into_iter().find(|(name, _)| self.rest.eq_ignore_ascii_case(name))
        {
            self.rest = &self.rest[name.len()..];
            return Some(hours * HOUR);
        }
        let negative = self.eat("-");
        if !negative && !self.eat("+") {
            return None;
        }
        let hours = self.number(1, 2)?;
        let minutes = if self.eat(":") { self.number(2, 2)? } else { 0 };
        if hours > 15 || minutes > 59 {
            return None;
        }
        let offset = hours * HOUR + minutes * MINUTE;
        Some(if negative { -offset } else { offset })
    }
}

/// The microseconds that decimals of a second are.
pub(super) fn micros(decimals: &str) -> i64 {
    let digits = decimals.chars().chain(std::iter::repeat('0'));
    let kept = digits.clone().take(MICROS as usize).collect::<String>();
    let round_up = digits.clone().nth(MICROS as usize).is_some_and(|digit| digit >= '5');
    kept.parse::<i64>().unwrap_or(0) + i64::from(round_up)
}

/// The day of a date; `None` if there is no such.
pub(super) fn civil(year: i64, month: i64, day: i64) -> Option<i32> {
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| i32::try_from(days_from_civil(year, month, day)).ok()).flatten()
}

/// Microseconds since midnight; `None` if there is no such time.
pub(super) fn time_of_day(hour: i64, minute: i64, second: i64, micros: i64) -> Option<i64> {
    let exists = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    exists.then(|| hour * HOUR + minute * MINUTE + second * SECOND + micros)
}

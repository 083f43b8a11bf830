//! The templates of `.datetime(template)`.

use springtide_types::{SqlError, SqlState};

use super::datetime::{Datetime, Reader, civil, micros, time_of_day};
use super::failure::{Failure, Outcome};
use springtide_datetime::{HOUR, MINUTE};

/// What a part of a template reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Year(usize),
    Month,
    Day,
    DayOfYear,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    /// Decimals of a second.
    Fraction(usize),
    Meridiem,
    OffsetHours,
    OffsetMinutes,
    /// Hours, and minutes where there are any.
    Offset,
}

/// Longer names first.
const FIELDS: [(&str, Field); 29] = [
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("RRRR", Field::Year(4)),
    ("RR", Field::Year(2)),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("MM", Field::Month),
    ("MI", Field::Minute),
    ("MS", Field::Fraction(3)),
    ("US", Field::Fraction(6)),
    ("DDD", Field::DayOfYear),
    ("DD", Field::Day),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("A.M.", Field::Meridiem),
    ("P.M.", Field::Meridiem),
    ("TZH", Field::OffsetHours),
    ("TZM", Field::OffsetMinutes),
    ("TZ", Field::Offset),
    ("Y", Field::Year(1)),
];

fn refused(message: impl Into<String>) -> Failure {
    let error = SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message);
    Failure { error, fatal: false }
}

/// What was read.
#[derive(Default)]
struct Parts {
    date: Option<(i64, i64, i64)>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    micros: Option<i64>,
    second_of_day: Option<i64>,
    /// Whether it is after noon.
    afternoon: Option<bool>,
    offset_hours: Option<(bool, i64)>,
    offset_minutes: Option<i64>,
}

/// The moment that a text is in the form of a template.
pub(super) fn read(text: &str, template: &str) -> Outcome<Datetime> {
    let (mut text, mut form) = (Reader { rest: text }, Reader { rest: template });
    let mut parts = Parts::default();
    while !form.rest.is_empty() {
        if form.eat("\"") {
            quoted(&mut text, &mut form)?;
        } else if form.blanks() {
            text.blanks();
        } else if let Some(field) = next_field(&mut form) {
            parts.read(field, &mut text)?;
        } else {
            let separator = form.rest.chars().next().filter(|char| !char.is_ascii_alphanumeric());
            let separator = separator
                .ok_or_else(|| refused(format!("invalid datetime format separator: \"{}\"", form.rest)))?;
            form.eat(separator.encode_utf8(&mut [0; 4]));
            if !text.eat(separator.encode_utf8(&mut [0; 4])) {
                return Err(refused(format!("unmatched format separator \"{separator}\"")));
            }
        }
    }
    text.blanks();
    match text.rest {
        "" => parts.moment(),
        _ => Err(refused("trailing characters remain in input string after datetime format")),
    }
}

fn quoted(text: &mut Reader<'_>, form: &mut Reader<'_>) -> Outcome<()> {
    let end = form.rest.find('"').unwrap_or(form.rest.len());
    let literal = &form.rest[..end];
    form.rest = form.rest.get(end + 1..).unwrap_or("");
    match text.eat(literal) {
        true => Ok(()),
        false => Err(refused(format!("unmatched format character \"{literal}\""))),
    }
}

fn next_field(form: &mut Reader<'_>) -> Option<Field> {
    let is_next =
        |name: &str| form.rest.get(..name.len()).is_some_and(|next| next.eq_ignore_ascii_case(name));
    let meridiem = ["AM", "PM"].into_iter().find(|name| is_next(name)).map(|name| (name, Field::Meridiem));
    let (name, field) = FIELDS.into_iter().find(|(name, _)| is_next(name)).or(meridiem)?;
    form.rest = &form.rest[name.len()..];
    Some(field)
}

impl Parts {
    fn read(&mut self, field: Field, text: &mut Reader<'_>) -> Outcome<()> {
        let rest = text.rest;
        let mut number = |least: usize, most: usize| {
            let digits = text.digits(least, most);
            let digits = digits.and_then(|digits| digits.parse::<i64>().ok());
            digits.ok_or_else(|| refused(format!("invalid value \"{rest}\"")))
        };
        let date = self.date.unwrap_or((1, 1, 1));
        match field {
            Field::Year(4) => self.date = Some((number(1, 6)?, date.1, date.2)),
            Field::Year(length) => {
                let year = number(1, length)?;
                // Of two digits, the year that is next to 2020.
                let century = if year < 70 { 2000 } else { 1900 };
                self.date = Some((if year < 100 { year + century } else { year + 1000 }, date.1, date.2));
            }
            Field::Month => self.date = Some((date.0, number(1, 2)?, date.2)),
            Field::Day => self.date = Some((date.0, date.1, number(1, 2)?)),
            Field::DayOfYear => self.day_of_year = Some(number(1, 3)?),
            Field::Hour24 => self.hour = Some(number(1, 2)?),
            Field::Hour12 => {
                let hour = number(1, 2)?;
                if !(1..=12).contains(&hour) {
                    return Err(refused(format!("hour \"{hour}\" is invalid for the 12-hour clock")));
                }
                self.hour = Some(hour);
                self.afternoon.get_or_insert(false);
            }
            Field::Minute => self.minute = Some(number(1, 2)?),
            Field::Second => self.second = Some(number(1, 2)?),
            Field::SecondOfDay => self.second_of_day = Some(number(1, 5)?),
            Field::Fraction(length) => {
                let digits = text.digits(1, length);
                let digits = digits.ok_or_else(|| refused(format!("invalid value \"{rest}\"")))?;
                self.micros = Some(micros(digits));
            }
            Field::Meridiem => {
                let names = [("A.M.", false), ("P.M.", true), ("AM", false), ("PM", true)];
                let is_next =
                    |name: &str| rest.get(..name.len()).is_some_and(|next| next.eq_ignore_ascii_case(name));
                let found = names.into_iter().find(|(name, _)| is_next(name));
                let (name, afternoon) = found.ok_or_else(|| refused(format!("invalid value \"{rest}\"")))?;
                text.rest = &rest[name.len()..];
                self.afternoon = Some(afternoon);
            }
            Field::OffsetHours => self.read_offset(text)?,
            Field::OffsetMinutes => self.offset_minutes = Some(number(1, 2)?),
            Field::Offset => {
                self.read_offset(text)?;
                if text.eat(":") {
                    return self.read(Field::OffsetMinutes, text);
                }
            }
        }
        Ok(())
    }

    fn read_offset(&mut self, text: &mut Reader<'_>) -> Outcome<()> {
        let rest = text.rest;
        let negative = text.eat("-");
        let signed = negative || text.eat("+") || text.eat(" ");
        let hours = text.digits(1, 2).and_then(|digits| digits.parse().ok()).filter(|_| signed);
        let hours = hours.ok_or_else(|| refused(format!("invalid value \"{rest}\" for \"TZH\"")))?;
        self.offset_hours = Some((negative, hours));
        Ok(())
    }

    fn moment(self) -> Outcome<Datetime> {
        let overflow = || {
            let message = "date/time field value out of range";
            Failure { error: SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message), fatal: false }
        };
        let date = match (self.date, self.day_of_year) {
            (Some((year, ..)), Some(day)) => {
                Some(civil(year, 1, 1).ok_or_else(overflow)? + i32::try_from(day).unwrap_or(1) - 1)
            }
            (Some((year, month, day)), None) => Some(civil(year, month, day).ok_or_else(overflow)?),
            (None, _) => None,
        };
        let is_timed = self.hour.or(self.minute).or(self.second).or(self.micros).or(self.second_of_day);
        let hour = match (self.hour.unwrap_or(0), self.afternoon) {
            (hour, None) => hour,
            (hour, Some(afternoon)) => hour % 12 + if afternoon { 12 } else { 0 },
        };
        let time = match self.second_of_day {
            Some(second) => time_of_day(second / 3600, second / 60 % 60, second % 60, 0),
            None => {
                let (minute, second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
                time_of_day(hour, minute, second, self.micros.unwrap_or(0))
            }
        };
        let time = is_timed.map(|_| time.ok_or_else(overflow)).transpose()?;
        let offset = self.offset_hours.map(|(negative, hours)| {
            let offset = hours * HOUR + self.offset_minutes.unwrap_or(0) * MINUTE;
            if negative { -offset } else { offset }
        });
        let none = || refused("datetime format is not dated and not timed");
        Datetime::of_parts(date, time, offset).ok_or_else(none)
    }
}

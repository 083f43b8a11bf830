//! Writes a moment as a template says.

use std::fmt::Write;

use springtide_datetime::{MONTHS, WEEKDAYS};
use springtide_types::{Result, SqlError, SqlState};

use super::moment::{Kind, Moment};
use super::template::{Case, Field, Part, Pattern, Template};

pub(super) const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Fails with `22007` where the template asks of an interval what only a date has.
pub(super) fn write(out: &mut impl Write, template: &Template, moment: &Moment) -> Result<()> {
    for part in &template.0 {
        match part {
            Part::Text(text) => put(out, text),
            Part::Separator(char) => out.write_char(*char).expect("writing to memory"),
            Part::Pattern(pattern) => pattern.write(out, moment)?,
        }
    }
    Ok(())
}

fn put(out: &mut impl Write, text: &str) {
    out.write_str(text).expect("writing to memory");
}

impl Pattern {
    fn write(&self, out: &mut impl Write, moment: &Moment) -> Result<()> {
        let is_interval = moment.kind == Kind::Interval;
        if is_interval && self.field.needs_date() {
            let message = "invalid format specification for an interval value";
            return Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
                .with_hint("Intervals are not tied to specific calendar dates."));
        }
        match self.field {
            Field::Meridiem { case, dots } => {
                let name = if moment.hour % 24 >= 12 { "PM" } else { "AM" };
                abbreviation(out, name, case, dots);
            }
            Field::Era { case, dots } => {
                abbreviation(out, if moment.year <= 0 { "BC" } else { "AD" }, case, dots)
            }
            Field::MonthName(case) => self.name(out, month(moment), case, 9),
            Field::ShortMonthName(case) => self.name(out, &month(moment)[..3], case, 0),
            Field::DayName(case) => self.name(out, day(moment), case, 9),
            Field::ShortDayName(case) => self.name(out, &day(moment)[..3], case, 0),
            Field::RomanMonth(case) => {
                if moment.month != 0 || moment.year != 0 {
                    // No language has names of its own for these.
                    Pattern { localized: false, ..*self }.name(out, roman_month(moment), case, 4);
                }
            }
            Field::YearWithComma => {
                let year = moment.displayed(moment.year);
                self.number(out, year / 1000, 0);
                put(out, ",");
                padded(out, year % 1000, 3);
                self.ordinal(out, year % 1000);
            }
            Field::Zone(case) => {
                if let Some(zone) = &moment.zone {
                    with_case(out, &zone.abbreviation, case);
                }
            }
            Field::ZoneHours => {
                put(out, sign_of_zone(moment.east()));
                padded(out, i64::from(moment.east() / 3600).abs(), 2);
            }
            Field::ZoneMinutes => padded(out, i64::from(moment.east() / 60 % 60).abs(), 2),
            Field::Offset => {
                put(out, sign_of_zone(moment.east()));
                padded(out, i64::from(moment.east() / 3600).abs(), if self.bare { 0 } else { 2 });
                if moment.east() % 3600 != 0 {
                    put(out, ":");
                    padded(out, i64::from(moment.east() / 60 % 60).abs(), 2);
                }
            }
            Field::Exact => {}
            Field::Quarter if moment.month == 0 => {}
            field => {
                let (number, width) = number(field, moment);
                self.number(out, number, if self.bare && !field.keeps_zeros() { 0 } else { width });
                self.ordinal(out, number);
            }
        }
        Ok(())
    }

    /// A name, with blanks up to a width.
    fn name(&self, out: &mut impl Write, name: &str, case: Case, width: usize) {
        with_case(out, name, case);
        if !self.bare && !self.localized {
            (name.len()..width).for_each(|_| put(out, " "));
        }
    }

    fn number(&self, out: &mut impl Write, number: i64, width: usize) {
        padded(out, number, width);
    }

    fn ordinal(&self, out: &mut impl Write, number: i64) {
        let Some(case) = self.ordinal else { return };
        let number = number.unsigned_abs();
        let ending = match (number / 10 % 10, number % 10) {
            (1, _) => "TH",
            (_, 1) => "ST",
            (_, 2) => "ND",
            (_, 3) => "RD",
            _ => "TH",
        };
        with_case(out, ending, case);
    }
}

impl Field {
    fn needs_date(self) -> bool {
        matches!(
            self,
            Field::Era { .. }
                | Field::MonthName(_)
                | Field::ShortMonthName(_)
                | Field::DayName(_)
                | Field::ShortDayName(_)
                | Field::DayOfWeek
                | Field::IsoDayOfWeek
                | Field::Zone(_)
                | Field::ZoneHours
                | Field::ZoneMinutes
                | Field::Offset
        )
    }

    /// Whether `FM` does not take its zeros away.
    fn keeps_zeros(self) -> bool {
        matches!(self, Field::Fraction(_))
    }
}

/// What a field counts, and how many digits it has at least.
fn number(field: Field, moment: &Moment) -> (i64, usize) {
    let signed = |number: i64, width: usize| (number, width + usize::from(number < 0));
    match field {
        Field::Century => {
            let century = match moment.year {
                year if moment.kind == Kind::Interval => year / 100,
                year @ 1.. => (year - 1) / 100 + 1,
                year => year / 100 - 1,
            };
            if (-99..=99).contains(&century) { signed(century, 2) } else { (century, 0) }
        }
        Field::DayOfYear => (moment.day_of_year(), 3),
        Field::IsoDayOfYear => (moment.iso_day_of_year(), 3),
        Field::DayOfMonth => (moment.day, 2),
        Field::DayOfWeek => (moment.day_of_week() + 1, 0),
        Field::IsoDayOfWeek => (if moment.day_of_week() == 0 { 7 } else { moment.day_of_week() }, 0),
        Field::Fraction(digits) => (moment.micros / 10_i64.pow(6 - digits), digits as usize),
        Field::Hour24 => sign_of(moment.hour, moment.hour, 2),
        Field::Hour12 => {
            let hour = if moment.hour % 12 == 0 { 12 } else { moment.hour % 12 };
            sign_of(moment.hour, hour, 2)
        }
        Field::Minute => signed(moment.minute, 2),
        Field::Second => signed(moment.second, 2),
        Field::SecondOfDay => (moment.hour * 3600 + moment.minute * 60 + moment.second, 0),
        Field::Month => signed(moment.month, 2),
        Field::Quarter => ((moment.month - 1) / 3 + 1, 0),
        Field::WeekOfYear => ((moment.day_of_year() - 1) / 7 + 1, 2),
        Field::IsoWeek => (moment.iso_week(), 2),
        Field::WeekOfMonth => ((moment.day - 1) / 7 + 1, 0),
        Field::JulianDay => (moment.julian_day(), 0),
        Field::Year(digits) => last_digits(moment, moment.year, digits),
        Field::IsoYear(digits) => last_digits(moment, moment.iso_year(), digits),
        other => unreachable!("{other:?} is no number"),
    }
}

/// The number in a width that has room for the sign of another.
fn sign_of(sign: i64, number: i64, width: usize) -> (i64, usize) {
    (number, width + usize::from(sign < 0))
}

/// There is room for the sign of the calendar's year, also where it is the ISO year that is written.
fn last_digits(moment: &Moment, year: i64, digits: u32) -> (i64, usize) {
    let year = moment.displayed(year);
    match digits {
        4 => sign_of(moment.displayed(moment.year), year, 4),
        1 => (year % 10, 1),
        digits => sign_of(moment.displayed(moment.year), year % 10_i64.pow(digits), digits as usize),
    }
}

fn month(moment: &Moment) -> &'static str {
    MONTHS[(moment.month - 1) as usize]
}

fn day(moment: &Moment) -> &'static str {
    WEEKDAYS[moment.day_of_week() as usize]
}

/// Of an interval, whole years are December, and months before count from the end of the year.
fn roman_month(moment: &Moment) -> &'static str {
    let last = if moment.year >= 0 { 11 } else { 0 };
    match moment.month {
        0 => ROMAN[last],
        month @ 1.. => ROMAN[(month - 1) as usize],
        month => ROMAN[(12 + month) as usize],
    }
}

fn with_case(out: &mut impl Write, name: &str, case: Case) {
    let write = |out: &mut dyn Write, letter: char| out.write_char(letter).expect("writing to memory");
    match case {
        Case::Capitalized => put(out, name),
        Case::Upper => name.chars().for_each(|letter| write(out, letter.to_ascii_uppercase())),
        Case::Lower => name.chars().for_each(|letter| write(out, letter.to_ascii_lowercase())),
    }
}

fn abbreviation(out: &mut impl Write, name: &str, case: Case, dots: bool) {
    for position in 0..name.len() {
        with_case(out, &name[position..=position], case);
        if dots {
            put(out, ".");
        }
    }
}

fn sign_of_zone(east: i32) -> &'static str {
    if east < 0 { "-" } else { "+" }
}

/// The number with zeros in front up to a width, in which the sign counts.
fn padded(out: &mut impl Write, number: i64, width: usize) {
    const MOST: usize = 20;
    let (mut digits, mut start, mut left) = ([b'0'; MOST], MOST, number.unsigned_abs());
    let sign = usize::from(number < 0);
    while left > 0 || start == MOST || MOST - start + sign < width {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    if sign == 1 {
        put(out, "-");
    }
    put(out, std::str::from_utf8(&digits[start..]).expect("digits"));
}

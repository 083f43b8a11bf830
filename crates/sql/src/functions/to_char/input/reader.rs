//! Reads a text by a template, as PostgreSQL's `DCH_from_char` does.

use springtide_datetime::{MONTHS, Named, WEEKDAYS};
use springtide_types::{Result, SqlError, SqlState};

use super::fields::{Given, note};
use crate::functions::to_char::template::{Field, Part, Pattern, Template, is_separator};
use crate::functions::to_char::write::ROMAN;

pub(super) fn read(text: &str, template: &Template) -> Result<Given> {
    let mut reader = Reader { rest: text, before: None, given: Given::default(), exact: false, skipped: 0 };
    let parts = &template.0;
    for (at, part) in parts.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        let is_exact = matches!(part, Part::Pattern(Pattern { field: Field::Exact, .. }));
        if !reader.exact && !is_exact && (at == 0 || matches!(part, Part::Pattern(_))) {
            reader.skip_blanks();
        }
        match part {
            Part::Separator(_) => reader.separator(),
            Part::Text(text) => text.chars().for_each(|_| reader.letter()),
            Part::Pattern(pattern) => {
                reader.field(pattern, ends_number(pattern, parts.get(at + 1)))?;
                if !reader.exact && !is_exact {
                    reader.skipped = 0;
                    reader.skip_blanks();
                }
            }
        }
    }
    Ok(reader.given)
}

/// Whether no digit follows in the template, so that a number may have any length.
fn ends_number(pattern: &Pattern, next: Option<&Part>) -> bool {
    match next {
        _ if pattern.ordinal.is_some() => true,
        None | Some(Part::Separator(_)) => true,
        Some(Part::Text(text)) => !text.starts_with(|c: char| c.is_ascii_digit()),
        Some(Part::Pattern(next)) => !next.field.is_number(),
    }
}

impl Field {
    /// Whether it is written in digits.
    fn is_number(self) -> bool {
        use Field::*;
        !matches!(
            self,
            Meridiem { .. }
                | Era { .. }
                | DayName(_)
                | ShortDayName(_)
                | MonthName(_)
                | ShortMonthName(_)
                | RomanMonth(_)
                | Zone(_)
                | Offset
                | Exact
        )
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// What was read last.
    before: Option<char>,
    given: Given,
    /// `FX`: each character of the template takes one of the text.
    exact: bool,
    /// How many characters have been skipped that no part of the template stands for.
    skipped: i32,
}

fn invalid(message: String) -> SqlError {
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

impl Reader<'_> {
    fn first(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self) {
        let mut chars = self.rest.chars();
        if let Some(char) = chars.next() {
            (self.before, self.rest) = (Some(char), chars.as_str());
        }
    }

    fn skip_blanks(&mut self) {
        while self.first().is_some_and(|c| c.is_ascii_whitespace()) {
            self.advance();
            self.skipped += 1;
        }
    }

    fn separator(&mut self) {
        if self.exact {
            return self.advance();
        }
        self.skipped -= 1;
        if self.first().is_some_and(is_separator) {
            self.advance();
            self.skipped += 1;
        }
    }

    /// Takes a character, whatever it is, unless one was skipped for it.
    fn letter(&mut self) {
        if !self.exact && self.skipped > 0 {
            self.skipped -= 1;
        } else {
            self.advance();
        }
    }

    fn field(&mut self, pattern: &Pattern, ends: bool) -> Result<()> {
        use Field::*;
        self.check_calendar(pattern.field)?;
        let ends = ends || pattern.bare;
        match pattern.field {
            Exact => self.exact = true,
            Meridiem { dots, .. } => {
                let names = if dots { ["A.M.", "P.M."] } else { ["AM", "PM"] };
                let half = self.name(&names, names[0])?;
                note(&mut self.given.afternoon, half == 1, names[0])?;
                self.given.has_halves = true;
            }
            Era { dots, .. } => {
                let names = if dots { ["A.D.", "B.C."] } else { ["AD", "BC"] };
                let era = self.name(&names, names[0])?;
                note(&mut self.given.before_christ, era == 1, names[0])?;
            }
            MonthName(_) => {
                let month = self.name(&MONTHS, "MONTH")?;
                note(&mut self.given.month, month as i64 + 1, "MONTH")?;
            }
            ShortMonthName(_) => {
                let month = self.name(&MONTHS.map(|name| &name[..3]), "MON")?;
                note(&mut self.given.month, month as i64 + 1, "MON")?;
            }
            DayName(_) => {
                let day = self.name(&WEEKDAYS, "DAY")?;
                note(&mut self.given.day_of_week, day as i64 + 1, "DAY")?;
            }
            ShortDayName(_) => {
                let day = self.name(&WEEKDAYS.map(|name| &name[..3]), "DY")?;
                note(&mut self.given.day_of_week, day as i64 + 1, "DY")?;
            }
            RomanMonth(_) => {
                // The longest first, since some begin with others.
                let mut names = ROMAN;
                names.sort_by_key(|name| std::cmp::Reverse(name.len()));
                let name = names[self.name(&names, "RM")?];
                let month = ROMAN.iter().position(|roman| *roman == name).map_or(0, |at| at as i64 + 1);
                note(&mut self.given.month, month, "RM")?;
            }
            Zone(_) | Offset => self.zone()?,
            ZoneHours => {
                self.zone_sign();
                let (hours, _) = self.integer(2, ends, "TZH")?;
                note(&mut self.given.zone_hours, hours, "TZH")?;
            }
            ZoneMinutes => {
                self.given.zone_sign.get_or_insert(1);
                let (minutes, _) = self.integer(2, ends, "TZM")?;
                note(&mut self.given.zone_minutes, minutes, "TZM")?;
            }
            YearWithComma => self.year_with_comma()?,
            number => self.number(number, ends)?,
        }
        if pattern.ordinal.is_some() {
            self.advance();
            self.advance();
        }
        Ok(())
    }

    fn number(&mut self, field: Field, ends: bool) -> Result<()> {
        use Field::*;
        let (length, name) = match field {
            Hour24 | Hour12 => (2, "HH24"),
            Minute => (2, "MI"),
            Second => (2, "SS"),
            Fraction(digits) => (digits as usize, "US"),
            SecondOfDay => (5, "SSSSS"),
            Month => (2, "MM"),
            DayOfYear => (3, "DDD"),
            IsoDayOfYear => (3, "IDDD"),
            DayOfMonth => (2, "DD"),
            DayOfWeek => (1, "D"),
            IsoDayOfWeek => (1, "ID"),
            WeekOfYear => (2, "WW"),
            IsoWeek => (2, "IW"),
            WeekOfMonth => (1, "W"),
            Quarter => (1, "Q"),
            Century => (2, "CC"),
            JulianDay => (1, "J"),
            Year(digits) => (digits as usize, ["Y", "YY", "YYY", "YYYY"][digits as usize - 1]),
            IsoYear(digits) => (digits as usize, ["I", "IY", "IYY", "IYYY"][digits as usize - 1]),
            other => unreachable!("{other:?} is no number"),
        };
        let (value, width) = self.integer(length, ends, name)?;
        let given = &mut self.given;
        match field {
            Hour24 => note(&mut given.hour, value, name),
            Hour12 => {
                given.has_halves = true;
                note(&mut given.hour, value, name)
            }
            Minute => note(&mut given.minute, value, name),
            Second => note(&mut given.second, value, name),
            Fraction(digits) => {
                let micros = value * 10_i64.pow(6 - width.min(6) as u32);
                let micros = springtide_datetime::round(micros, digits as u8).unwrap_or(micros);
                note(&mut given.micros, micros, name)
            }
            SecondOfDay => note(&mut given.second_of_day, value, name),
            Month => note(&mut given.month, value, name),
            DayOfYear | IsoDayOfYear => note(&mut given.day_of_year, value, name),
            DayOfMonth => note(&mut given.day, value, name),
            DayOfWeek => note(&mut given.day_of_week, value, name),
            IsoDayOfWeek => note(&mut given.day_of_week, if value >= 7 { 1 } else { value + 1 }, name),
            WeekOfYear | IsoWeek => note(&mut given.week, value, name),
            WeekOfMonth => note(&mut given.week_of_month, value, name),
            Century => note(&mut given.century, value, name),
            JulianDay => note(&mut given.julian, value, name),
            Year(digits) | IsoYear(digits) => {
                given.year_digits = digits;
                let year = if digits < 4 && width < 4 { near_2020(value) } else { value };
                note(&mut given.year, year, name)
            }
            _ => Ok(()),
        }
    }

    /// Weeks of one calendar do not go with months of the other.
    fn check_calendar(&mut self, field: Field) -> Result<()> {
        use Field::*;
        let is_iso = match field {
            IsoDayOfWeek | IsoDayOfYear | IsoWeek | IsoYear(_) => true,
            MonthName(_) | ShortMonthName(_) | Month | RomanMonth(_) | DayOfYear | DayOfMonth | DayOfWeek
            | WeekOfYear | WeekOfMonth | Year(_) | YearWithComma => false,
            _ => return Ok(()),
        };
        match self.given.is_iso.replace(is_iso) {
            Some(before) if before != is_iso => Err(invalid(
                "invalid combination of date conventions".to_owned(),
            )
            .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template.")),
            _ => Ok(()),
        }
    }

    /// The position of the name that comes next, in any case.
    fn name(&mut self, names: &[&str], field: &str) -> Result<usize> {
        let matches =
            |name: &&str| self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let Some(found) = names.iter().position(matches) else {
            let word = self.rest.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
            return Err(invalid(format!("invalid value \"{word}\" for \"{field}\""))
                .with_detail("The given value did not match any of the allowed values for this field."));
        };
        names[found].chars().for_each(|_| self.advance());
        Ok(found)
    }

    /// An integer of so many digits, or of any number if none can follow; and how many characters it took.
    fn integer(&mut self, length: usize, ends: bool, field: &str) -> Result<(i64, usize)> {
        while self.first().is_some_and(|c| c.is_ascii_whitespace()) {
            self.advance();
        }
        let limit = if ends { usize::MAX } else { length };
        if !ends && self.rest.chars().count() < length {
            let message = format!("source string too short for \"{field}\" formatting field");
            let detail =
                format!("Field requires {length} characters, but only {} remain.", self.rest.chars().count());
            return Err(invalid(message).with_detail(detail));
        }
        let signed = usize::from(self.rest.starts_with(['-', '+']));
        let digits = self.rest[signed..].bytes().take(limit.saturating_sub(signed));
        let width = signed + digits.take_while(u8::is_ascii_digit).count();
        let text = &self.rest[..width];
        if width == signed {
            let shown = self.rest.chars().take(length).collect::<String>();
            return Err(invalid(format!("invalid value \"{shown}\" for \"{field}\""))
                .with_detail("Value must be an integer."));
        }
        if !ends && width < length {
            let shown = self.rest.chars().take(length).collect::<String>();
            let detail = format!("Field requires {length} characters, but only {width} could be parsed.");
            return Err(invalid(format!("invalid value \"{shown}\" for \"{field}\"")).with_detail(detail));
        }
        let value = text.parse::<i32>().map_err(|_| {
            let message = format!("value for \"{field}\" in source string is out of range");
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        })?;
        (0..width).for_each(|_| self.advance());
        Ok((i64::from(value), width))
    }

    /// `1,999`
    fn year_with_comma(&mut self) -> Result<()> {
        let error = |rest: &str| invalid(format!("invalid input string \"{rest}\" for \"Y,YYY\""));
        let (thousands, after) = self.rest.split_once(',').ok_or_else(|| error(self.rest))?;
        let digits = after.bytes().take(3).take_while(u8::is_ascii_digit).count();
        let thousands_number = thousands.trim().parse::<i64>().map_err(|_| error(self.rest))?;
        let rest = after[..digits].parse::<i64>().map_err(|_| error(self.rest))?;
        let year = thousands_number.checked_mul(1000).filter(|year| *year <= i64::from(i32::MAX) - rest);
        let year = year.ok_or_else(|| {
            let message = "value for \"Y,YYY\" in source string is out of range";
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        })?;
        (0..thousands.chars().count() + 1 + digits).for_each(|_| self.advance());
        self.given.year_digits = 4;
        note(&mut self.given.year, year + rest, "Y,YYY")
    }

    /// The sign may have been taken for a separator before.
    fn zone_sign(&mut self) {
        let sign = match self.first() {
            Some(sign @ ('+' | '-' | ' ')) => {
                self.advance();
                sign
            }
            _ if self.skipped > 0 && self.before == Some('-') => '-',
            _ => '+',
        };
        self.given.zone_sign = Some(if sign == '-' { -1 } else { 1 });
    }

    /// An abbreviation, or hours with a sign, and perhaps minutes after a colon.
    fn zone(&mut self) -> Result<()> {
        let letters = self.rest.chars().take_while(char::is_ascii_alphabetic).count();
        if letters > 0 {
            for length in (1..=letters).rev() {
                let name = &self.rest[..length];
                if let Some(zone @ (Named::Fixed(_) | Named::Abbreviation(..))) = Named::find(name) {
                    self.given.zone = Some(zone);
                    (0..length).for_each(|_| self.advance());
                    return Ok(());
                }
            }
            let word = &self.rest[..letters];
            return Err(invalid(format!("invalid value \"{word}\" for \"TZ\""))
                .with_detail("Time zone abbreviation is not recognized."));
        }
        self.zone_sign();
        let colon = self.rest.find(':');
        let (hours, _) = self.integer(2, colon.is_some_and(|at| at <= 2), "OF")?;
        note(&mut self.given.zone_hours, hours, "OF")?;
        if self.first() == Some(':') {
            self.advance();
            let (minutes, _) = self.integer(2, false, "OF")?;
            note(&mut self.given.zone_minutes, minutes, "OF")?;
        }
        Ok(())
    }
}

/// A year of few digits is the one that is nearest to 2020.
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

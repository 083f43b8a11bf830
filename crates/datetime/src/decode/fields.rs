//! The year, month and day, and which number is which.

use crate::calendar::{Civil, EPOCH_JULIAN, civil_from_days, days_from_civil, days_in_month};
use crate::error::Fault;
use crate::number::{Clock, fraction_of_second, integer};
use crate::style::DateOrder;
use crate::words::{Word, date_word};

/// A set of the things that a text may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask(u16);

impl Mask {
    pub(super) const YEAR: Mask = Mask(1);
    pub(super) const MONTH: Mask = Mask(2);
    pub(super) const DAY: Mask = Mask(4);
    pub(super) const DATE: Mask = Mask(7);
    pub(super) const TIME: Mask = Mask(8);
    pub(super) const ZONE: Mask = Mask(16);
    /// `dst`, which adds an hour to a zone.
    pub(super) const DAYLIGHT: Mask = Mask(32);
    pub(super) const DAY_OF_YEAR: Mask = Mask(64);
    pub(super) const WEEKDAY: Mask = Mask(128);
    /// AM or PM
    pub(super) const HALF: Mask = Mask(256);
    /// AD or BC
    pub(super) const ERA: Mask = Mask(512);

    pub(super) fn with(self, other: Mask) -> Mask {
        Mask(self.0 | other.0)
    }

    pub(super) fn any(self, other: Mask) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn all(self, other: Mask) -> bool {
        self.0 & other.0 == other.0
    }

    /// What it has of these.
    fn of(self, other: Mask) -> Mask {
        Mask(self.0 & other.0)
    }
}

pub(super) struct Fields {
    order: DateOrder,
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    has_text_month: bool,
    /// The year has two digits at most.
    is_short_year: bool,
    is_julian: bool,
}

impl Fields {
    pub(super) fn new(order: DateOrder) -> Fields {
        Fields {
            order,
            year: 0,
            month: 0,
            day: 0,
            day_of_year: 0,
            has_text_month: false,
            is_short_year: false,
            is_julian: false,
        }
    }

    pub(super) fn date(&self) -> Civil {
        Civil { year: self.year, month: self.month, day: self.day, time: 0 }
    }

    /// Takes a date that needs no check.
    pub(super) fn set_date(&mut self, date: Civil) {
        (self.year, self.month, self.day, self.is_julian) = (date.year, date.month, date.day, true);
    }

    pub(super) fn set_julian(&mut self, day: i64) -> Result<(), Fault> {
        if day < 0 {
            return Err(Fault::Range);
        }
        let (year, month, day) = civil_from_days(day - EPOCH_JULIAN);
        self.set_date(Civil { year, month, day, time: 0 });
        Ok(())
    }

    /// A month by its name. What was taken for one may have been the day.
    pub(super) fn set_month(&mut self, month: i64, seen: Mask) -> Mask {
        let was_day = seen.all(Mask::MONTH)
            && !self.has_text_month
            && !seen.any(Mask::DAY)
            && (1..=31).contains(&self.month);
        if was_day {
            self.day = self.month;
        }
        (self.has_text_month, self.month) = (true, month);
        if was_day { Mask::DAY } else { Mask::MONTH }
    }

    /// A whole date: `1999-01-08`, `08-jan-99`, `1.8.1999`, `1999.008`.
    pub(super) fn read_date(&mut self, text: &str, seen: Mask) -> Result<Mask, Fault> {
        if text.ends_with(|c: char| !c.is_ascii_alphanumeric()) {
            return Err(Fault::Format);
        }
        let mut parts = Vec::new();
        let mut rest = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        while let Some(first) = rest.chars().next() {
            let same =
                |c: char| if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
            let (part, after) = rest.split_at(rest.find(|c| !same(c)).unwrap_or(rest.len()));
            parts.push(part);
            rest = after.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        }
        let mut seen = seen;
        let mut read = Mask::default();
        let mut note = |mask: Mask, seen: &mut Mask| {
            let is_new = !seen.any(mask);
            (*seen, read) = (seen.with(mask), read.with(mask));
            if is_new { Ok(()) } else { Err(Fault::Format) }
        };
        // A name is a month for sure.
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            match date_word(part) {
                Some(Word::Ignored) => {}
                Some(Word::Month(month)) => {
                    (self.month, self.has_text_month) = (month, true);
                    note(Mask::MONTH, &mut seen)?;
                }
                _ => return Err(Fault::Format),
            }
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let mask = self.read_number(part, seen, &mut Clock::default())?;
            note(mask, &mut seen)?;
        }
        let others = Mask::DAY_OF_YEAR.with(Mask::ZONE);
        match seen.0 & !others.0 == Mask::DATE.0 {
            true => Ok(read),
            false => Err(Fault::Format),
        }
    }

    /// One number, whose place among the others says what it is.
    pub(super) fn read_number(&mut self, text: &str, seen: Mask, clock: &mut Clock) -> Result<Mask, Fault> {
        let (value, rest) = integer::<i32>(text)?;
        let value = i64::from(value);
        if rest.starts_with('.') {
            if text.len() - rest.len() > 2 {
                return self.read_joined(text, seen.with(Mask::DATE), clock);
            }
            clock.fraction = fraction_of_second(rest)?;
        } else if !rest.is_empty() {
            return Err(Fault::Format);
        }
        let (known, length) = (seen.of(Mask::DATE), text.len());
        if length == 3 && known == Mask::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(Mask::DAY_OF_YEAR.with(Mask::MONTH).with(Mask::DAY));
        }
        let (year, month, day) = (Mask::YEAR, Mask::MONTH, Mask::DAY);
        let is_year = length >= 3 || self.order == DateOrder::Ymd;
        let what = match known {
            Mask(0) if is_year => year,
            Mask(0) if self.order == DateOrder::Dmy => day,
            Mask(0) | Mask::YEAR | Mask::DAY => month,
            Mask::MONTH if self.has_text_month && is_year => year,
            Mask::MONTH => day,
            known if known == year.with(month) => {
                if self.has_text_month && length >= 3 && self.is_short_year {
                    // The first number was the day.
                    (self.day, self.year, self.is_short_year) = (self.year, value, false);
                    return Ok(day);
                }
                day
            }
            known if known == month.with(day) => year,
            Mask::DATE => return self.read_joined(text, seen, clock),
            _ => return Err(Fault::Format),
        };
        match what {
            Mask::YEAR => (self.year, self.is_short_year) = (value, length <= 2),
            Mask::MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(what)
    }

    /// Digits without separators: `19990108`, `990108`, `040506.789`, `0405`.
    pub(super) fn read_joined(&mut self, text: &str, seen: Mask, clock: &mut Clock) -> Result<Mask, Fault> {
        let digits = match text.find('.') {
            Some(point) => {
                clock.fraction = fraction_of_second(&text[point..])?;
                &text[..point]
            }
            None if !seen.all(Mask::DATE) && text.len() >= 6 => {
                let (rest, day) = text.split_at(text.len() - 2);
                let (year, month) = rest.split_at(rest.len() - 2);
                self.year = i64::from(integer::<i32>(year)?.0);
                (self.month, self.day) = (integer(month)?.0, integer(day)?.0);
                self.is_short_year |= year.len() == 2;
                return Ok(Mask::DATE);
            }
            None => text,
        };
        let pair = |at: usize| integer::<i64>(&digits[at..at + 2]).map(|(value, _)| value);
        if seen.all(Mask::TIME) {
            return Err(Fault::Format);
        }
        (clock.hour, clock.minute, clock.second) = match digits.len() {
            6 => (pair(0)?, pair(2)?, pair(4)?),
            4 => (pair(0)?, pair(2)?, 0),
            _ => return Err(Fault::Format),
        };
        Ok(Mask::TIME)
    }

    /// Fails unless there is such a date, as far as it has been read. Short years lie between 1970 and 2069.
    pub(super) fn validate(&mut self, seen: Mask, before_christ: bool) -> Result<(), Fault> {
        if seen.any(Mask::YEAR) && !self.is_julian {
            if before_christ {
                self.year = 1 - (self.year > 0).then_some(self.year).ok_or(Fault::Range)?;
            } else if self.is_short_year {
                self.year += if self.year < 70 { 2000 } else { 1900 };
            } else if self.year <= 0 {
                return Err(Fault::Range);
            }
        }
        if seen.any(Mask::DAY_OF_YEAR) {
            let days = days_from_civil(self.year, 1, 1) + self.day_of_year - 1;
            (self.year, self.month, self.day) = civil_from_days(days);
        }
        let wrong_month = seen.any(Mask::MONTH) && !(1..=12).contains(&self.month);
        if wrong_month || (seen.any(Mask::DAY) && !(1..=31).contains(&self.day)) {
            return Err(Fault::MonthOrDay);
        }
        if seen.all(Mask::DATE) && self.day > days_in_month(self.year, self.month) {
            return Err(Fault::Range);
        }
        Ok(())
    }
}

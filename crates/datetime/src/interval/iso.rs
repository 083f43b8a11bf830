//! Intervals in ISO 8601: with designators, `P1Y2M3DT4H5M6S`, or in the alternative format, `P0001-02-03T04:05:06`.

use super::sum::Sum;
use crate::error::Fault;
use crate::words::Unit;

pub(super) fn parse(text: &str) -> Result<Sum, Fault> {
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Fault::Format)?;
    let mut reader = Reader { rest, sum: Sum::default() };
    let is_time_next = reader.date()?;
    if is_time_next {
        reader.time()?;
    }
    Ok(reader.sum)
}

struct Reader<'a> {
    rest: &'a str,
    sum: Sum,
}

impl Reader<'_> {
    /// The part before `T`; whether there is one after it.
    fn date(&mut self) -> Result<bool, Fault> {
        let mut is_first = true;
        loop {
            match self.first() {
                None if !is_first => return Ok(false),
                Some(b'T') => {
                    self.advance();
                    return Ok(true);
                }
                _ => {}
            }
            let (width, whole, part) = self.number()?;
            let designator = self.first();
            self.advance();
            match designator {
                Some(b'Y') => self.sum.add(whole, part, Unit::Year)?,
                Some(b'M') => self.sum.add(whole, part, Unit::Month)?,
                Some(b'W') => self.sum.add(whole, part, Unit::Week)?,
                Some(b'D') => self.sum.add(whole, part, Unit::Day)?,
                None | Some(b'T') if width == 8 && is_first => {
                    self.sum.add(whole / 10_000, 0.0, Unit::Year)?;
                    self.sum.add(whole / 100 % 100, 0.0, Unit::Month)?;
                    self.sum.add(whole % 100, part, Unit::Day)?;
                    return Ok(designator.is_some());
                }
                None | Some(b'T' | b'-') if is_first => {
                    self.sum.add(whole, part, Unit::Year)?;
                    return if designator == Some(b'-') {
                        self.alternative_date()
                    } else {
                        Ok(designator.is_some())
                    };
                }
                _ => return Err(Fault::Format),
            }
            is_first = false;
        }
    }

    /// `mm-dd` after `yyyy-`; whether a time follows.
    fn alternative_date(&mut self) -> Result<bool, Fault> {
        let (_, whole, part) = self.number()?;
        self.sum.add(whole, part, Unit::Month)?;
        if let Some(follows) = self.end_or(b'T') {
            return Ok(follows);
        }
        if self.first() != Some(b'-') {
            return Err(Fault::Format);
        }
        self.advance();
        let (_, whole, part) = self.number()?;
        self.sum.add(whole, part, Unit::Day)?;
        self.end_or(b'T').ok_or(Fault::Format)
    }

    fn time(&mut self) -> Result<(), Fault> {
        let mut is_first = true;
        while self.first().is_some() {
            let (width, whole, part) = self.number()?;
            let designator = self.first();
            self.advance();
            match designator {
                Some(b'H') => self.sum.add(whole, part, Unit::Hour)?,
                Some(b'M') => self.sum.add(whole, part, Unit::Minute)?,
                Some(b'S') => self.sum.add(whole, part, Unit::Second)?,
                None if width == 6 && is_first => {
                    self.sum.add(whole / 10_000, 0.0, Unit::Hour)?;
                    self.sum.add(whole / 100 % 100, 0.0, Unit::Minute)?;
                    self.sum.add(whole % 100, part, Unit::Second)?;
                }
                None | Some(b':') if is_first => {
                    self.sum.add(whole, part, Unit::Hour)?;
                    return if designator.is_some() { self.alternative_time() } else { Ok(()) };
                }
                _ => return Err(Fault::Format),
            }
            is_first = false;
        }
        Ok(())
    }

    /// `mm:ss` after `hh:`.
    fn alternative_time(&mut self) -> Result<(), Fault> {
        let (_, whole, part) = self.number()?;
        self.sum.add(whole, part, Unit::Minute)?;
        if self.end_or(b':') == Some(false) {
            return Ok(());
        }
        let (_, whole, part) = self.number()?;
        self.sum.add(whole, part, Unit::Second)?;
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::Format) }
    }

    fn first(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    fn advance(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// False at the end, true after this character, which is then read; `None` before anything else.
    fn end_or(&mut self, separator: u8) -> Option<bool> {
        match self.first() {
            None => Some(false),
            Some(first) if first == separator => {
                self.advance();
                Some(true)
            }
            Some(_) => None,
        }
    }

    /// How many digits it has before the point, what they are, and the fraction with the same sign.
    fn number(&mut self) -> Result<(usize, i64, f64), Fault> {
        let signed = usize::from(self.rest.starts_with(['-', '+']));
        let is_digit = |c: char| c.is_ascii_digit();
        let unsigned = &self.rest[signed..];
        let width = unsigned.find(|c| !is_digit(c)).unwrap_or(unsigned.len());
        let after = &unsigned[width..];
        let decimals = match after.strip_prefix('.') {
            Some(digits) => 1 + digits.find(|c| !is_digit(c)).unwrap_or(digits.len()),
            None => 0,
        };
        if width + decimals == 0 || (width == 0 && decimals == 1) {
            return Err(Fault::Format);
        }
        let negative = self.rest.starts_with('-');
        let whole =
            if width == 0 { 0 } else { self.rest[..signed + width].parse().map_err(|_| Fault::Range)? };
        let part =
            if decimals > 1 { after[..decimals].parse::<f64>().map_err(|_| Fault::Format)? } else { 0.0 };
        self.rest = &after[decimals..];
        Ok((width, whole, if negative { -part } else { part }))
    }
}

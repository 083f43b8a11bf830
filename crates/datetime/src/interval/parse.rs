//! Intervals from their texts: `1 year 2 mons -3 days 04:05:06.7`, `@ 1 day ago`, `1-2 3 4:05:06`, `P1Y2M3DT4H5M6S`.

use springtide_types::Result;

use super::sum::Sum;
use super::{Interval, IntervalFields, iso};
use crate::error::{Fault, out_of_range};
use crate::number::{Clock, fraction, integer};
use crate::scan::{Field, Kind, fields};
use crate::style::{IntervalStyle, current};
use crate::words::{Special, Unit, Word, date_word};

/// An interval from its text.
pub fn parse_interval(text: &str) -> Result<Interval> {
    parse_interval_fields(text, IntervalFields::default())
}

/// An interval of these fields from its text. A number without a unit counts the last one.
pub fn parse_interval_fields(text: &str, kept: IntervalFields) -> Result<Interval> {
    let style = current().interval;
    let words = fields(text).ok_or(Fault::Format).and_then(|fields| words(&fields, kept, style));
    let parsed = match words {
        Err(Fault::Format) => iso::parse(text).map(Parsed::Finite),
        other => other,
    };
    let interval = match parsed.map_err(|fault| fault.of(text, "interval"))? {
        Parsed::Finite(sum) => sum.interval().ok_or_else(|| out_of_range("interval"))?,
        Parsed::Infinite(interval) => interval,
    };
    kept.cut(interval)
}

enum Parsed {
    Finite(Sum),
    Infinite(Interval),
}

/// Which units a text has named; none may be named twice.
#[derive(Clone, Copy, Default)]
struct Seen(u16);

impl Seen {
    const TIME: u16 = Seen::of(Unit::Hour) | Seen::of(Unit::Minute) | Seen::SECONDS;
    const SECONDS: u16 = Seen::of(Unit::Second) | Seen::of(Unit::Millisecond) | Seen::of(Unit::Microsecond);

    const fn of(unit: Unit) -> u16 {
        1 << unit as u16
    }

    fn note(&mut self, mask: u16) -> Result<(), Fault> {
        let is_new = self.0 & mask == 0;
        self.0 |= mask;
        if is_new { Ok(()) } else { Err(Fault::Format) }
    }
}

/// Reads from the end, so that the unit of a number is known before the number.
struct Reader {
    kept: IntervalFields,
    sum: Sum,
    seen: Seen,
    unit: Option<Unit>,
    /// Whether `unit` waits for its number.
    waits: bool,
    /// As the SQL standard has it, a sign in front counts for all.
    all_negative: bool,
}

fn words(fields: &[Field], kept: IntervalFields, style: IntervalStyle) -> Result<Parsed, Fault> {
    let is_signed = |field: &Field| field.text.starts_with(['-', '+']);
    let all_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|first| first.text.starts_with('-'))
        && !fields[1..].iter().any(is_signed);
    let mut reader =
        Reader { kept, sum: Sum::default(), seen: Seen::default(), unit: None, waits: false, all_negative };
    let (mut ago, mut infinite) = (false, None);
    for (at, field) in fields.iter().enumerate().rev() {
        let is_last = at + 1 == fields.len();
        match field.kind {
            Kind::Time => reader.clock(&field.text)?,
            Kind::Zone if field.text[1..].contains(':') && reader.signed_clock(&field.text) => {}
            Kind::Zone | Kind::Date | Kind::Number => reader.number(&field.text)?,
            Kind::Word | Kind::Special if reader.waits => return Err(Fault::Format),
            Kind::Word | Kind::Special => match field.text.as_str() {
                "ago" if is_last => ago = true,
                word => match (Unit::named(word), date_word(word)) {
                    (Some(unit), _) => (reader.unit, reader.waits) = (Some(unit), true),
                    (_, Some(Word::Special(special @ (Special::Late | Special::Early)))) if is_last => {
                        infinite =
                            Some(if special == Special::Late { Interval::LATE } else { Interval::EARLY });
                        reader.seen.note(u16::MAX)?;
                    }
                    _ => return Err(Fault::Format),
                },
            },
        }
    }
    if reader.seen.0 == 0 || reader.waits {
        return Err(Fault::Format);
    }
    if let Some(infinite) = infinite {
        return Ok(Parsed::Infinite(infinite));
    }
    if ago {
        reader.sum.negate()?;
    }
    Ok(Parsed::Finite(reader.sum))
}

impl Reader {
    fn clock(&mut self, text: &str) -> Result<(), Fault> {
        let mut micros = self.clock_micros(text)?;
        if self.all_negative && micros > 0 {
            micros = -micros;
        }
        self.add_clock(micros)
    }

    /// `+02:03`; false if it is none.
    fn signed_clock(&mut self, text: &str) -> bool {
        let Ok(micros) = self.clock_micros(&text[1..]) else { return false };
        self.add_clock(if text.starts_with('-') { -micros } else { micros }).is_ok()
    }

    fn clock_micros(&self, text: &str) -> Result<i64, Fault> {
        let clock = Clock::parse(text, self.kept.minutes_first())?;
        let mut sum = Sum::default();
        sum.add(clock.hour, 0.0, Unit::Hour)?;
        sum.add(clock.minute, 0.0, Unit::Minute)?;
        sum.add(clock.second, 0.0, Unit::Second)?;
        sum.add(clock.fraction, 0.0, Unit::Microsecond)?;
        Ok(sum.micros)
    }

    fn add_clock(&mut self, micros: i64) -> Result<(), Fault> {
        // A number in front of a time counts days.
        (self.unit, self.waits) = (Some(Unit::Day), false);
        self.sum.add_micros(micros, 0.0, 1)?;
        self.seen.note(Seen::TIME)
    }

    fn number(&mut self, text: &str) -> Result<(), Fault> {
        let unit = *self.unit.get_or_insert(self.kept.last().unwrap_or(Unit::Second));
        let (mut whole, rest) = match text.strip_prefix(['+', '-', '.']) {
            _ if text.starts_with('.') => (0, text),
            Some(rest) if rest.starts_with('.') => (0, rest),
            _ => integer::<i64>(text)?,
        };
        let negative = text.starts_with('-');
        let mut part = 0.0;
        let mut unit = unit;
        match rest.as_bytes().first() {
            Some(b'-') => {
                let (months, rest) = integer::<i32>(&rest[1..])?;
                if !(0..12).contains(&months) {
                    return Err(Fault::Range);
                }
                if !rest.is_empty() {
                    return Err(Fault::Format);
                }
                let months = i64::from(if negative { -months } else { months });
                whole =
                    whole.checked_mul(12).and_then(|whole| whole.checked_add(months)).ok_or(Fault::Range)?;
                unit = Unit::Month;
            }
            Some(b'.') => part = fraction(rest)? * if negative { -1.0 } else { 1.0 },
            Some(_) => return Err(Fault::Format),
            None => {}
        }
        if self.all_negative {
            (whole, part) = (-whole.abs(), -part.abs());
        }
        // A number in front of hours counts days.
        let next = if unit == Unit::Hour { Unit::Day } else { unit };
        (self.unit, self.waits) = (Some(next), false);
        self.sum.add(whole, part, unit)?;
        self.seen.note(if unit == Unit::Second && part != 0.0 { Seen::SECONDS } else { Seen::of(unit) })
    }
}

//! Puts the fields of a date or time together, by the rules of PostgreSQL's `DecodeDateTime` and `DecodeTimeOnly`.

mod fields;
mod time_only;
mod zone;

use crate::calendar::{Civil, DAY, civil_from_days};
use crate::error::Fault;
use crate::number::{Clock, displacement, fraction, integer};
use crate::scan::{Field, Kind};
use crate::style::Style;
use crate::words::{Special, Word};

use fields::{Fields, Mask};
pub(crate) use time_only::time_only;
use zone::ZoneField;

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A date and time, and how far its clocks are from UTC, in seconds to the east.
    Moment(Civil, i32),
    Epoch,
    Late,
    Early,
}

/// A label that the next number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Time,
    JulianDay,
    Other,
}

/// What has been read so far.
struct Decoder<'a> {
    style: &'a Style,
    fields: Fields,
    clock: Clock,
    seen: Mask,
    label: Option<Label>,
    special: Option<Decoded>,
    zone: ZoneField,
    afternoon: Option<bool>,
    before_christ: bool,
}

/// The date and time that fields make.
pub(crate) fn date_time(fields: &[Field], style: &Style) -> Result<Decoded, Fault> {
    let mut decoder = Decoder::new(style);
    for field in fields {
        let mask = match field.kind {
            Kind::Date => decoder.date(&field.text)?,
            Kind::Time => decoder.time(&field.text)?,
            Kind::Zone => decoder.zone.displaced(displacement(&field.text)?),
            Kind::Number => decoder.number(&field.text)?,
            Kind::Word | Kind::Special => match decoder.word(&field.text)? {
                Some(mask) => mask,
                None => continue,
            },
        };
        decoder.note(mask)?;
    }
    if decoder.label.is_some() {
        return Err(Fault::Format);
    }
    if let Some(special) = decoder.special {
        return Ok(special);
    }
    decoder.finish()
}

impl<'a> Decoder<'a> {
    fn new(style: &'a Style) -> Decoder<'a> {
        Decoder {
            style,
            fields: Fields::new(style.date.order),
            clock: Clock::default(),
            seen: Mask::default(),
            label: None,
            special: None,
            zone: ZoneField::default(),
            afternoon: None,
            before_christ: false,
        }
    }

    /// Notes what a field has said; each thing may be said once.
    fn note(&mut self, mask: Mask) -> Result<(), Fault> {
        if self.seen.any(mask) {
            return Err(Fault::Format);
        }
        self.seen = self.seen.with(mask);
        Ok(())
    }

    fn finish(mut self) -> Result<Decoded, Fault> {
        self.fields.validate(self.seen, self.before_christ)?;
        self.apply_half()?;
        if !self.seen.all(Mask::DATE) {
            return Err(Fault::Format);
        }
        let time = self.clock.time_of_day()?;
        let civil = Civil { time, ..self.fields.date() };
        let east = self.zone.east_when(&civil, self.seen, self.style)?;
        Ok(Decoded::Moment(civil, east))
    }

    /// AM and PM.
    fn apply_half(&mut self) -> Result<(), Fault> {
        let Some(afternoon) = self.afternoon else { return Ok(()) };
        if self.clock.hour > 12 {
            return Err(Fault::Range);
        }
        self.clock.hour = self.clock.hour % 12 + if afternoon { 12 } else { 0 };
        Ok(())
    }

    fn date(&mut self, text: &str) -> Result<Mask, Fault> {
        if self.label == Some(Label::JulianDay) {
            let (day, zone) = integer::<i32>(text)?;
            self.fields.set_julian(i64::from(day))?;
            self.label = None;
            return Ok(Mask::DATE.with(Mask::TIME).with(self.zone.displaced(displacement(zone)?)));
        }
        if self.label.is_none() && !self.seen.all(Mask::MONTH.with(Mask::DAY)) {
            return self.fields.read_date(text, self.seen);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) || self.label.is_some() {
            if self.label.take().is_some_and(|label| label != Label::Time) {
                return Err(Fault::Format);
            }
            return self.time_with_zone(text, self.seen);
        }
        self.zone.named(text)
    }

    /// `040506-08`
    fn time_with_zone(&mut self, text: &str, seen: Mask) -> Result<Mask, Fault> {
        if seen.all(Mask::TIME) {
            return Err(Fault::Format);
        }
        let (time, _) = text.split_once('-').ok_or(Fault::Format)?;
        let zone = self.zone.displaced(displacement(&text[time.len()..])?);
        Ok(self.fields.read_joined(time, seen, &mut self.clock)?.with(zone))
    }

    fn time(&mut self, text: &str) -> Result<Mask, Fault> {
        if self.label.take().is_some_and(|label| label != Label::Time) {
            return Err(Fault::Format);
        }
        self.clock = Clock::parse(text, false)?;
        self.clock.time_of_day()?;
        Ok(Mask::TIME)
    }

    fn number(&mut self, text: &str) -> Result<Mask, Fault> {
        if let Some(label) = self.label.take() {
            return self.labelled(label, text);
        }
        let whole = text.find('.').unwrap_or(text.len());
        let has_point = whole < text.len();
        if has_point && !self.seen.any(Mask::DATE) {
            self.fields.read_date(text, self.seen)
        } else if (has_point && whole > 2)
            || (!has_point && text.len() >= 6 && (!self.seen.any(Mask::DATE) || !self.seen.any(Mask::TIME)))
        {
            self.fields.read_joined(text, self.seen, &mut self.clock)
        } else {
            self.fields.read_number(text, self.seen, &mut self.clock)
        }
    }

    /// A number after a word that says what it counts.
    fn labelled(&mut self, label: Label, text: &str) -> Result<Mask, Fault> {
        let (value, rest) = integer::<i32>(text)?;
        if !(rest.is_empty() || rest.starts_with('.')) {
            return Err(Fault::Format);
        }
        match label {
            Label::JulianDay => {
                self.fields.set_julian(i64::from(value))?;
                if rest.is_empty() {
                    return Ok(Mask::DATE);
                }
                let micros = (fraction(rest)? * DAY as f64) as i64;
                self.clock = Clock { fraction: micros % 1_000_000, ..Clock::default() };
                let seconds = micros / 1_000_000;
                (self.clock.hour, self.clock.minute, self.clock.second) =
                    (seconds / 3600, seconds / 60 % 60, seconds % 60);
                Ok(Mask::DATE.with(Mask::TIME))
            }
            Label::Time => {
                let mask = self.fields.read_joined(text, self.seen.with(Mask::DATE), &mut self.clock)?;
                if mask == Mask::TIME { Ok(mask) } else { Err(Fault::Format) }
            }
            Label::Other => Err(Fault::Format),
        }
    }

    /// What a word says; `None` if nothing.
    fn word(&mut self, word: &str) -> Result<Option<Mask>, Fault> {
        if let Some(mask) = self.zone.abbreviated(word, self.style) {
            return Ok(Some(mask));
        }
        let Some(meaning) = crate::words::date_word(word) else {
            return self.zone.named(word).map(Some).map_err(|_| Fault::Format);
        };
        Ok(Some(match meaning {
            Word::Ignored => return Ok(None),
            Word::Special(special) => self.special(special)?,
            Word::Month(month) => self.fields.set_month(month, self.seen),
            Word::Daylight => self.zone.daylight(),
            Word::Weekday => Mask::WEEKDAY,
            Word::Afternoon(afternoon) => {
                self.afternoon = Some(afternoon);
                Mask::HALF
            }
            Word::BeforeChrist(before) => {
                self.before_christ = before;
                Mask::ERA
            }
            Word::TimeFollows => {
                if !self.seen.all(Mask::DATE) {
                    return Err(Fault::Format);
                }
                self.labelled_by(Label::Time)?
            }
            Word::JulianFollows => self.labelled_by(Label::JulianDay)?,
            Word::OtherFollows => self.labelled_by(Label::Other)?,
        }))
    }

    fn labelled_by(&mut self, label: Label) -> Result<Mask, Fault> {
        match self.label.replace(label) {
            Some(_) => Err(Fault::Format),
            None => Ok(Mask::default()),
        }
    }

    fn special(&mut self, special: Special) -> Result<Mask, Fault> {
        let now = self.style.clock();
        let everything = Mask::DATE.with(Mask::TIME).with(Mask::ZONE);
        let mut day = |by: i64| {
            let (year, month, day) = civil_from_days(now.days() + by);
            self.fields.set_date(Civil { year, month, day, time: 0 });
            Mask::DATE
        };
        Ok(match special {
            Special::Yesterday => day(-1),
            Special::Today => day(0),
            Special::Tomorrow => day(1),
            Special::Now => {
                self.fields.set_date(now);
                self.clock = Clock { fraction: now.time, ..Clock::default() };
                self.zone.displaced(self.style.zone.east_when(&now));
                everything
            }
            Special::Zulu => {
                self.clock = Clock::default();
                self.zone.displaced(0);
                Mask::TIME.with(Mask::ZONE)
            }
            Special::Epoch => self.is(Decoded::Epoch),
            Special::Late => self.is(Decoded::Late),
            Special::Early => self.is(Decoded::Early),
        })
    }

    fn is(&mut self, special: Decoded) -> Mask {
        self.special = Some(special);
        Mask::DATE.with(Mask::TIME).with(Mask::ZONE)
    }
}

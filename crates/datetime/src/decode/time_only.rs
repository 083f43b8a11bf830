//! Times of day, perhaps with a zone, and with a date where that is needed to know the zone.

use crate::calendar::Civil;
use crate::error::Fault;
use crate::number::{Clock, displacement};
use crate::scan::{Field, Kind};
use crate::style::Style;
use crate::words::{Special, Word};

use super::fields::Mask;
use super::{Decoder, Label};

/// The time that fields make, in microseconds, and how far its clocks are from UTC, in seconds to the east.
pub(crate) fn time_only(fields: &[Field], style: &Style) -> Result<(i64, i32), Fault> {
    let mut decoder = Decoder::new(style);
    // A date may stand before a time or a zone with a name.
    let begins_with_date = |at: usize| {
        let last_is_date = fields.last().is_some_and(|last| last.kind == Kind::Date);
        let second_is_time = fields.get(1).is_some_and(|second| second.kind == Kind::Time);
        at == 0 && fields.len() >= 2 && (last_is_date || second_is_time)
    };
    for (at, field) in fields.iter().enumerate() {
        let text = field.text.as_str();
        let mask = match field.kind {
            Kind::Date if begins_with_date(at) => decoder.fields.read_date(text, decoder.seen)?,
            Kind::Date if text.starts_with(|c: char| c.is_ascii_digit()) => {
                decoder.time_with_zone(text, decoder.seen.with(Mask::DATE))?
            }
            Kind::Date => decoder.zone.named(text)?,
            Kind::Time => decoder.time(text)?,
            Kind::Zone => decoder.zone.displaced(displacement(text)?),
            Kind::Number => decoder.number_of_time(text, begins_with_date(at))?,
            Kind::Word | Kind::Special => match decoder.word_of_time(text)? {
                Some(mask) => mask,
                None => continue,
            },
        };
        decoder.note(mask)?;
    }
    if decoder.label.is_some() {
        return Err(Fault::Format);
    }
    decoder.finish_time()
}

impl Decoder<'_> {
    fn number_of_time(&mut self, text: &str, begins_with_date: bool) -> Result<Mask, Fault> {
        if let Some(label) = self.label.take() {
            return self.labelled(label, text);
        }
        let with_date = self.seen.with(Mask::DATE);
        match text.find('.') {
            Some(_) if begins_with_date => self.fields.read_date(text, self.seen),
            Some(point) if point > 2 => self.fields.read_joined(text, with_date, &mut self.clock),
            Some(_) => Err(Fault::Format),
            None => self.fields.read_joined(text, with_date, &mut self.clock),
        }
    }

    fn word_of_time(&mut self, word: &str) -> Result<Option<Mask>, Fault> {
        match crate::words::date_word(word) {
            Some(Word::Special(Special::Now)) => {
                self.clock = Clock { fraction: self.style.clock().time, ..Clock::default() };
                Ok(Some(Mask::TIME))
            }
            Some(Word::Special(Special::Zulu)) => self.word(word),
            Some(Word::Special(_)) => Err(Fault::Format),
            Some(Word::TimeFollows) => self.labelled_by(Label::Time).map(Some),
            _ => self.word(word),
        }
    }

    fn finish_time(mut self) -> Result<(i64, i32), Fault> {
        self.fields.validate(self.seen, self.before_christ)?;
        self.apply_half()?;
        if !self.seen.all(Mask::TIME) {
            return Err(Fault::Format);
        }
        let time = self.clock.time_of_day()?;
        let has_date = self.seen.all(Mask::DATE);
        if !has_date && (self.seen.any(Mask::DATE) || self.zone.needs_date()) {
            return Err(Fault::Format);
        }
        let date = if has_date { self.fields.date() } else { self.style.clock() };
        let east = self.zone.east_when(&Civil { time, ..date }, self.seen, self.style)?;
        Ok((time, east))
    }
}

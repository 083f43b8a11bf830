//! The zone that a text names.

use crate::abbreviations::{Meaning, abbreviation};
use crate::calendar::Civil;
use crate::error::Fault;
use crate::style::Style;
use crate::zone::Zone;

use super::fields::Mask;

/// What has been read of it.
#[derive(Default)]
pub(super) struct ZoneField {
    east: i32,
    named: Option<Zone>,
    /// What a zone calls so at the time that is read.
    abbreviated: Option<(Zone, String)>,
}

/// `dst` moves a zone by an hour.
const DAYLIGHT_SAVING: i32 = 3600;

impl ZoneField {
    /// Seconds east of UTC.
    pub(super) fn displaced(&mut self, east: i32) -> Mask {
        self.east += east;
        Mask::ZONE
    }

    pub(super) fn daylight(&mut self) -> Mask {
        self.east += DAYLIGHT_SAVING;
        Mask::DAYLIGHT
    }

    pub(super) fn named(&mut self, name: &str) -> Result<Mask, Fault> {
        self.named = Some(Zone::named(name).ok_or_else(|| Fault::Zone(name.to_owned()))?);
        Ok(Mask::ZONE)
    }

    /// An abbreviation: what the zone of the session calls so, or one that is known without that.
    pub(super) fn abbreviated(&mut self, word: &str, style: &Style) -> Option<Mask> {
        // What is not known by itself may be the zone's own, such as LMT.
        let meaning = abbreviation(word);
        if crate::words::date_word(word).is_none()
            && style.zone.always().is_none()
            && style.zone.abbreviated(word, &style.clock()).is_some()
        {
            self.abbreviated = Some((style.zone.clone(), word.to_owned()));
            return Some(Mask::ZONE);
        }
        match meaning? {
            Meaning::Offset(east, _) => self.east += east,
            Meaning::OfZone(zone) => self.abbreviated = Some((Zone::named(zone)?, word.to_owned())),
        }
        Some(Mask::ZONE)
    }

    /// Whether the offset depends on the date.
    pub(super) fn needs_date(&self) -> bool {
        self.named.as_ref().is_some_and(|zone| zone.always().is_none())
    }

    /// Seconds east of UTC when clocks show this: in the zone that was read, or else in that of the session.
    pub(super) fn east_when(&self, civil: &Civil, seen: Mask, style: &Style) -> Result<i32, Fault> {
        if let Some(zone) = &self.named {
            if seen.any(Mask::DAYLIGHT) {
                return Err(Fault::Format);
            }
            return Ok(zone.east_when(civil));
        }
        if let Some((zone, name)) = &self.abbreviated {
            let east = zone.abbreviated(name, civil).unwrap_or_else(|| zone.east_when(civil));
            return Ok(self.east + east);
        }
        if seen.any(Mask::ZONE) {
            return Ok(self.east);
        }
        if seen.any(Mask::DAYLIGHT) { Err(Fault::Format) } else { Ok(style.zone.east_when(civil)) }
    }
}

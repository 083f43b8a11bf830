//! Time zones: by their name in the IANA database, by the rules of POSIX, or a fixed distance from UTC.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::abbreviations::{Meaning, abbreviation};
use crate::calendar::{Civil, DAY, SECOND};

/// A time zone. Zones are equal that have one name.
#[derive(Clone, Debug)]
pub struct Zone {
    name: Arc<str>,
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Rules {
    /// Seconds east of UTC, and what to call that.
    Fixed(i32, Arc<str>),
    Varying(TimeZone),
}

/// How far a zone is from UTC at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Seconds east of UTC.
    pub east: i32,
    /// What people there call it.
    pub abbreviation: String,
}

impl Default for Zone {
    fn default() -> Zone {
        Zone { name: "UTC".into(), rules: Rules::Fixed(0, "UTC".into()) }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Years after which the calendar repeats, in microseconds.
const CYCLE: i64 = 146_097 * DAY;
/// The second Sunday of March, the first of November.
const USA: &str = "M3.2.0,M11.1.0";
/// How many seconds a zone may be away from UTC, exclusive.
const MOST_SECONDS: i32 = 168 * 3600;

impl Zone {
    /// A full name such as `America/New_York`, in any case, or a POSIX rule such as `CST7CDT,M4.1.0,M10.5.0`.
    pub fn named(name: &str) -> Option<Zone> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Zone::default());
        }
        if let Ok(zone) = jiff::tz::db().get(name) {
            let name = zone.iana_name().unwrap_or(name).to_owned();
            return Some(Zone::varying(&name, zone));
        }
        Zone::posix_offset(name).or_else(|| {
            let zone = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '<');
            // Without a rule, clocks change as in the USA.
            let parsed = || TimeZone::posix(name).or_else(|_| TimeZone::posix(&format!("{name},{USA}")));
            let zone = zone.then(|| parsed().ok())??;
            Some(Zone::varying(name, zone))
        })
    }

    /// What TimeZone may be set to: a name, or hours east of UTC.
    pub fn setting(text: &str) -> Option<Zone> {
        match text.trim().parse::<f64>() {
            Ok(hours) if hours.is_finite() => Zone::fixed((hours * 3600.0).round() as i64),
            _ => Zone::named(text),
        }
    }

    /// A distance from UTC, in seconds to the east.
    pub fn fixed(east: i64) -> Option<Zone> {
        let east = i32::try_from(east).ok().filter(|east| east.abs() < MOST_SECONDS)?;
        let shown = offset_text(east);
        Some(Zone {
            name: format!("<{shown}>{}", offset_text(-east)).into(),
            rules: Rules::Fixed(east, shown.into()),
        })
    }

    /// `XYZ+4:30`, hours west of UTC, with or without an abbreviation in front.
    fn posix_offset(name: &str) -> Option<Zone> {
        let (abbreviation, rest) = match name.strip_prefix('<') {
            Some(quoted) => quoted.split_once('>')?,
            None => name.split_at(name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(name.len())),
        };
        let (sign, digits) = match rest.strip_prefix('-') {
            Some(digits) => (1, digits),
            None => (-1, rest.strip_prefix('+').unwrap_or(rest)),
        };
        let mut fields = digits.split(':').map(|field| {
            let digits = !field.is_empty() && field.len() <= 3 && field.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| field.parse::<i32>().ok())?
        });
        let hours = fields.next()??;
        let (minutes, seconds) = (fields.next().unwrap_or(Some(0))?, fields.next().unwrap_or(Some(0))?);
        let fine = fields.next().is_none() && hours < 168 && minutes < 60 && seconds < 60;
        fine.then(|| Zone {
            name: name.into(),
            rules: Rules::Fixed(sign * (hours * 3600 + minutes * 60 + seconds), abbreviation.into()),
        })
    }

    fn varying(name: &str, zone: TimeZone) -> Zone {
        match zone.to_fixed_offset() {
            Ok(offset) => {
                let abbreviation = zone.to_offset_info(Timestamp::UNIX_EPOCH).abbreviation().into();
                Zone { name: name.into(), rules: Rules::Fixed(offset.seconds(), abbreviation) }
            }
            Err(_) => Zone { name: name.into(), rules: Rules::Varying(zone) },
        }
    }

    /// As SHOW gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC, if they are always the same.
    pub fn always(&self) -> Option<i32> {
        match &self.rules {
            Rules::Fixed(east, _) => Some(*east),
            Rules::Varying(_) => None,
        }
    }

    /// Seconds east of UTC at a moment, in microseconds since 1970 UTC.
    pub fn east_at(&self, micros: i64) -> i32 {
        match &self.rules {
            Rules::Fixed(east, _) => *east,
            Rules::Varying(zone) => zone.to_offset(instant(micros)).seconds(),
        }
    }

    /// The offset at a moment, in microseconds since 1970 UTC.
    pub fn offset_at(&self, micros: i64) -> Offset {
        match &self.rules {
            Rules::Fixed(east, abbreviation) => {
                Offset { east: *east, abbreviation: abbreviation.to_string() }
            }
            Rules::Varying(zone) => {
                let info = zone.to_offset_info(instant(micros));
                Offset { east: info.offset().seconds(), abbreviation: info.abbreviation().to_owned() }
            }
        }
    }

    /// Seconds east of UTC when clocks there show this. Of a time that clocks skip, the offset before counts, of one
    /// that they show twice the later.
    pub fn east_when(&self, civil: &Civil) -> i32 {
        let zone = match &self.rules {
            Rules::Fixed(east, _) => return *east,
            Rules::Varying(zone) => zone,
        };
        match zone.to_ambiguous_timestamp(local(civil)).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Gap { before, .. } => before.seconds(),
            AmbiguousOffset::Fold { after, .. } => after.seconds(),
        }
    }

    /// The moment when clocks there show this, in microseconds since 1970 UTC.
    pub fn to_utc(&self, civil: &Civil) -> Option<i64> {
        civil.micros()?.checked_sub(i64::from(self.east_when(civil)) * SECOND)
    }

    /// What clocks there show at a moment, as microseconds since 1970.
    pub fn to_local(&self, micros: i64) -> Option<i64> {
        micros.checked_add(i64::from(self.east_at(micros)) * SECOND)
    }

    /// What an abbreviation means here when clocks show this: its newest meaning by then, else the first one after.
    pub fn abbreviated(&self, abbreviation: &str, civil: &Civil) -> Option<i32> {
        self.abbreviated_at(abbreviation, self.to_utc(civil).unwrap_or_default())
    }

    /// What an abbreviation means here at a moment, as [`Self::abbreviated`].
    fn abbreviated_at(&self, abbreviation: &str, micros: i64) -> Option<i32> {
        let zone = match &self.rules {
            Rules::Fixed(east, own) => return own.eq_ignore_ascii_case(abbreviation).then_some(*east),
            Rules::Varying(zone) => zone,
        };
        let at = instant(micros);
        let now = zone.to_offset_info(at);
        if now.abbreviation().eq_ignore_ascii_case(abbreviation) {
            return Some(now.offset().seconds());
        }
        // What was in force before the first transition stands before it.
        let mut before = zone.preceding(at).take(400).collect::<Vec<_>>();
        let named = |info: &jiff::tz::TimeZoneTransition<'_>| {
            info.abbreviation().eq_ignore_ascii_case(abbreviation).then(|| info.offset().seconds())
        };
        if let Some(found) = before.iter().find_map(named) {
            return Some(found);
        }
        let first = before.pop().map_or(at, |first| first.timestamp());
        let dawn =
            zone.to_offset_info(first.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(first));
        if dawn.abbreviation().eq_ignore_ascii_case(abbreviation) {
            return Some(dawn.offset().seconds());
        }
        zone.following(at).take(400).find_map(|info| named(&info))
    }
}

/// A zone as `AT TIME ZONE` takes it: an abbreviation, a name or a POSIX rule. Its offset, in seconds east of UTC.
#[derive(Clone, Debug)]
pub enum Named {
    /// Always so far.
    Fixed(i32),
    /// What the zone calls so at the time in question.
    Abbreviation(Zone, String),
    /// By its rules.
    Zone(Zone),
}

impl Named {
    /// By its name.
    pub fn find(name: &str) -> Option<Named> {
        let lower = name.to_lowercase();
        Some(match abbreviation(&lower) {
            Some(Meaning::Offset(east, _)) => Named::Fixed(east),
            Some(Meaning::OfZone(zone)) => Named::Abbreviation(Zone::named(zone)?, lower),
            None => Named::Zone(Zone::named(name)?),
        })
    }

    /// Seconds east of UTC when clocks there show this.
    pub fn east_when(&self, civil: &Civil) -> i32 {
        match self {
            Named::Fixed(east) => *east,
            Named::Abbreviation(zone, name) => {
                zone.abbreviated(name, civil).unwrap_or_else(|| zone.east_when(civil))
            }
            Named::Zone(zone) => zone.east_when(civil),
        }
    }

    /// Seconds east of UTC at a moment, in microseconds since 1970 UTC.
    pub fn east_at(&self, micros: i64) -> i32 {
        match self {
            Named::Fixed(east) => *east,
            Named::Abbreviation(zone, name) => {
                zone.abbreviated_at(name, micros).unwrap_or_else(|| zone.east_at(micros))
            }
            Named::Zone(zone) => zone.east_at(micros),
        }
    }
}

/// `+08`, `-03:30`, `+00:00:36`
pub fn offset_text(east: i32) -> String {
    let sign = if east < 0 { '-' } else { '+' };
    let seconds = east.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// The moment by which the rules go: beyond the year 9999 they repeat as the calendar does.
fn instant(micros: i64) -> Timestamp {
    /// 9990-01-01
    const END: i64 = 253_086_076_800 * SECOND;
    let micros = if micros < END { micros } else { END - CYCLE + (micros - END).rem_euclid(CYCLE) };
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN)
}

/// What clocks show, within the same years.
fn local(civil: &Civil) -> DateTime {
    let year = if civil.year < 9990 { civil.year } else { 9590 + (civil.year - 9590).rem_euclid(400) };
    let seconds = civil.time.min(DAY - 1) / SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    DateTime::new(year as i16, civil.month as i8, civil.day as i8, hour as i8, minute as i8, second as i8, 0)
        .unwrap_or(DateTime::MIN)
}

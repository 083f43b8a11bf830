//! Reads the numbers in dates and times.

use crate::calendar::{HOUR, MINUTE, SECOND};
use crate::error::Fault;

/// The integer that a text begins with, and what follows it.
pub(crate) fn integer<T: TryFrom<i64>>(text: &str) -> Result<(T, &str), Fault> {
    let signed = usize::from(text.starts_with(['-', '+']));
    let end = text[signed..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| end + signed);
    if end == signed {
        return Err(Fault::Format);
    }
    let value = text[..end].parse::<i64>().map_err(|_| Fault::Range)?;
    Ok((T::try_from(value).map_err(|_| Fault::Range)?, &text[end..]))
}

/// What follows a point, `.789` included, as a fraction of one.
pub(crate) fn fraction(text: &str) -> Result<f64, Fault> {
    let digits = text.strip_prefix('.').ok_or(Fault::Format)?;
    if digits.is_empty() {
        return Ok(0.0);
    }
    match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse().map_err(|_| Fault::Format),
        false => Err(Fault::Format),
    }
}

/// The same in microseconds.
pub(crate) fn fraction_of_second(text: &str) -> Result<i64, Fault> {
    Ok((fraction(text)? * 1e6).round_ties_even() as i64)
}

/// A time of day with colons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// Microseconds.
    pub fraction: i64,
}

impl Clock {
    /// `12:34`, `12:34:56.789`. Of two fields, `minutes_first` takes the first for minutes, as a point after the second does.
    pub(crate) fn parse(text: &str, minutes_first: bool) -> Result<Clock, Fault> {
        let (hour, rest) = integer::<i64>(text)?;
        let rest = rest.strip_prefix(':').ok_or(Fault::Format)?;
        let (minute, rest) = integer::<i32>(rest)?;
        let minute = i64::from(minute);
        let clock = match rest.as_bytes().first() {
            None if minutes_first => Clock { hour: 0, minute: hour, second: minute, fraction: 0 },
            None => Clock { hour, minute, second: 0, fraction: 0 },
            Some(b'.') => {
                Clock { hour: 0, minute: hour, second: minute, fraction: fraction_of_second(rest)? }
            }
            Some(b':') => {
                let (second, rest) = integer::<i32>(&rest[1..])?;
                let fraction = if rest.is_empty() { 0 } else { fraction_of_second(rest)? };
                Clock { hour, minute, second: i64::from(second), fraction }
            }
            Some(_) => return Err(Fault::Format),
        };
        let fine = clock.hour >= 0
            && (0..60).contains(&clock.minute)
            && (0..=60).contains(&clock.second)
            && (0..=SECOND).contains(&clock.fraction);
        if fine { Ok(clock) } else { Err(Fault::Range) }
    }

    /// Microseconds since midnight, of which there are no more than in a day.
    pub(crate) fn time_of_day(&self) -> Result<i64, Fault> {
        let Clock { hour, minute, second, fraction } = *self;
        let fine = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
        let time = hour.saturating_mul(HOUR).saturating_add(minute * MINUTE + second * SECOND + fraction);
        if fine && time <= 24 * HOUR { Ok(time) } else { Err(Fault::Range) }
    }
}

/// `+08`, `-03:30`, `+0530`, `-07:52:58`: seconds east of UTC.
pub(crate) fn displacement(text: &str) -> Result<i32, Fault> {
    let overflow = |fault| if fault == Fault::Range { Fault::Displacement } else { fault };
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(Fault::Format),
    };
    let (hour, rest) = integer::<i32>(&text[1..]).map_err(overflow)?;
    let (hour, minute, second, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (minute, rest) = match rest {
                "" => (0, ""),
                rest => integer::<i32>(rest).map_err(overflow)?,
            };
            match rest.strip_prefix(':') {
                Some(rest) => {
                    let (second, rest) = integer::<i32>(rest).map_err(overflow)?;
                    (hour, minute, second, rest)
                }
                None => (hour, minute, 0, rest),
            }
        }
        None if rest.is_empty() && text.len() > 3 => (hour / 100, hour % 100, 0, rest),
        None => (hour, 0, 0, rest),
    };
    if !(0..=15).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Fault::Displacement);
    }
    if rest.is_empty() { Ok(sign * (hour * 3600 + minute * 60 + second)) } else { Err(Fault::Format) }
}

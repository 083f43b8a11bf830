//! The fields that `interval day to second` and the like leave.

use springtide_types::{Result, SqlError, SqlState};

use super::Interval;
use crate::calendar::{HOUR, MINUTE};
use crate::words::Unit;

/// The first and the last field that is kept, if not all are, and how many decimals of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntervalFields {
    /// From year to second.
    pub range: Option<(Unit, Unit)>,
    /// At most 6.
    pub precision: Option<u8>,
}

impl IntervalFields {
    /// The last field that is kept.
    pub(super) fn last(&self) -> Option<Unit> {
        self.range.map(|(_, last)| last)
    }

    /// Whether two numbers with a colon are minutes and seconds.
    pub(super) fn minutes_first(&self) -> bool {
        self.range == Some((Unit::Minute, Unit::Second))
    }

    /// The interval without what is smaller than the last field. What is larger than the first stays.
    pub fn cut(&self, interval: Interval) -> Result<Interval> {
        if !interval.is_finite() {
            return Ok(interval);
        }
        let Interval { months, days, micros } = interval;
        let kept = match self.last() {
            Some(Unit::Year) => Interval::new(months / 12 * 12, 0, 0),
            Some(Unit::Month) => Interval::new(months, 0, 0),
            Some(Unit::Day) => Interval::new(months, days, 0),
            Some(Unit::Hour) => Interval::new(months, days, micros / HOUR * HOUR),
            Some(Unit::Minute) => Interval::new(months, days, micros / MINUTE * MINUTE),
            _ => interval,
        };
        match self.precision {
            Some(precision) => {
                let micros = round(kept.micros, precision).ok_or_else(|| {
                    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
                })?;
                Ok(Interval { micros, ..kept })
            }
            None => Ok(kept),
        }
    }
}

/// Microseconds with so many decimals of a second, rounded away from zero; `None` if they are too many.
pub fn round(micros: i64, precision: u8) -> Option<i64> {
    let unit = 10_i64.pow(u32::from(6 - precision.min(6)));
    if unit == 1 {
        return Some(micros);
    }
    let half = if micros < 0 { -(unit / 2) } else { unit / 2 };
    Some(micros.checked_add(half)? / unit * unit)
}

//! `time with time zone`

use std::cmp::Ordering;

use crate::calendar::SECOND;

/// A time of day and how far its clocks are from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeTz {
    /// Microseconds since midnight.
    pub time: i64,
    /// Seconds east of UTC.
    pub east: i32,
}

/// Bytes of [`TimeTz::to_bytes`].
pub const TIMETZ_BYTES: i32 = 12;

impl TimeTz {
    /// The same time in UTC, not brought back into one day.
    pub fn utc(&self) -> i64 {
        self.time - i64::from(self.east) * SECOND
    }

    /// The time by clocks elsewhere, in seconds east of UTC.
    #[must_use]
    pub fn at(&self, east: i32) -> TimeTz {
        let time = (self.utc() + i64::from(east) * SECOND).rem_euclid(crate::calendar::DAY);
        TimeTz { time, east }
    }

    /// Bytes in the order of the values: by the moment, then from east to west.
    pub fn to_bytes(self) -> [u8; TIMETZ_BYTES as usize] {
        let mut bytes = [0; TIMETZ_BYTES as usize];
        bytes[..8].copy_from_slice(&(self.utc() ^ i64::MIN).to_be_bytes());
        bytes[8..].copy_from_slice(&(-self.east ^ i32::MIN).to_be_bytes());
        bytes
    }

    /// From what [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> TimeTz {
        let (utc, west) = bytes.split_at(8);
        let utc = i64::from_be_bytes(utc.try_into().expect("eight bytes")) ^ i64::MIN;
        let east = -(i32::from_be_bytes(west.try_into().expect("four bytes")) ^ i32::MIN);
        TimeTz { time: utc + i64::from(east) * SECOND, east }
    }
}

impl PartialOrd for TimeTz {
    fn partial_cmp(&self, other: &TimeTz) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimeTz {
    fn cmp(&self, other: &TimeTz) -> Ordering {
        self.utc().cmp(&other.utc()).then(other.east.cmp(&self.east))
    }
}

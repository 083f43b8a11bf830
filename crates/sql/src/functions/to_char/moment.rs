//! The fields of a timestamp or interval, and the calendars that count them.

use arrow::datatypes::IntervalMonthDayNano;

use springtide_datetime::{DAY, HOUR, MINUTE, Offset, SECOND, Zone, civil_from_days};

/// A point in time or an interval, in fields.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub kind: Kind,
    /// The year 0 is 1 BC.
    pub year: i64,
    /// From 1; of an interval, from 0.
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub micros: i64,
    /// Of a timestamp with time zone.
    pub zone: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Timestamp,
    Timestamptz,
    Interval,
}

impl Moment {
    /// From microseconds since 1970, as clocks show them.
    pub(super) fn timestamp(kind: Kind, micros: i64) -> Moment {
        let (year, month, day) = civil_from_days(micros.div_euclid(DAY));
        Moment { year, month, day, ..Moment::time(kind, micros.rem_euclid(DAY)) }
    }

    pub(super) fn interval(interval: IntervalMonthDayNano) -> Moment {
        let months = i64::from(interval.months);
        Moment {
            year: months / 12,
            month: months % 12,
            day: i64::from(interval.days),
            ..Moment::time(Kind::Interval, interval.nanoseconds / 1000)
        }
    }

    fn time(kind: Kind, time: i64) -> Moment {
        Moment {
            kind,
            year: 0,
            month: 0,
            day: 0,
            hour: time / HOUR,
            minute: time / MINUTE % 60,
            second: time / SECOND % 60,
            micros: time % SECOND,
            zone: None,
        }
    }

    /// From microseconds since 1970 UTC.
    pub(super) fn timestamptz(micros: i64, zone: &Zone) -> Moment {
        let offset = zone.offset_at(micros);
        let local = micros.saturating_add(i64::from(offset.east) * SECOND);
        Moment { zone: Some(offset), ..Moment::timestamp(Kind::Timestamptz, local) }
    }

    /// Seconds east of UTC.
    pub(super) fn east(&self) -> i32 {
        self.zone.as_ref().map_or(0, |zone| zone.east)
    }

    /// A year as people count it, from 1 before and after Christ. Those of an interval are as they are.
    pub(super) fn displayed(&self, year: i64) -> i64 {
        if self.kind == Kind::Interval || year > 0 { year } else { 1 - year }
    }

    pub(super) fn julian_day(&self) -> i64 {
        julian_day(self.year, self.month, self.day)
    }

    /// From 0, Sunday.
    pub(super) fn day_of_week(&self) -> i64 {
        day_of_week(self.julian_day())
    }

    /// From 1. Of an interval, its days.
    pub(super) fn day_of_year(&self) -> i64 {
        match self.kind {
            Kind::Interval => (self.year * 12 + self.month) * 30 + self.day,
            _ => self.julian_day() - julian_day(self.year, 1, 1) + 1,
        }
    }

    /// The year to which ISO 8601 counts the week.
    pub(super) fn iso_year(&self) -> i64 {
        let day = self.julian_day();
        [self.year + 1, self.year]
            .into_iter()
            .find(|year| day >= first_iso_day(*year))
            .unwrap_or(self.year - 1)
    }

    pub(super) fn iso_week(&self) -> i64 {
        (self.iso_day_of_year() - 1) / 7 + 1
    }

    /// From 1, Monday of the first week.
    pub(super) fn iso_day_of_year(&self) -> i64 {
        self.julian_day() - first_iso_day(self.iso_year()) + 1
    }
}

/// Counts days as PostgreSQL's `date2j` does, also from months and days that no calendar has.
fn julian_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year + 4800, month + 1) } else { (year + 4799, month + 13) };
    let century = year / 100;
    year * 365 - 32_167 + year / 4 - century + century / 4 + 7834 * month / 256 + day
}

fn day_of_week(julian_day: i64) -> i64 {
    (julian_day + 1).rem_euclid(7)
}

/// The Monday of the week with January 4th.
fn first_iso_day(year: i64) -> i64 {
    let fourth = julian_day(year, 1, 4);
    fourth - day_of_week(fourth - 1)
}

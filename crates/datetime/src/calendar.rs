//! The Gregorian calendar before and after Christ, and the parts of a day.

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// The Julian day of 1970-01-01.
pub const EPOCH_JULIAN: i64 = 2_440_588;

/// 4714-11-24 BC, where Julian days begin, in days since 1970.
pub const FIRST_DAY: i64 = -EPOCH_JULIAN;

/// The day after 5874897-12-31, the last date, in days since 1970.
pub const END_OF_DATES: i64 = 2_147_483_494 - EPOCH_JULIAN;

/// Days of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

/// The date of a day since 1970: year, month, day. The year 0 is 1 BC.
///
/// Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(CYCLE);
    let day_of_era = days.rem_euclid(CYCLE);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date; the inverse of [`civil_from_days`]. Days beyond the end of their month count on.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * CYCLE + day_of_era - 719_468
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day of the week of a day since 1970, from 0, Sunday.
pub fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// The Monday on which the first week of an ISO year begins, in days since 1970.
pub fn iso_year_start(year: i64) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - (day_of_week(fourth) + 6) % 7
}

/// The year to which ISO 8601 counts a day, and its week in that year, from 1.
pub fn iso_week(days: i64) -> (i64, i64) {
    let (year, _, _) = civil_from_days(days);
    let iso = [year + 1, year].into_iter().find(|year| days >= iso_year_start(*year)).unwrap_or(year - 1);
    (iso, (days - iso_year_start(iso)) / 7 + 1)
}

/// A date and a time of day by their fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Civil {
    /// The year 0 is 1 BC.
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
    /// Microseconds since midnight.
    pub time: i64,
}

impl Civil {
    /// From microseconds since 1970.
    pub fn from_micros(micros: i64) -> Civil {
        let (year, month, day) = civil_from_days(micros.div_euclid(DAY));
        Civil { year, month, day, time: micros.rem_euclid(DAY) }
    }

    /// Days since 1970.
    pub fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// Microseconds since 1970; `None` if they are too many.
    pub fn micros(&self) -> Option<i64> {
        self.days().checked_mul(DAY)?.checked_add(self.time)
    }
}

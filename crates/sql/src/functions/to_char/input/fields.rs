//! What a text says by its template, and the moment that this makes.

use springtide_datetime::{
    Civil, EPOCH_JULIAN, HOUR, MINUTE, Named, SECOND, civil_from_days, days_from_civil, days_in_month,
    iso_year_start,
};
use springtide_types::{Result, SqlError, SqlState};

/// The fields that were read. Each may be said twice, if it is the same.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub year: Option<i64>,
    /// How many digits the template has for the year.
    pub year_digits: u32,
    pub century: Option<i64>,
    pub month: Option<i64>,
    pub day: Option<i64>,
    pub day_of_year: Option<i64>,
    /// From 1, Sunday.
    pub day_of_week: Option<i64>,
    pub week: Option<i64>,
    pub week_of_month: Option<i64>,
    pub julian: Option<i64>,
    pub hour: Option<i64>,
    pub minute: Option<i64>,
    pub second: Option<i64>,
    pub second_of_day: Option<i64>,
    pub micros: Option<i64>,
    /// Whether hours run to 12.
    pub has_halves: bool,
    pub afternoon: Option<bool>,
    pub before_christ: Option<bool>,
    /// Whether years and weeks are those of ISO 8601.
    pub is_iso: Option<bool>,
    pub zone_sign: Option<i32>,
    pub zone_hours: Option<i64>,
    pub zone_minutes: Option<i64>,
    /// By an abbreviation.
    pub zone: Option<Named>,
}

fn invalid(message: String) -> SqlError {
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

fn overflow() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date/time field value out of range")
}

impl Given {
    /// What clocks show.
    pub(super) fn civil(&self) -> Result<Civil> {
        let time = self.time()?;
        let (year, month, day) = self.date()?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(overflow());
        }
        Ok(Civil { year, month, day, time })
    }

    /// Seconds east of UTC, if the text says so.
    pub(super) fn east(&self, shown: &Civil) -> Result<Option<i32>> {
        let Some(sign) = self.zone_sign else {
            return Ok(self.zone.as_ref().map(|zone| zone.east_when(shown)));
        };
        let (hours, minutes) = (self.zone_hours.unwrap_or(0), self.zone_minutes.unwrap_or(0));
        if !(0..=15).contains(&hours) || !(0..60).contains(&minutes) {
            return Err(overflow());
        }
        Ok(Some(sign * (hours * 3600 + minutes * 60) as i32))
    }

    fn time(&self) -> Result<i64> {
        let of_day = self.second_of_day.unwrap_or(0);
        let mut hour = self.hour.unwrap_or(of_day / 3600);
        let minute = self.minute.unwrap_or(of_day / 60 % 60);
        let second = self.second.unwrap_or(of_day % 60);
        if self.has_halves {
            if !(1..=12).contains(&hour) {
                return Err(invalid(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            hour = hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 };
        }
        let fraction = self.micros.unwrap_or(0);
        let fine = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..=SECOND).contains(&fraction);
        if fine { Ok(hour * HOUR + minute * MINUTE + second * SECOND + fraction) } else { Err(overflow()) }
    }

    /// The year, in which 0 is 1 BC; `None` if the text has none.
    fn year(&self) -> Option<i64> {
        let before_christ = self.before_christ == Some(true);
        let century = self.century.filter(|century| *century != 0);
        let century = century.map(|century| if before_christ { -century } else { century });
        match (self.year.filter(|year| *year != 0 || century.is_some()), century) {
            (Some(year), Some(century)) if self.year_digits <= 2 => Some(match (year % 100, century) {
                (0, 0..) => century * 100,
                (0, _) => century * 100 + 1,
                (year, 0..) => year + (century - 1) * 100,
                (year, _) => (century + 1) * 100 - year + 1,
            }),
            (Some(year), _) => {
                let year = if before_christ { -year } else { year };
                Some(if year < 0 { year + 1 } else { year })
            }
            (None, Some(century @ 0..)) => Some((century - 1) * 100 + 1),
            (None, Some(century)) => Some(century * 100 + 1),
            (None, None) => None,
        }
    }

    fn date(&self) -> Result<(i64, i64, i64)> {
        let has_year = self.year();
        let (mut year, mut month, mut day) = (has_year.unwrap_or(0), 1, 1);
        let mut day_of_year = self.day_of_year.filter(|day| *day != 0);
        if let Some(julian) = self.julian.filter(|julian| *julian != 0) {
            (year, month, day) = civil_from_days(julian - EPOCH_JULIAN);
        }
        let is_iso = self.is_iso == Some(true);
        if let Some(week) = self.week.filter(|week| *week != 0) {
            if is_iso {
                let monday = iso_year_start(year) + (week - 1) * 7;
                let later = self.day_of_week.map_or(0, |weekday| (weekday + 5) % 7);
                (year, month, day) = civil_from_days(monday + later);
            } else {
                day_of_year = Some((week - 1) * 7 + 1);
            }
        }
        if let Some(week) = self.week_of_month.filter(|week| *week != 0) {
            day = (week - 1) * 7 + 1;
        }
        day = self.day.filter(|day| *day != 0).unwrap_or(day);
        month = self.month.filter(|month| *month != 0).unwrap_or(month);
        if let Some(day_of_year) = day_of_year.filter(|_| month <= 1 || day <= 1) {
            if has_year.is_none() && self.before_christ != Some(true) {
                return Err(invalid("cannot calculate day of year without year information".to_owned()));
            }
            let most = if is_iso { 371 } else { 365 + days_in_month(year, 2) - 28 };
            if !(1..=most).contains(&day_of_year) {
                return Err(overflow());
            }
            let first = if is_iso { iso_year_start(year) } else { days_from_civil(year, 1, 1) };
            (year, month, day) = civil_from_days(first + day_of_year - 1);
        }
        Ok((year, month, day))
    }
}

/// Notes a field.
pub(super) fn note<T: PartialEq>(place: &mut Option<T>, value: T, name: &str) -> Result<()> {
    match place.replace(value) {
        Some(before) if place.as_ref() != Some(&before) => {
            Err(invalid(format!("conflicting values for \"{name}\" field in formatting string"))
                .with_detail("This value contradicts a previous setting for the same field type."))
        }
        _ => Ok(()),
    }
}

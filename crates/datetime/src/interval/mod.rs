//! Intervals: months, days and microseconds, each counted for itself.

mod fields;
mod iso;
mod output;
mod parse;
mod sum;

use arrow::datatypes::IntervalMonthDayNano;
use springtide_types::{Result, SqlError, SqlState};

pub use fields::{IntervalFields, round};
pub use output::write_interval;
pub use parse::{parse_interval, parse_interval_fields};

use crate::calendar::{DAY, MINUTE};
use crate::error::out_of_range;

/// An interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Of 30 days when compared.
    pub months: i32,
    /// Of 24 hours when compared.
    pub days: i32,
    /// The time.
    pub micros: i64,
}

impl Interval {
    /// `infinity`
    pub const LATE: Interval = Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
    /// `-infinity`
    pub const EARLY: Interval = Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

    /// Of these parts.
    pub fn new(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    /// As Arrow holds it.
    pub fn from_arrow(value: IntervalMonthDayNano) -> Interval {
        match value {
            IntervalMonthDayNano { months: i32::MAX, days: i32::MAX, nanoseconds: i64::MAX } => {
                Interval::LATE
            }
            IntervalMonthDayNano { months: i32::MIN, days: i32::MIN, nanoseconds: i64::MIN } => {
                Interval::EARLY
            }
            IntervalMonthDayNano { months, days, nanoseconds } => {
                Interval { months, days, micros: nanoseconds / 1000 }
            }
        }
    }

    /// As Arrow holds it. Fails with `22008` for times of more than 292 years, which nanoseconds do not count.
    pub fn to_arrow(self) -> Result<IntervalMonthDayNano> {
        Ok(match self {
            Interval::LATE => IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX),
            Interval::EARLY => IntervalMonthDayNano::new(i32::MIN, i32::MIN, i64::MIN),
            Interval { months, days, micros } => {
                let nanos = micros.checked_mul(1000).ok_or_else(|| out_of_range("interval"))?;
                IntervalMonthDayNano::new(months, days, nanos)
            }
        })
    }

    /// Whether it is neither `infinity` nor `-infinity`.
    pub fn is_finite(self) -> bool {
        self != Interval::LATE && self != Interval::EARLY
    }

    /// What makes it longer or shorter than others: a month has 30 days, a day 24 hours.
    pub fn span(self) -> i128 {
        let days = i64::from(self.months) * 30 + i64::from(self.days);
        i128::from(days) * i128::from(DAY) + i128::from(self.micros)
    }

    /// A finite one with its sign turned; `None` if it is too long.
    pub fn negated(self) -> Option<Interval> {
        Some(match self {
            Interval::LATE => Interval::EARLY,
            Interval::EARLY => Interval::LATE,
            Interval { months, days, micros } => finite(Interval {
                months: months.checked_neg()?,
                days: days.checked_neg()?,
                micros: micros.checked_neg()?,
            })?,
        })
    }

    /// The sum. Fails with `22008` if it is too long, or of both infinities.
    pub fn plus(self, other: Interval) -> Result<Interval> {
        match (self.is_finite(), other.is_finite()) {
            (false, false) if self != other => Err(out_of_range("interval")),
            (false, _) => Ok(self),
            (_, false) => Ok(other),
            _ => {
                let sum = || {
                    finite(Interval {
                        months: self.months.checked_add(other.months)?,
                        days: self.days.checked_add(other.days)?,
                        micros: self.micros.checked_add(other.micros)?,
                    })
                };
                sum().ok_or_else(|| out_of_range("interval"))
            }
        }
    }

    /// The difference, as [`Self::plus`].
    pub fn minus(self, other: Interval) -> Result<Interval> {
        match (self.is_finite(), other.is_finite()) {
            (false, false) if self == other => Err(out_of_range("interval")),
            (false, _) => Ok(self),
            (_, false) => other.negated().ok_or_else(|| out_of_range("interval")),
            _ => {
                let difference = || {
                    finite(Interval {
                        months: self.months.checked_sub(other.months)?,
                        days: self.days.checked_sub(other.days)?,
                        micros: self.micros.checked_sub(other.micros)?,
                    })
                };
                difference().ok_or_else(|| out_of_range("interval"))
            }
        }
    }

    /// Times a number. Fractions of months become days, fractions of days become time.
    pub fn times(self, factor: f64) -> Result<Interval> {
        let error = || out_of_range("interval");
        if factor.is_nan() {
            return Err(error());
        }
        if !self.is_finite() || factor.is_infinite() {
            let sign = if self.is_finite() { self.span().signum() as f64 } else { self.sign() };
            return match sign * factor {
                product if product > 0.0 => Ok(Interval::LATE),
                product if product < 0.0 => Ok(Interval::EARLY),
                _ => Err(error()),
            };
        }
        let whole = |value: f64| {
            let fits = value.is_finite() && value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
            fits.then_some(value as i32).ok_or_else(error)
        };
        let (months, days) = (f64::from(self.months) * factor, f64::from(self.days) * factor);
        let (whole_months, mut whole_days) = (whole(months)?, whole(days)?);
        // Rounded to microseconds, lest a third of a month turn out a hair short.
        let month_days = to_micros((months - f64::from(whole_months)) * 30.0);
        let mut seconds =
            to_micros((days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0);
        if seconds.abs() >= 86_400.0 {
            let more = (seconds / 86_400.0).trunc();
            whole_days = whole_days.checked_add(more as i32).ok_or_else(error)?;
            seconds -= more * 86_400.0;
        }
        whole_days = whole_days.checked_add(month_days as i32).ok_or_else(error)?;
        let micros = (self.micros as f64 * factor + seconds * 1e6).round_ties_even();
        if micros.is_nan() || micros < -(2_f64.powi(63)) || micros >= 2_f64.powi(63) {
            return Err(error());
        }
        finite(Interval { months: whole_months, days: whole_days, micros: micros as i64 }).ok_or_else(error)
    }

    /// Divided by a number, as [`Self::times`].
    pub fn over(self, divisor: f64) -> Result<Interval> {
        let error = || out_of_range("interval");
        if divisor == 0.0 {
            return Err(SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        if divisor.is_nan() || (!self.is_finite() && divisor.is_infinite()) {
            return Err(error());
        }
        if !self.is_finite() {
            return Ok(if self.sign() * divisor > 0.0 { Interval::LATE } else { Interval::EARLY });
        }
        let (months, days) = (f64::from(self.months) / divisor, f64::from(self.days) / divisor);
        let (whole_months, mut whole_days) = (months as i32, days as i32);
        let month_days = to_micros((months - f64::from(whole_months)) * 30.0);
        let mut seconds =
            to_micros((days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0);
        if seconds.abs() >= 86_400.0 {
            let more = (seconds / 86_400.0).trunc();
            whole_days = whole_days.checked_add(more as i32).ok_or_else(error)?;
            seconds -= more * 86_400.0;
        }
        whole_days = whole_days.checked_add(month_days as i32).ok_or_else(error)?;
        let micros = (self.micros as f64 / divisor + seconds * 1e6).round_ties_even();
        if micros.is_nan() || micros < -(2_f64.powi(63)) || micros >= 2_f64.powi(63) {
            return Err(error());
        }
        finite(Interval { months: whole_months, days: whole_days, micros: micros as i64 }).ok_or_else(error)
    }

    fn sign(self) -> f64 {
        if self == Interval::EARLY { -1.0 } else { 1.0 }
    }

    /// Full months out of days.
    pub fn justify_days(self) -> Result<Interval> {
        if !self.is_finite() {
            return Ok(self);
        }
        let error = || out_of_range("interval");
        let mut months = self.months.checked_add(self.days / 30).ok_or_else(error)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && days > 0 {
            (months, days) = (months + 1, days - 30);
        }
        Ok(Interval { months, days, ..self })
    }

    /// Full days out of hours.
    pub fn justify_hours(self) -> Result<Interval> {
        if !self.is_finite() {
            return Ok(self);
        }
        let error = || out_of_range("interval");
        let whole = i32::try_from(self.micros / DAY).map_err(|_| error())?;
        let mut days = self.days.checked_add(whole).ok_or_else(error)?;
        let mut micros = self.micros % DAY;
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - DAY);
        }
        Ok(Interval { days, micros, ..self })
    }

    /// Full months and days, all of one sign.
    pub fn justify(self) -> Result<Interval> {
        if !self.is_finite() {
            return Ok(self);
        }
        let error = || out_of_range("interval");
        let Interval { mut months, mut days, mut micros } = self;
        // Days first, where that keeps them from overflowing.
        if (days > 0 && micros > 0) || (days < 0 && micros < 0) {
            months = months.checked_add(days / 30).ok_or_else(error)?;
            days %= 30;
        }
        days = days.checked_add((micros / DAY) as i32).ok_or_else(error)?;
        micros %= DAY;
        months = months.checked_add(days / 30).ok_or_else(error)?;
        days %= 30;
        if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
            (months, days) = (months + 1, days - 30);
        }
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - DAY);
        }
        Ok(Interval { months, days, micros })
    }

    /// The hour of an interval, of which there may be more than in a day, and the microseconds after it.
    pub fn hours(self) -> (i64, i64) {
        (self.micros / (60 * MINUTE), self.micros % (60 * MINUTE))
    }
}

/// The interval, unless it is one of the values that stand for infinities.
fn finite(interval: Interval) -> Option<Interval> {
    interval.is_finite().then_some(interval)
}

/// Rounded to six decimals.
fn to_micros(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

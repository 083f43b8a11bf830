//! What the fields of an interval add up to, with every overflow noticed.

use super::Interval;
use crate::calendar::{DAY, HOUR, MINUTE, SECOND};
use crate::error::Fault;
use crate::words::Unit;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Sum {
    /// Adds a number with its fraction, which has the same sign, of a unit.
    pub(super) fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        match unit {
            Unit::Microsecond => self.add_micros(whole, fraction, 1),
            Unit::Millisecond => self.add_micros(whole, fraction, 1000),
            Unit::Second => self.add_micros(whole, fraction, SECOND),
            Unit::Minute => self.add_micros(whole, fraction, MINUTE),
            Unit::Hour => self.add_micros(whole, fraction, HOUR),
            Unit::Day => {
                self.add_days(whole)?;
                self.add_fraction(fraction, DAY)
            }
            Unit::Week => {
                self.add_days(whole.checked_mul(7).ok_or(Fault::Range)?)?;
                self.add_fraction_of_days(fraction * 7.0)
            }
            Unit::Month => {
                self.add_months(whole)?;
                self.add_fraction_of_days(fraction * 30.0)
            }
            Unit::Quarter => Err(Fault::Format),
            Unit::Year => self.add_years(whole, fraction, 1),
            Unit::Decade => self.add_years(whole, fraction, 10),
            Unit::Century => self.add_years(whole, fraction, 100),
            Unit::Millennium => self.add_years(whole, fraction, 1000),
        }
    }

    pub(super) fn add_months(&mut self, months: i64) -> Result<(), Fault> {
        let months = i32::try_from(months).map_err(|_| Fault::Range)?;
        self.months = self.months.checked_add(months).ok_or(Fault::Range)?;
        Ok(())
    }

    pub(super) fn add_days(&mut self, days: i64) -> Result<(), Fault> {
        let days = i32::try_from(days).map_err(|_| Fault::Range)?;
        self.days = self.days.checked_add(days).ok_or(Fault::Range)?;
        Ok(())
    }

    /// So many units of microseconds.
    pub(super) fn add_micros(&mut self, whole: i64, fraction: f64, unit: i64) -> Result<(), Fault> {
        let micros = whole.checked_mul(unit).ok_or(Fault::Range)?;
        self.micros = self.micros.checked_add(micros).ok_or(Fault::Range)?;
        self.add_fraction(fraction, unit)
    }

    fn add_years(&mut self, whole: i64, fraction: f64, years: i64) -> Result<(), Fault> {
        let years_of = whole.checked_mul(years).and_then(|years| years.checked_mul(12));
        self.add_months(years_of.ok_or(Fault::Range)?)?;
        self.add_months((fraction * years as f64 * 12.0).round_ties_even() as i64)
    }

    fn add_fraction_of_days(&mut self, days: f64) -> Result<(), Fault> {
        self.add_days(days.trunc() as i64)?;
        self.add_fraction(days.fract(), DAY)
    }

    fn add_fraction(&mut self, fraction: f64, unit: i64) -> Result<(), Fault> {
        let micros = fraction * unit as f64;
        let rest = micros.fract();
        let round = if rest > 0.5 {
            1
        } else if rest < -0.5 {
            -1
        } else {
            0
        };
        self.micros = self.micros.checked_add(micros.trunc() as i64 + round).ok_or(Fault::Range)?;
        Ok(())
    }

    pub(super) fn negate(&mut self) -> Result<(), Fault> {
        self.months = self.months.checked_neg().ok_or(Fault::Range)?;
        self.days = self.days.checked_neg().ok_or(Fault::Range)?;
        self.micros = self.micros.checked_neg().ok_or(Fault::Range)?;
        Ok(())
    }

    pub(super) fn interval(&self) -> Option<Interval> {
        let Sum { months, days, micros } = *self;
        super::finite(Interval { months, days, micros })
    }
}

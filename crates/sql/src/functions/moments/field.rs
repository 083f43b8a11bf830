//! The fields of dates, times, timestamps and intervals, by their names.

use springtide_datetime::{
    Civil, DAY, EPOCH_JULIAN, HOUR, Interval, MINUTE, SECOND, TimeTz, Unit, day_of_week, days_from_civil,
    iso_week,
};
use springtide_types::{Result, SqlError, SqlState};

/// What `extract` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Of(Unit),
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Julian,
    Epoch,
    Zone,
    ZoneHour,
    ZoneMinute,
}

/// The value of a field: an integer over a power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Number(i128),
    Infinite { negative: bool },
    None,
}

/// Decimals of a Julian day with its fraction.
const JULIAN_SCALE: u32 = 20;

impl Field {
    /// By its name. Fails with `22023` if there is no such field.
    pub(crate) fn named(name: &str, type_name: &str) -> Result<Field> {
        let lower = name.to_lowercase();
        Ok(match lower.as_str() {
            "isoyear" => Field::IsoYear,
            "dow" => Field::DayOfWeek,
            "isodow" => Field::IsoDayOfWeek,
            "doy" => Field::DayOfYear,
            "j" | "jd" | "julian" => Field::Julian,
            "epoch" => Field::Epoch,
            "timezone" => Field::Zone,
            "timezone_h" | "timezone_hour" => Field::ZoneHour,
            "timezone_m" | "timezone_minute" => Field::ZoneMinute,
            lower => Field::Of(Unit::named(lower).ok_or_else(|| {
                let message = format!("unit \"{name}\" not recognized for type {type_name}");
                SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            })?),
        })
    }

    /// How many decimals the value has.
    pub(crate) fn scale(self, of_date: bool) -> u32 {
        match self {
            Field::Of(Unit::Second) => 6,
            Field::Epoch if !of_date => 6,
            Field::Of(Unit::Millisecond) => 3,
            Field::Julian if !of_date => JULIAN_SCALE,
            _ => 0,
        }
    }

    fn unsupported(self, name: &str, type_name: &str) -> SqlError {
        let message = format!("unit \"{name}\" not supported for type {type_name}");
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// Whether an infinite moment has an infinite one. Of others it has none.
    fn grows(self, of_interval: bool) -> bool {
        use Unit::{Century, Day, Decade, Hour, Millennium, Year};
        match self {
            Field::Of(Year | Decade | Century | Millennium) | Field::Epoch => true,
            Field::Of(Hour | Day) => of_interval,
            Field::IsoYear | Field::Julian => !of_interval,
            _ => false,
        }
    }

    /// Of an infinite timestamp or interval.
    pub(crate) fn of_infinity(self, negative: bool, of_interval: bool) -> Value {
        if self.grows(of_interval) { Value::Infinite { negative } } else { Value::None }
    }

    /// What clocks show of it; `None` if that is not told by a time of day.
    fn of_clock(self, time: i64) -> Option<i128> {
        let number = match self {
            Field::Of(Unit::Microsecond | Unit::Millisecond | Unit::Second) => time % MINUTE,
            Field::Of(Unit::Minute) => time / MINUTE % 60,
            Field::Of(Unit::Hour) => time / HOUR,
            _ => return None,
        };
        Some(i128::from(number))
    }

    /// Of a timestamp: what clocks show, and how far these are from UTC if that is known, in seconds to the east.
    pub(crate) fn of_timestamp(self, local: i64, east: Option<i32>, name: &str) -> Result<Value> {
        let type_name =
            if east.is_some() { "timestamp with time zone" } else { "timestamp without time zone" };
        let Civil { year, month, day, time } = Civil::from_micros(local);
        if let Some(number) = self.of_clock(time) {
            return Ok(Value::Number(number));
        }
        let days = local.div_euclid(DAY);
        // The year 0 is 1 BC, and there is no century or year 0.
        let of_years = |year: i64, years: i64| match year {
            1.. => (year + years - 1) / years,
            _ => -((years - year) / years),
        };
        let number = match self {
            Field::Of(Unit::Day) => day,
            Field::Of(Unit::Week) => iso_week(days).1,
            Field::Of(Unit::Month) => month,
            Field::Of(Unit::Quarter) => (month - 1) / 3 + 1,
            Field::Of(Unit::Year) => of_years(year, 1),
            Field::Of(Unit::Decade) => year.div_euclid(10),
            Field::Of(Unit::Century) => of_years(year, 100),
            Field::Of(Unit::Millennium) => of_years(year, 1000),
            Field::IsoYear => of_years(iso_week(days).0, 1),
            Field::DayOfWeek => day_of_week(days),
            Field::IsoDayOfWeek => (day_of_week(days) + 6) % 7 + 1,
            Field::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
            Field::Julian => {
                let unit = 10_i128.pow(JULIAN_SCALE);
                let fraction = (i128::from(time) * unit + i128::from(DAY) / 2) / i128::from(DAY);
                return Ok(Value::Number(i128::from(days + EPOCH_JULIAN) * unit + fraction));
            }
            Field::Epoch => {
                let micros = i128::from(local) - i128::from(east.unwrap_or(0)) * i128::from(SECOND);
                return Ok(Value::Number(micros));
            }
            zone => zone.of_zone(east.ok_or_else(|| self.unsupported(name, type_name))?).unwrap_or_default(),
        };
        Ok(Value::Number(i128::from(number)))
    }

    fn of_zone(self, east: i32) -> Option<i64> {
        Some(i64::from(match self {
            Field::Zone => east,
            Field::ZoneHour => east / 3600,
            Field::ZoneMinute => east / 60 % 60,
            _ => return None,
        }))
    }

    /// Of a date, which has no fields of a time.
    pub(crate) fn of_date(self, days: i32, name: &str) -> Result<Value> {
        let days = i64::from(days);
        match self {
            Field::Epoch => Ok(Value::Number(i128::from(days) * 86_400)),
            Field::Julian => Ok(Value::Number(i128::from(days + EPOCH_JULIAN))),
            Field::Zone | Field::ZoneHour | Field::ZoneMinute => Err(self.unsupported(name, "date")),
            _ if self.of_clock(0).is_some() => Err(self.unsupported(name, "date")),
            // Their timestamps may be too late for timestamps, but their years are not.
            _ => {
                let cycles = days.div_euclid(CYCLE);
                let within = self.of_timestamp(days.rem_euclid(CYCLE) * DAY, None, name)?;
                Ok(self.later_by(within, cycles, days))
            }
        }
    }

    /// The value so many times 400 years later.
    fn later_by(self, value: Value, cycles: i64, days: i64) -> Value {
        let Value::Number(_) = value else { return value };
        let (year, _, _) = springtide_datetime::civil_from_days(days);
        let of_years = |year: i64, years: i64| match year {
            1.. => (year + years - 1) / years,
            _ => -((years - year) / years),
        };
        match self {
            _ if cycles == 0 => value,
            Field::Of(Unit::Year) => Value::Number(of_years(year, 1).into()),
            Field::Of(Unit::Decade) => Value::Number(year.div_euclid(10).into()),
            Field::Of(Unit::Century) => Value::Number(of_years(year, 100).into()),
            Field::Of(Unit::Millennium) => Value::Number(of_years(year, 1000).into()),
            Field::IsoYear => Value::Number(of_years(iso_week(days).0, 1).into()),
            _ => value,
        }
    }

    /// Of a time of day.
    pub(crate) fn of_time(self, time: i64, name: &str) -> Result<Value> {
        match self {
            Field::Epoch => Ok(Value::Number(i128::from(time))),
            _ => self
                .of_clock(time)
                .map(Value::Number)
                .ok_or_else(|| self.unsupported(name, "time without time zone")),
        }
    }

    /// Of a time of day in a zone.
    pub(crate) fn of_timetz(self, value: TimeTz, name: &str) -> Result<Value> {
        let number = match self {
            Field::Epoch => Some(i128::from(value.utc())),
            _ => self.of_clock(value.time).or_else(|| self.of_zone(value.east).map(i128::from)),
        };
        number.map(Value::Number).ok_or_else(|| self.unsupported(name, "time with time zone"))
    }

    /// Of an interval, whose fields count whole units.
    pub(crate) fn of_interval(self, interval: Interval, name: &str) -> Result<Value> {
        let Interval { months, days, micros } = interval;
        let (years, month) = (months / 12, months % 12);
        if let Some(number) = self.of_clock(micros) {
            return Ok(Value::Number(number));
        }
        let number = match self {
            Field::Of(Unit::Day) => days,
            Field::Of(Unit::Week) => days / 7,
            Field::Of(Unit::Month) => month,
            Field::Of(Unit::Quarter) if month >= 0 => month / 3 + 1,
            Field::Of(Unit::Quarter) => -(-month / 3 + 1),
            Field::Of(Unit::Year) => years,
            Field::Of(Unit::Decade) => years / 10,
            Field::Of(Unit::Century) => years / 100,
            Field::Of(Unit::Millennium) => years / 1000,
            Field::Epoch => {
                // A year has 365.25 days here, a month 30.
                let days = i64::from(month) * 30 + i64::from(days);
                let seconds = i64::from(years) * 31_557_600 + days * 86_400;
                return Ok(Value::Number(i128::from(seconds) * 1_000_000 + i128::from(micros)));
            }
            _ => return Err(self.unsupported(name, "interval")),
        };
        Ok(Value::Number(i128::from(number)))
    }
}

/// Days of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

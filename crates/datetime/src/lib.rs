//! PostgreSQL's dates, times and intervals: the calendar, time zones, and their texts in every style.
//!
//! Dates are days since 1970, timestamps microseconds since 1970; the extreme values of their integers are infinities.
//! Invariant: the only state is the [`Style`] that a thread does something [`within`].

mod abbreviations;
mod calendar;
mod decode;
mod error;
mod input;
mod interval;
mod number;
mod output;
mod scan;
mod style;
mod timetz;
mod words;
mod zone;

pub use calendar::{
    Civil, DAY, END_OF_DATES, EPOCH_JULIAN, FIRST_DAY, HOUR, MINUTE, SECOND, civil_from_days, day_of_week,
    days_from_civil, days_in_month, iso_week, iso_year_start,
};
pub use error::{out_of_range, unknown_zone};
pub use input::{
    EARLY, EARLY_DATE, LATE, LATE_DATE, is_finite, is_finite_date, parse_date, parse_displacement,
    parse_time, parse_timestamp, parse_timestamptz, parse_timetz, valid_date, valid_timestamp,
};
pub use interval::{Interval, IntervalFields, parse_interval, parse_interval_fields, round, write_interval};
pub use output::{
    MONTHS, WEEKDAYS, write_date, write_time, write_timestamp, write_timestamptz, write_timetz,
};
pub use style::{DateFormat, DateOrder, DateStyle, IntervalStyle, Style, Styled, current, within};
pub use timetz::{TIMETZ_BYTES, TimeTz};
pub use words::Unit;
pub use zone::{Named, Offset, Zone, offset_text};

//! Functions of dates, timestamps and intervals. DataFusion's count in nanoseconds and so know few centuries.

mod age;
mod bin;
mod field;
mod fields;
mod intervals;
mod make;
mod overlap;
mod sum;
mod truncate;
mod zones;

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use springtide_types::SqlType::{
    Boolean, Date, Float8, Int4, Interval, Numeric, Text, Time, Timestamp, Timestamptz, Timetz,
};
use springtide_types::{SqlError, SqlState};

use super::typed::{Gives, Typed, Variant, variant};

pub(crate) use field::{Field, Value};

const DATE_BIN: &[Variant] = &[
    variant(&[Interval, Timestamp, Timestamp], Gives::One(Timestamp), bin::date_bin),
    variant(&[Interval, Timestamptz, Timestamptz], Gives::One(Timestamptz), bin::date_bin),
];

const DATE_TRUNC: &[Variant] = &[
    variant(&[Text, Timestamp], Gives::One(Timestamp), truncate::timestamp),
    variant(&[Text, Timestamptz], Gives::One(Timestamptz), truncate::timestamp),
    variant(&[Text, Interval], Gives::One(Interval), truncate::interval),
    variant(&[Text, Timestamptz, Text], Gives::One(Timestamptz), truncate::timestamp),
];

const AGE: &[Variant] = &[
    variant(&[Timestamp, Timestamp], Gives::One(Interval), age::age),
    variant(&[Timestamptz, Timestamptz], Gives::One(Interval), age::age),
    variant(&[Timestamp], Gives::One(Interval), age::age_today),
    variant(&[Timestamptz], Gives::One(Interval), age::age_today),
];

const MAKE_DATE: &[Variant] = &[variant(&[Int4, Int4, Int4], Gives::One(Date), make::date)];

const MAKE_TIME: &[Variant] = &[variant(&[Int4, Int4, Float8], Gives::One(Time), make::time)];

const MAKE_TIMESTAMP: &[Variant] =
    &[variant(&[Int4, Int4, Int4, Int4, Int4, Float8], Gives::One(Timestamp), make::timestamp)];

const MAKE_TIMESTAMPTZ: &[Variant] = &[
    variant(&[Int4, Int4, Int4, Int4, Int4, Float8], Gives::One(Timestamptz), make::timestamptz),
    variant(&[Int4, Int4, Int4, Int4, Int4, Float8, Text], Gives::One(Timestamptz), make::timestamptz),
];

const MAKE_INTERVAL: &[Variant] = &[Variant {
    parameters: &[Int4, Int4, Int4, Int4, Int4, Int4, Float8],
    required: 0,
    gives: Gives::One(Interval),
    run: intervals::make,
}];

const TO_TIMESTAMP: &[Variant] = &[
    variant(&[Float8], Gives::One(Timestamptz), make::from_epoch),
    variant(&[Text, Text], Gives::One(Timestamptz), super::to_char::to_timestamp),
];

const TO_DATE: &[Variant] = &[variant(&[Text, Text], Gives::One(Date), super::to_char::to_date)];

const TIMEZONE: &[Variant] = &[
    variant(&[Text, Timestamp], Gives::One(Timestamptz), zones::timezone),
    variant(&[Text, Timestamptz], Gives::One(Timestamp), zones::timezone),
    variant(&[Text, Timetz], Gives::One(Timetz), zones::timezone),
    variant(&[Text, Time], Gives::One(Timetz), zones::timezone),
    variant(&[Interval, Timestamp], Gives::One(Timestamptz), zones::timezone),
    variant(&[Interval, Timestamptz], Gives::One(Timestamp), zones::timezone),
    variant(&[Interval, Timetz], Gives::One(Timetz), zones::timezone),
    variant(&[Interval, Time], Gives::One(Timetz), zones::timezone),
    variant(&[Timestamp], Gives::One(Timestamptz), zones::local),
    variant(&[Timestamptz], Gives::One(Timestamp), zones::local),
    variant(&[Timetz], Gives::One(Timetz), zones::local),
    variant(&[Time], Gives::One(Timetz), zones::local),
];

const IS_FINITE: &[Variant] = &[
    variant(&[Date], Gives::One(Boolean), intervals::finite),
    variant(&[Timestamp], Gives::One(Boolean), intervals::finite),
    variant(&[Timestamptz], Gives::One(Boolean), intervals::finite),
    variant(&[Interval], Gives::One(Boolean), intervals::finite),
];

const JUSTIFY_DAYS: &[Variant] = &[variant(&[Interval], Gives::One(Interval), intervals::justify_days)];

const JUSTIFY_HOURS: &[Variant] = &[variant(&[Interval], Gives::One(Interval), intervals::justify_hours)];

const JUSTIFY_INTERVAL: &[Variant] =
    &[variant(&[Interval], Gives::One(Interval), intervals::justify_interval)];

const DATE_ADD: &[Variant] = &[
    variant(&[Timestamptz, Interval], Gives::One(Timestamptz), sum::add),
    variant(&[Timestamptz, Interval, Text], Gives::One(Timestamptz), sum::add),
];

const DATE_SUBTRACT: &[Variant] = &[
    variant(&[Timestamptz, Interval], Gives::One(Timestamptz), sum::subtract),
    variant(&[Timestamptz, Interval, Text], Gives::One(Timestamptz), sum::subtract),
];

const AT_TIME: &[Variant] = &[
    variant(&[Date, Time], Gives::One(Timestamptz), sum::at_time),
    variant(&[Date, Timetz], Gives::One(Timestamptz), sum::at_time),
];

const OVERLAPS: &[Variant] = &[
    variant(&[Timestamp, Timestamp, Timestamp, Timestamp], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamp, Interval, Timestamp, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamp, Timestamp, Timestamp, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamp, Interval, Timestamp, Timestamp], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamptz, Timestamptz, Timestamptz, Timestamptz], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamptz, Interval, Timestamptz, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamptz, Timestamptz, Timestamptz, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Timestamptz, Interval, Timestamptz, Timestamptz], Gives::One(Boolean), overlap::overlaps),
    variant(&[Time, Time, Time, Time], Gives::One(Boolean), overlap::overlaps),
    variant(&[Time, Interval, Time, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Time, Time, Time, Interval], Gives::One(Boolean), overlap::overlaps),
    variant(&[Time, Interval, Time, Time], Gives::One(Boolean), overlap::overlaps),
];

/// An interval of some of the fields, which the second argument names as SQL does.
const INTERVAL_OF_FIELDS: &[Variant] = &[
    variant(&[Text, Text], Gives::One(Interval), fields::parse),
    variant(&[Interval, Text], Gives::One(Interval), fields::cut),
];

/// The length of an interval in microseconds, a month of 30 days and a day of 24 hours.
const INTERVAL_LENGTH: &[Variant; 1] = &[variant(&[Interval], Gives::One(Numeric(38, 0)), intervals::length)];

/// What intervals compare by.
pub(crate) fn interval_length(interval: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Typed::of_one("$length", INTERVAL_LENGTH, Numeric(38, 0).arrow()));
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![interval]))
}

/// What the binder calls for `interval day to second` and the like.
pub(crate) const OF_FIELDS: &str = "$interval";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("date_bin", DATE_BIN),
        Typed::udf("date_trunc", DATE_TRUNC),
        Typed::udf("age", AGE),
        Typed::udf("make_date", MAKE_DATE),
        Typed::udf("make_time", MAKE_TIME),
        Typed::udf("make_timestamp", MAKE_TIMESTAMP),
        Typed::udf("make_timestamptz", MAKE_TIMESTAMPTZ),
        Typed::udf("make_interval", MAKE_INTERVAL),
        Typed::udf("to_timestamp", TO_TIMESTAMP),
        Typed::udf("to_date", TO_DATE),
        Typed::udf("timezone", TIMEZONE),
        Typed::udf("isfinite", IS_FINITE),
        Typed::udf("justify_days", JUSTIFY_DAYS),
        Typed::udf("justify_hours", JUSTIFY_HOURS),
        Typed::udf("justify_interval", JUSTIFY_INTERVAL),
        Typed::udf("date_add", DATE_ADD),
        Typed::udf("date_subtract", DATE_SUBTRACT),
        Typed::udf("timestamptz", AT_TIME),
        Typed::udf("overlaps", OVERLAPS),
        Typed::udf(OF_FIELDS, INTERVAL_OF_FIELDS),
    ]
}

fn out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// What messages call the type.
fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Interval(_) => "interval",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        _ => "timestamp without time zone",
    }
}

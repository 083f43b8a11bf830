//! Functions of dates, timestamps and intervals. DataFusion's count in nanoseconds and so know few centuries.

mod age;
mod bin;
mod make;
mod truncate;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Date, Float8, Int4, Interval, Text, Timestamp, Timestamptz};
use springtide_types::{SqlError, SqlState};

use super::typed::{Gives, Typed, Variant, refused, variant};

const DATE_BIN: &[Variant] = &[
    variant(&[Interval, Timestamp, Timestamp], Gives::One(Timestamp), bin::date_bin),
    variant(&[Interval, Timestamptz, Timestamptz], Gives::One(Timestamptz), bin::date_bin),
];

const DATE_TRUNC: &[Variant] = &[
    variant(&[Text, Timestamp], Gives::One(Timestamp), truncate::timestamp),
    variant(&[Text, Timestamptz], Gives::One(Timestamptz), truncate::timestamp),
    variant(&[Text, Interval], Gives::One(Interval), truncate::interval),
    refused(&[Text, Timestamptz, Text], "date_trunc in a time zone"),
];

const AGE: &[Variant] = &[
    variant(&[Timestamp, Timestamp], Gives::One(Interval), age::age),
    variant(&[Timestamptz, Timestamptz], Gives::One(Interval), age::age),
];

const MAKE_DATE: &[Variant] = &[variant(&[Int4, Int4, Int4], Gives::One(Date), make::date)];

const MAKE_TIMESTAMP: &[Variant] =
    &[variant(&[Int4, Int4, Int4, Int4, Int4, Float8], Gives::One(Timestamp), make::timestamp)];

const MAKE_TIMESTAMPTZ: &[Variant] = &[
    variant(&[Int4, Int4, Int4, Int4, Int4, Float8], Gives::One(Timestamptz), make::timestamp),
    refused(&[Int4, Int4, Int4, Int4, Int4, Float8, Text], "make_timestamptz in a time zone"),
];

const TO_TIMESTAMP: &[Variant] = &[
    variant(&[Float8], Gives::One(Timestamptz), make::from_epoch),
    refused(&[Text, Text], "to_timestamp(text, template)"),
];

const TO_DATE: &[Variant] = &[refused(&[Text, Text], "to_date(text, template)")];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Typed::udf("date_bin", DATE_BIN),
        Typed::udf("date_trunc", DATE_TRUNC),
        Typed::udf("age", AGE),
        Typed::udf("make_date", MAKE_DATE),
        Typed::udf("make_timestamp", MAKE_TIMESTAMP),
        Typed::udf("make_timestamptz", MAKE_TIMESTAMPTZ),
        Typed::udf("to_timestamp", TO_TIMESTAMP),
        Typed::udf("to_date", TO_DATE),
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

//! `to_char(moment, template)`

mod moment;
mod template;
mod write;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use datafusion::logical_expr::ScalarUDF;
use springtide_types::SqlType::{Float8, Int4, Int8, Interval, Numeric, Text, Timestamp, Timestamptz};
use springtide_types::{Result, SqlError};

use self::moment::{Kind, Moment};
use self::template::Template;
use super::typed::{Args, Gives, Typed, Variant, refused, variant};

const NUMBERS: &str = "to_char of a number";

const VARIANTS: &[Variant] = &[
    variant(&[Timestamp, Text], Gives::One(Text), to_char),
    variant(&[Timestamptz, Text], Gives::One(Text), to_char),
    variant(&[Interval, Text], Gives::One(Text), to_char),
    refused(&[Int4, Text], NUMBERS),
    refused(&[Int8, Text], NUMBERS),
    refused(&[Numeric(38, 10), Text], NUMBERS),
    refused(&[Float8, Text], NUMBERS),
];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![Typed::udf("to_char", VARIANTS)]
}

fn to_char(args: &Args<'_>) -> Result<ArrayRef, SqlError> {
    let (values, templates) = (args.array(0)?, args.text(1));
    let moment: Box<dyn Fn(usize) -> Moment> = match values.data_type() {
        DataType::Interval(_) => {
            let intervals = values.as_primitive::<IntervalMonthDayNanoType>();
            Box::new(|row| Moment::interval(intervals.value(row)))
        }
        data_type => {
            let zoned = matches!(data_type, DataType::Timestamp(_, Some(_)));
            let kind = if zoned { Kind::Timestamptz } else { Kind::Timestamp };
            let micros = values.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row| Moment::timestamp(kind, micros.value(row)))
        }
    };
    let mut out = StringBuilder::with_capacity(args.rows, args.rows * 16);
    let mut last = None;
    for row in 0..args.rows {
        // PostgreSQL answers an empty template with NULL.
        let text = templates.get(row).filter(|text| !text.is_empty() && values.is_valid(row));
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let (_, template) = match last.take() {
            Some(same @ (before, _)) if before == text => last.insert(same),
            _ => last.insert((text, Template::parse(text))),
        };
        write::write(&mut out, template, &moment(row))?;
        out.append_value("");
    }
    Ok(Arc::new(out.finish()))
}

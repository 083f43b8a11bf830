//! `to_char(moment, template)`

mod input;
mod moment;
mod template;
mod write;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use springtide_datetime::{Interval, Style, current, is_finite};
use springtide_types::SqlType::{
    Float8, Int4, Int8, Interval as Span, Numeric, Text, Timestamp, Timestamptz,
};
use springtide_types::{Result, SqlError};

use self::moment::{Kind, Moment};
use self::template::Template;
use super::typed::{Args, Gives, Typed, Variant, refused, variant};
pub(super) use input::{to_date, to_timestamp};

const NUMBERS: &str = "to_char of a number";

const VARIANTS: &[Variant] = &[
    variant(&[Timestamp, Text], Gives::One(Text), to_char),
    variant(&[Timestamptz, Text], Gives::One(Text), to_char),
    variant(&[Span, Text], Gives::One(Text), to_char),
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
    let moments = Moments::of(&values);
    let mut out = StringBuilder::with_capacity(args.rows, args.rows * 16);
    let mut last: Option<Writer<'_>> = None;
    for row in 0..args.rows {
        // PostgreSQL answers an empty template with NULL.
        // Nor is there a text of infinities.
        let template = templates.get(row).filter(|text| !text.is_empty() && moments.is_finite(row));
        let Some(template) = template else {
            out.append_null();
            continue;
        };
        let writer = match last.take() {
            Some(same) if std::ptr::eq(same.source, template) || same.source == template => last.insert(same),
            _ => last.insert(Writer::new(template)),
        };
        out.append_value(writer.write(&moments, row)?);
    }
    Ok(Arc::new(out.finish()))
}

/// What is written.
enum Moments<'a> {
    Intervals(&'a IntervalMonthDayNanoArray),
    Timestamps(Kind, &'a TimestampMicrosecondArray),
}

impl Moments<'_> {
    /// Whether there is one, and it is no infinity.
    fn is_finite(&self, row: usize) -> bool {
        match self {
            Moments::Intervals(intervals) => {
                intervals.is_valid(row) && Interval::from_arrow(intervals.value(row)).is_finite()
            }
            Moments::Timestamps(_, moments) => moments.is_valid(row) && is_finite(moments.value(row)),
        }
    }

    fn of(values: &ArrayRef) -> Moments<'_> {
        match values.data_type() {
            DataType::Interval(_) => Moments::Intervals(values.as_primitive()),
            DataType::Timestamp(_, Some(_)) => Moments::Timestamps(Kind::Timestamptz, values.as_primitive()),
            _ => Moments::Timestamps(Kind::Timestamp, values.as_primitive()),
        }
    }
}

/// Writes by one template. Timestamps that follow each other often lie in the same hour or day, and if the template says no more
/// than that, what was written last is the answer.
struct Writer<'a> {
    source: &'a str,
    template: Template,
    /// How long the text stays the same, in microseconds.
    unit: i64,
    /// The timestamps for which `text` is the answer.
    stretch: Range<i64>,
    text: String,
    style: Arc<Style>,
}

impl Writer<'_> {
    fn new(source: &str) -> Writer<'_> {
        let template = Template::parse(source);
        let unit = template.unit();
        Writer { source, template, unit, stretch: 0..0, text: String::new(), style: current() }
    }

    fn write(&mut self, moments: &Moments<'_>, row: usize) -> Result<&str, SqlError> {
        let (moment, stretch) = match moments {
            Moments::Intervals(intervals) => (Moment::interval(intervals.value(row)), 0..0),
            Moments::Timestamps(kind, timestamps) => {
                let micros = timestamps.value(row);
                if self.stretch.contains(&micros) {
                    return Ok(&self.text);
                }
                let zone = &self.style.zone;
                if *kind == Kind::Timestamptz && zone.always() != Some(0) {
                    (Moment::timestamptz(micros, zone), 0..0)
                } else {
                    let into = micros.rem_euclid(self.unit);
                    let stretch = micros.saturating_sub(into)..micros.saturating_add(self.unit - into);
                    let moment = match kind {
                        Kind::Timestamptz => Moment::timestamptz(micros, zone),
                        kind => Moment::timestamp(*kind, micros),
                    };
                    (moment, stretch)
                }
            }
        };
        self.text.clear();
        self.stretch = 0..0;
        write::write(&mut self.text, &self.template, &moment)?;
        self.stretch = stretch;
        Ok(&self.text)
    }
}

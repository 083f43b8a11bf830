//! `to_timestamp(text, template)` and `to_date(text, template)`.

mod fields;
mod reader;

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, PrimitiveArray};
use arrow::datatypes::TimestampMicrosecondType;
use springtide_datetime::{Civil, SECOND, current, out_of_range, valid_date, valid_timestamp};
use springtide_types::{Result, SqlType};

use self::fields::Given;
use self::reader::read;
use super::template::Template;
use crate::functions::typed::Args;

/// Without a zone in the text, by the clocks of the session.
pub(crate) fn to_timestamp(args: &Args<'_>) -> Result<ArrayRef> {
    let style = current();
    let moments = each(args, |given| {
        let civil = given.civil()?;
        let east = given.east(&civil)?;
        let east = east.unwrap_or_else(|| style.zone.east_when(&civil));
        let micros = civil.micros().and_then(|local| local.checked_sub(i64::from(east) * SECOND));
        micros.and_then(valid_timestamp).ok_or_else(|| out_of_range("timestamp"))
    })?;
    let moments = moments.into_iter().collect::<PrimitiveArray<TimestampMicrosecondType>>();
    Ok(Arc::new(moments.with_data_type(SqlType::Timestamptz.arrow())))
}

pub(crate) fn to_date(args: &Args<'_>) -> Result<ArrayRef> {
    let days =
        each(args, |given| valid_date(Civil::days(&given.civil()?)).ok_or_else(|| out_of_range("date")))?;
    Ok(Arc::new(days.into_iter().collect::<Date32Array>()))
}

/// One value per row, from what its text says by its template.
fn each<T>(args: &Args<'_>, value: impl Fn(Given) -> Result<T>) -> Result<Vec<Option<T>>> {
    let (texts, templates) = (args.text(0), args.text(1));
    let mut last: Option<(&str, Template)> = None;
    let mut values = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let (Some(text), Some(source)) = (texts.get(row), templates.get(row)) else {
            values.push(None);
            continue;
        };
        if last.as_ref().is_none_or(|(before, _)| *before != source) {
            last = Some((source, Template::parse(source)));
        }
        let template = &last.as_ref().expect("it has just been read").1;
        values.push(Some(value(read(text, template)?)?));
    }
    Ok(values)
}

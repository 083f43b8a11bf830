//! Intervals of some fields, and of some precision: `interval day to second(2)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::IntervalMonthDayNanoType;
use springtide_datetime::{Interval, IntervalFields, Unit, parse_interval_fields};
use springtide_types::{Result, SqlError, SqlState};

use crate::functions::typed::Args;

/// From texts.
pub(super) fn parse(args: &Args<'_>) -> Result<ArrayRef> {
    let (texts, kept) = (args.text(0), args.text(1));
    let parsed = (0..args.rows).map(|row| match (texts.get(row), kept.get(row)) {
        (Some(text), Some(kept)) => parse_interval_fields(text, fields(kept)?)?.to_arrow().map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(parsed.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?))
}

/// From intervals.
pub(super) fn cut(args: &Args<'_>) -> Result<ArrayRef> {
    let (intervals, kept) = (args.array(0)?, args.text(1));
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter().enumerate();
    let cut = intervals.map(|(row, interval)| match (interval, kept.get(row)) {
        (Some(interval), Some(kept)) => {
            fields(kept)?.cut(Interval::from_arrow(interval))?.to_arrow().map(Some)
        }
        _ => Ok(None),
    });
    Ok(Arc::new(cut.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?))
}

/// `DAY TO SECOND (2)`
fn fields(text: &str) -> Result<IntervalFields> {
    let (range, precision) = text.split_once('(').unwrap_or((text, ""));
    let digits = precision.trim_end_matches(')').trim();
    let precision = if digits.is_empty() { None } else { Some(digits.parse::<u8>().unwrap_or(6).min(6)) };
    let range = range.trim().to_lowercase();
    let unit = |name: &str| {
        Unit::named(name).ok_or_else(|| {
            let message = format!("syntax error at or near \"{name}\"");
            SqlError::new(SqlState::SYNTAX_ERROR, message)
        })
    };
    let range = match range.split_once(" to ") {
        None if range.is_empty() => None,
        None => Some((unit(&range)?, unit(&range)?)),
        Some((first, last)) => Some((unit(first.trim())?, unit(last.trim())?)),
    };
    Ok(IntervalFields { range, precision })
}

//! `date_bin(stride, moment, origin)`: the start of the stretch of time, counted from an origin, that holds a
//! moment.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_types::{Result, SqlError, SqlState};

use super::intervals::fixed_length;
use super::out_of_range;
use crate::functions::typed::{Args, Values};
use springtide_datetime::{Interval, is_finite, valid_timestamp};

pub(super) fn date_bin(args: &Args<'_>) -> Result<ArrayRef> {
    let moments = args.array(1)?;
    let data_type = moments.data_type().clone();
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let (strides, origins) = (args.values(0)?, args.values(2)?);
    let starts = match (&strides, &origins) {
        // Where there is no moment, no stride is wrong.
        (Values::Constant(Some(stride)), Values::Constant(Some(origin)))
            if moments.null_count() < moments.len() =>
        {
            let micros = stride_micros(*stride)?;
            moments.try_unary(|moment| start(micros, moment, *origin))?
        }
        _ => starts(&strides, moments, &origins, args.rows)?,
    };
    Ok(Arc::new(starts.with_data_type(data_type)))
}

type Moments = PrimitiveArray<TimestampMicrosecondType>;

fn starts(
    strides: &Values<IntervalMonthDayNanoType>,
    moments: &Moments,
    origins: &Values<TimestampMicrosecondType>,
    rows: usize,
) -> Result<Moments> {
    let mut last = None;
    let start = |row: usize| {
        let (Some(stride), Some(origin)) = (strides.get(row), origins.get(row)) else { return Ok(None) };
        if moments.is_null(row) {
            return Ok(None);
        }
        let micros = match last {
            Some((before, micros)) if before == stride => micros,
            _ => {
                let micros = stride_micros(stride)?;
                last = Some((stride, micros));
                micros
            }
        };
        start(micros, moments.value(row), origin).map(Some)
    };
    (0..rows).map(start).collect()
}

fn start(stride: i64, moment: i64, origin: i64) -> Result<i64> {
    if !is_finite(moment) {
        return Ok(moment);
    }
    if !is_finite(origin) {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    let since = moment.checked_sub(origin).ok_or_else(out_of_range)?;
    let start = moment.checked_sub(since.rem_euclid(stride)).and_then(valid_timestamp);
    start.ok_or_else(out_of_range)
}

/// The length of an interval without months. It is positive.
fn stride_micros(stride: IntervalMonthDayNano) -> Result<i64> {
    let stride = Interval::from_arrow(stride);
    if !stride.is_finite() {
        let message = "timestamps cannot be binned into infinite intervals";
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let error = || springtide_datetime::out_of_range("interval");
    let micros = fixed_length(stride).ok_or_else(error)?;
    if micros <= 0 {
        let message = "stride must be greater than zero";
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    Ok(micros)
}

//! `date_bin(stride, moment, origin)`: the start of the stretch of time, counted from an origin, that holds a
//! moment.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_types::{Result, SqlError, SqlState};

use super::out_of_range;
use crate::datetime::DAY;
use crate::functions::typed::Args;

pub(super) fn date_bin(args: &Args<'_>) -> Result<ArrayRef> {
    let (strides, moments, origins) = (args.array(0)?, args.array(1)?, args.array(2)?);
    let data_type = moments.data_type().clone();
    let strides = strides.as_primitive::<IntervalMonthDayNanoType>();
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let origins = origins.as_primitive::<TimestampMicrosecondType>();
    let mut last = None;
    let start = |row: usize| {
        if strides.is_null(row) || moments.is_null(row) || origins.is_null(row) {
            return Ok(None);
        }
        let stride = strides.value(row);
        let micros = match last {
            Some((before, micros)) if before == stride => micros,
            _ => {
                let micros = stride_micros(stride)?;
                last = Some((stride, micros));
                micros
            }
        };
        let since = moments.value(row).checked_sub(origins.value(row)).ok_or_else(out_of_range)?;
        moments.value(row).checked_sub(since.rem_euclid(micros)).map(Some).ok_or_else(out_of_range)
    };
    let starts = (0..args.rows).map(start).collect::<Result<PrimitiveArray<TimestampMicrosecondType>>>()?;
    Ok(Arc::new(starts.with_data_type(data_type)))
}

/// The length of an interval without months. It is positive.
fn stride_micros(stride: IntervalMonthDayNano) -> Result<i64> {
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let micros = i64::from(stride.days) * DAY + stride.nanoseconds / 1000;
    if micros <= 0 {
        let message = "stride must be greater than zero";
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    Ok(micros)
}

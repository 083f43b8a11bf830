//! Timestamps plus or minus intervals without months, where every day is as long as any other: that is a sum of integers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::arity::try_binary;
use arrow::datatypes::{Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::common::Result;

use super::ArithmeticOp;
use super::arithmetic::external;
use springtide_datetime::{DAY, FIRST_DAY, Interval, is_finite};

/// The moments moved by the intervals, or by the one that there is; `None` where that is not so simple.
pub(super) fn moved(
    moments: &ArrayRef,
    op: ArithmeticOp,
    intervals: &ArrayRef,
    one_interval: bool,
) -> Option<Result<ArrayRef>> {
    let intervals = intervals.as_primitive_opt::<IntervalMonthDayNanoType>()?;
    if intervals.null_count() > 0 || !intervals.values().iter().all(|interval| micros(*interval).is_some()) {
        return None;
    }
    let lengths = intervals.unary::<_, Int64Type>(|interval| micros(interval).unwrap_or_default());
    let sum = |moment: i64, length: i64| {
        let sum =
            if op == ArithmeticOp::Add { moment.checked_add(length) } else { moment.checked_sub(length) };
        let too_late = || ArrowError::ArithmeticOverflow(String::new());
        sum.filter(|sum| *sum >= FIRST_DAY * DAY && is_finite(*sum)).ok_or_else(too_late)
    };
    let data_type = moments.data_type().clone();
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    if !moments.values().iter().all(|moment| is_finite(*moment)) {
        return None;
    }
    let moved = if one_interval {
        let length = lengths.value(0);
        moments.try_unary::<_, TimestampMicrosecondType, _>(|moment| sum(moment, length))
    } else {
        try_binary::<_, _, _, TimestampMicrosecondType>(moments, &lengths, sum)
    };
    Some(match moved {
        Ok(moved) => Ok(Arc::new(moved.with_data_type(data_type))),
        Err(_) => Err(external(springtide_datetime::out_of_range("timestamp"))),
    })
}

/// The length of an interval that counts whole microseconds and no months.
fn micros(interval: IntervalMonthDayNano) -> Option<i64> {
    let whole = interval.months == 0 && interval.nanoseconds % 1000 == 0;
    debug_assert!(!whole || Interval::from_arrow(interval).is_finite());
    // 2^31 days fit.
    (i64::from(interval.days) * DAY).checked_add(interval.nanoseconds / 1000).filter(|_| whole)
}

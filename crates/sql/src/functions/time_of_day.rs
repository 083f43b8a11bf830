//! `+` and `-` of times of day, which go around at midnight.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
};

use super::arithmetic::{ArithmeticOp, Operand};
use crate::datetime::DAY;

/// The operation, for operands of which one or both are times: `time - time` is an interval, `date + time` a timestamp, a time
/// and an interval make a time.
pub(super) fn compute(op: ArithmeticOp, left: &Operand, right: &Operand) -> ArrayRef {
    let rows = if left.scalar { right.array.len() } else { left.array.len() };
    match (left.array.data_type(), right.array.data_type()) {
        (DataType::Interval(_) | DataType::Date32, _) => compute(op, right, left),
        (_, DataType::Interval(_)) => {
            let sign = if op == ArithmeticOp::Subtract { -1 } else { 1 };
            let moved = |time: i64, by: IntervalMonthDayNano| {
                (time + sign * (by.nanoseconds / 1000 % DAY)).rem_euclid(DAY)
            };
            let pairs = times(left).zip(right.values::<IntervalMonthDayNanoType>()).take(rows);
            Arc::new(pairs.map(|(time, by)| Some(moved(time?, by?))).collect::<Time64MicrosecondArray>())
        }
        (_, DataType::Date32) => {
            let moments = times(left).zip(right.values::<Date32Type>()).take(rows);
            let moment = |time: i64, days: i32| i64::from(days) * DAY + time;
            let moments = moments.map(|(time, days)| Some(moment(time?, days?)));
            Arc::new(moments.collect::<TimestampMicrosecondArray>())
        }
        _ => {
            let pairs = times(left).zip(times(right)).take(rows);
            let between = |from: i64, to: i64| IntervalMonthDayNano::new(0, 0, (from - to) * 1000);
            let pairs = pairs.map(|(from, to)| Some(between(from?, to?)));
            Arc::new(pairs.collect::<IntervalMonthDayNanoArray>())
        }
    }
}

fn times(operand: &Operand) -> impl Iterator<Item = Option<i64>> {
    operand.values::<Time64MicrosecondType>()
}

//! `+`, `-`, `*` and `/` of dates, times, timestamps and intervals, infinities included.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float64Type, Int32Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err};
use springtide_datetime::{
    Civil, DAY, EARLY, EARLY_DATE, Interval, LATE, LATE_DATE, Named, SECOND, TimeTz, current, days_in_month,
    is_finite, is_finite_date, out_of_range, valid_date, valid_timestamp,
};
use springtide_types::{Result as SqlResult, SqlError, SqlState, SqlType};

use super::arithmetic::{ArithmeticOp, Operand, external};
use super::shift;
use crate::temporal::{timetz_array, timetz_values};

/// The operation, for operands of which one or both are such.
pub(super) fn compute(
    op: ArithmeticOp,
    left: &Operand,
    right: &Operand,
    target: &DataType,
) -> Result<ArrayRef> {
    use DataType::{Date32, FixedSizeBinary, Float64, Int32, Interval as Span, Time64, Timestamp};
    let minus = op == ArithmeticOp::Subtract;
    match (left.array.data_type(), right.array.data_type()) {
        (Date32, Date32) => pairs::<Date32Type, Date32Type, Int32Type>(left, right, target, days_between),
        (Date32, Int32) => pairs::<Date32Type, Int32Type, Date32Type>(left, right, target, |date, days| {
            moved_date(date, i64::from(days) * if minus { -1 } else { 1 })
        }),
        (Int32, Date32) | (Time64(_), Date32) | (FixedSizeBinary(_), Date32) => {
            compute(op, right, left, target)
        }
        (Date32, Time64(_)) => {
            pairs::<Date32Type, Time64MicrosecondType, TimestampMicrosecondType>(left, right, target, at_time)
        }
        (Date32, FixedSizeBinary(_)) => date_and_timetz(left, right, target),
        (Time64(_), Time64(_)) => pairs::<
            Time64MicrosecondType,
            Time64MicrosecondType,
            IntervalMonthDayNanoType,
        >(left, right, target, |from, to| {
            Interval::new(0, 0, from - to).to_arrow()
        }),
        (Timestamp(..), Timestamp(..)) => {
            pairs::<TimestampMicrosecondType, TimestampMicrosecondType, IntervalMonthDayNanoType>(
                left, right, target, between,
            )
        }
        (Span(_), Span(_)) => pairs::<
            IntervalMonthDayNanoType,
            IntervalMonthDayNanoType,
            IntervalMonthDayNanoType,
        >(left, right, target, |one, other| {
            let (one, other) = (Interval::from_arrow(one), Interval::from_arrow(other));
            (if minus { one.minus(other) } else { one.plus(other) })?.to_arrow()
        }),
        (Span(_), Float64) => pairs::<IntervalMonthDayNanoType, Float64Type, IntervalMonthDayNanoType>(
            left,
            right,
            target,
            |interval, factor| {
                let interval = Interval::from_arrow(interval);
                let scaled = match op {
                    ArithmeticOp::Divide => interval.over(factor),
                    _ => interval.times(factor),
                };
                scaled?.to_arrow()
            },
        ),
        (Span(_), Time64(_) | Timestamp(..) | FixedSizeBinary(_)) => compute(op, right, left, target),
        (Time64(_), Span(_)) => {
            pairs::<Time64MicrosecondType, IntervalMonthDayNanoType, Time64MicrosecondType>(
                left,
                right,
                target,
                |time, by| Ok((time + time_of(by, minus)?).rem_euclid(DAY)),
            )
        }
        (FixedSizeBinary(_), Span(_)) => moved_timetz(left, right, minus),
        (Timestamp(_, zone), Span(_)) => {
            let style = current();
            let zoned = zone.is_some() && style.zone.always().is_none();
            let zone = zoned.then(|| Named::Zone(style.zone.clone()));
            if !zoned
                && !left.scalar
                && let Some(moved) = shift::moved(&left.array, op, &right.array, right.scalar)
            {
                return moved;
            }
            pairs::<TimestampMicrosecondType, IntervalMonthDayNanoType, TimestampMicrosecondType>(
                left,
                right,
                target,
                |moment, by| moved_in(moment, Interval::from_arrow(by), minus, zone.as_ref()),
            )
        }
        (left, right) => exec_err!("no operator {left} {op} {right}"),
    }
}

/// Dates with times of day.
pub(super) fn date_with_time(dates: ArrayRef, times: ArrayRef) -> SqlResult<ArrayRef> {
    let target = match times.data_type() {
        DataType::Time64(_) => SqlType::Timestamp,
        _ => SqlType::Timestamptz,
    };
    sum(dates, times, &target.arrow())
}

/// Times or timestamps, each later by an interval.
pub(super) fn later(moments: ArrayRef, intervals: ArrayRef) -> SqlResult<ArrayRef> {
    let target = moments.data_type().clone();
    sum(moments, intervals, &target)
}

fn sum(left: ArrayRef, right: ArrayRef, target: &DataType) -> SqlResult<ArrayRef> {
    let operand = |array| Operand { array, scalar: false };
    compute(ArithmeticOp::Add, &operand(left), &operand(right), target)
        .map_err(|error| springtide_plan::sql_error(&error))
}

/// `-interval`
pub(super) fn negate(intervals: &ArrayRef) -> Result<ArrayRef> {
    let negated = intervals.as_primitive::<IntervalMonthDayNanoType>().iter().map(|interval| {
        let Some(interval) = interval else { return Ok(None) };
        let negated = Interval::from_arrow(interval).negated().ok_or_else(|| out_of_range("interval"))?;
        negated.to_arrow().map(Some)
    });
    let negated = negated.collect::<SqlResult<PrimitiveArray<IntervalMonthDayNanoType>>>();
    Ok(Arc::new(negated.map_err(external)?))
}

/// One value for each pair without NULL.
fn pairs<L, R, T>(
    left: &Operand,
    right: &Operand,
    target: &DataType,
    value: impl Fn(L::Native, R::Native) -> SqlResult<T::Native>,
) -> Result<ArrayRef>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
{
    let rows = if left.scalar { right.array.len() } else { left.array.len() };
    let pairs = left.values::<L>().zip(right.values::<R>()).take(rows);
    let values = pairs.map(|pair| match pair {
        (Some(left), Some(right)) => value(left, right).map(Some),
        _ => Ok(None),
    });
    let values = values.collect::<SqlResult<PrimitiveArray<T>>>().map_err(external)?;
    Ok(Arc::new(values.with_data_type(target.clone())))
}

fn days_between(end: i32, start: i32) -> SqlResult<i32> {
    if !is_finite_date(end) || !is_finite_date(start) {
        let message = "cannot subtract infinite dates";
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    end.checked_sub(start).ok_or_else(|| out_of_range("date"))
}

fn moved_date(date: i32, days: i64) -> SqlResult<i32> {
    match is_finite_date(date) {
        true => valid_date(i64::from(date) + days).ok_or_else(|| out_of_range("date")),
        false => Ok(date),
    }
}

fn at_time(date: i32, time: i64) -> SqlResult<i64> {
    match date {
        LATE_DATE => Ok(LATE),
        EARLY_DATE => Ok(EARLY),
        _ => {
            let moment = i64::from(date).checked_mul(DAY).and_then(|midnight| midnight.checked_add(time));
            moment.and_then(valid_timestamp).ok_or_else(|| out_of_range("timestamp"))
        }
    }
}

/// The difference of two timestamps counts days and time, never months.
fn between(end: i64, start: i64) -> SqlResult<IntervalMonthDayNano> {
    let error = || out_of_range("interval");
    match (is_finite(end), is_finite(start)) {
        (true, true) => {
            let micros = end.checked_sub(start).ok_or_else(error)?;
            Interval::new(0, (micros / DAY) as i32, micros % DAY).to_arrow()
        }
        (false, false) if end == start => Err(error()),
        (false, _) => (if end == LATE { Interval::LATE } else { Interval::EARLY }).to_arrow(),
        (true, false) => (if start == LATE { Interval::EARLY } else { Interval::LATE }).to_arrow(),
    }
}

/// What an interval does to a time of day.
fn time_of(interval: IntervalMonthDayNano, minus: bool) -> SqlResult<i64> {
    let interval = Interval::from_arrow(interval);
    if !interval.is_finite() {
        let (what, how) = if minus { ("subtract", "from") } else { ("add", "to") };
        let message = format!("cannot {what} infinite interval {how} time");
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    let time = interval.micros % DAY;
    Ok(if minus { -time } else { time })
}

fn moved_timetz(left: &Operand, right: &Operand, minus: bool) -> Result<ArrayRef> {
    let rows = if left.scalar { right.array.len() } else { left.array.len() };
    let times = left.array.as_fixed_size_binary();
    let time = |row: usize| {
        let row = if left.scalar { 0 } else { row };
        times.is_valid(row).then(|| TimeTz::from_bytes(times.value(row)))
    };
    let intervals = right.values::<IntervalMonthDayNanoType>().take(rows);
    let moved = intervals.enumerate().map(|(row, by)| match (time(row), by) {
        (Some(TimeTz { time, east }), Some(by)) => {
            Ok(Some(TimeTz { time: (time + time_of(by, minus)?).rem_euclid(DAY), east }))
        }
        _ => Ok(None),
    });
    let moved = moved.collect::<SqlResult<Vec<_>>>().map_err(external)?;
    Ok(timetz_array(moved.into_iter()))
}

fn date_and_timetz(left: &Operand, right: &Operand, target: &DataType) -> Result<ArrayRef> {
    let rows = if left.scalar { right.array.len() } else { left.array.len() };
    let times = timetz_values(right.array.as_fixed_size_binary()).collect::<Vec<_>>();
    let moments = left.values::<Date32Type>().take(rows).enumerate().map(|(row, date)| {
        let (Some(date), Some(time)) = (date, times[if right.scalar { 0 } else { row }]) else {
            return Ok(None);
        };
        at_time(date, time.utc()).map(Some)
    });
    let moments =
        moments.collect::<SqlResult<PrimitiveArray<TimestampMicrosecondType>>>().map_err(external)?;
    Ok(Arc::new(moments.with_data_type(target.clone())))
}

/// The moment after an interval: first its months, then its days by the clocks of the zone, then its time.
pub(crate) fn moved_in(moment: i64, by: Interval, minus: bool, zone: Option<&Named>) -> SqlResult<i64> {
    let error = || out_of_range("timestamp");
    let by = if minus { by.negated().ok_or_else(|| out_of_range("interval"))? } else { by };
    if !by.is_finite() {
        let infinity = if by == Interval::LATE { LATE } else { EARLY };
        return if is_finite(moment) || moment == infinity { Ok(infinity) } else { Err(error()) };
    }
    if !is_finite(moment) {
        return Ok(moment);
    }
    let moved = || {
        let mut moment = moment;
        if by.months != 0 || by.days != 0 {
            let east = zone.map_or(0, |zone| i64::from(zone.east_at(moment)) * SECOND);
            let mut civil = Civil::from_micros(moment.checked_add(east)?);
            let months = civil.year * 12 + civil.month - 1 + i64::from(by.months);
            (civil.year, civil.month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            civil.day = civil.day.min(days_in_month(civil.year, civil.month));
            let days = civil.days() + i64::from(by.days);
            let local = days.checked_mul(DAY)?.checked_add(civil.time)?;
            let east = zone.map_or(0, |zone| zone.east_when(&Civil::from_micros(local)));
            moment = local.checked_sub(i64::from(east) * SECOND)?;
        }
        moment.checked_add(by.micros).and_then(valid_timestamp)
    };
    moved().ok_or_else(error)
}

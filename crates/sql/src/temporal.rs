//! Conversions between dates, times, timestamps and intervals, and their texts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, PrimitiveArray, StringArray,
    StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use springtide_datetime::{
    Civil, DAY, EARLY, EARLY_DATE, Interval, LATE, LATE_DATE, Style, TimeTz, current, is_finite,
    is_finite_date, out_of_range, valid_timestamp, write_date, write_interval, write_time, write_timestamp,
    write_timestamptz, write_timetz,
};
use springtide_types::{Result, SqlType, TIMETZ_BYTES};

/// Whether [`convert`] brings values of an Arrow type to an SQL type.
pub(crate) fn converts(from: &DataType, to: SqlType) -> bool {
    use SqlType::{Date, Interval, Time, Timestamp, Timestamptz, Timetz};
    matches!(
        (from, to),
        (DataType::Date32, Timestamp | Timestamptz)
            | (DataType::Timestamp(..), Date | Timestamp | Timestamptz | Time | Timetz)
            | (DataType::Interval(_), Time)
            | (DataType::Time64(_), Interval | Timetz)
            | (DataType::FixedSizeBinary(TIMETZ_BYTES), Time)
    )
}

/// The values as this type, in the zone of the session where that matters.
pub(crate) fn convert(array: &ArrayRef, to: SqlType) -> Result<ArrayRef> {
    let style = current();
    match array.data_type() {
        DataType::Date32 => {
            let zoned = to == SqlType::Timestamptz;
            each::<Date32Type, TimestampMicrosecondType>(array, to, |days| midnight(days, zoned, &style))
        }
        DataType::Timestamp(_, zone) => from_timestamps(&micros(array)?, zone.is_some(), to, &style),
        DataType::Interval(_) => {
            each::<IntervalMonthDayNanoType, Time64MicrosecondType>(array, to, |value| {
                let interval = Interval::from_arrow(value);
                match interval.is_finite() {
                    true => Ok(interval.micros.rem_euclid(DAY)),
                    false => Err(springtide_types::SqlError::new(
                        springtide_types::SqlState::DATETIME_FIELD_OVERFLOW,
                        "cannot convert infinite interval to time",
                    )),
                }
            })
        }
        DataType::Time64(_) if to == SqlType::Timetz => {
            let times = cast_to(array, &DataType::Time64(TimeUnit::Microsecond))?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            let today = style.clock();
            Ok(timetz_array(times.iter().map(|time| {
                time.map(|time| TimeTz { time, east: style.zone.east_when(&Civil { time, ..today }) })
            })))
        }
        DataType::Time64(_) => {
            let times = cast_to(array, &DataType::Time64(TimeUnit::Microsecond))?;
            each::<Time64MicrosecondType, IntervalMonthDayNanoType>(&times, to, |time| {
                Interval::new(0, 0, time).to_arrow()
            })
        }
        _ => {
            let times = array.as_fixed_size_binary().iter();
            let times = times.map(|bytes| bytes.map(|bytes| TimeTz::from_bytes(bytes).time));
            Ok(Arc::new(times.collect::<PrimitiveArray<Time64MicrosecondType>>()))
        }
    }
}

fn from_timestamps(array: &ArrayRef, zoned: bool, to: SqlType, style: &Style) -> Result<ArrayRef> {
    let local = |micros: i64| match zoned && is_finite(micros) {
        true => style.zone.to_local(micros).ok_or_else(|| out_of_range("timestamp")),
        false => Ok(micros),
    };
    match to {
        SqlType::Date => each::<TimestampMicrosecondType, Date32Type>(array, to, |micros| {
            Ok(match micros {
                LATE => LATE_DATE,
                EARLY => EARLY_DATE,
                _ => local(micros)?.div_euclid(DAY) as i32,
            })
        }),
        SqlType::Time => {
            let moments = array.as_primitive::<TimestampMicrosecondType>().iter();
            // An infinity has no time of day.
            let time = |micros: Option<i64>| match micros.filter(|micros| is_finite(*micros)) {
                Some(micros) => local(micros).map(|local| Some(local.rem_euclid(DAY))),
                None => Ok(None),
            };
            Ok(Arc::new(moments.map(time).collect::<Result<PrimitiveArray<Time64MicrosecondType>>>()?))
        }
        SqlType::Timetz => {
            let moments = array.as_primitive::<TimestampMicrosecondType>().iter();
            let time = |micros: i64| {
                let east = style.zone.east_at(micros);
                let local = micros.saturating_add(i64::from(east) * springtide_datetime::SECOND);
                TimeTz { time: local.rem_euclid(DAY), east }
            };
            Ok(timetz_array(moments.map(|micros| micros.filter(|micros| is_finite(*micros)).map(time))))
        }
        SqlType::Timestamptz if !zoned => {
            each::<TimestampMicrosecondType, TimestampMicrosecondType>(array, to, |micros| {
                from_local(micros, style)
            })
        }
        SqlType::Timestamp if zoned => {
            each::<TimestampMicrosecondType, TimestampMicrosecondType>(array, to, local)
        }
        _ => cast_to(array, &to.arrow()),
    }
}

/// The moment when clocks in the zone of the session show this.
fn from_local(micros: i64, style: &Style) -> Result<i64> {
    if !is_finite(micros) {
        return Ok(micros);
    }
    let utc = style.zone.to_utc(&Civil::from_micros(micros));
    utc.and_then(valid_timestamp).ok_or_else(|| out_of_range("timestamp"))
}

/// The timestamp at which a date begins.
fn midnight(days: i32, zoned: bool, style: &Style) -> Result<i64> {
    if !is_finite_date(days) {
        return Ok(if days == LATE_DATE { LATE } else { EARLY });
    }
    let error = || {
        springtide_types::SqlError::new(
            springtide_types::SqlState::DATETIME_FIELD_OVERFLOW,
            "date out of range for timestamp",
        )
    };
    let local = i64::from(days).checked_mul(DAY).and_then(valid_timestamp).ok_or_else(error)?;
    if zoned { from_local(local, style) } else { Ok(local) }
}

/// One value for each that is not NULL, of the Arrow type that goes with an SQL type.
pub(crate) fn each<From, To>(
    array: &ArrayRef,
    to: SqlType,
    value: impl Fn(From::Native) -> Result<To::Native>,
) -> Result<ArrayRef>
where
    From: ArrowPrimitiveType,
    To: ArrowPrimitiveType,
{
    let values = array.as_primitive::<From>().iter().map(|given| given.map(&value).transpose());
    let values = values.collect::<Result<PrimitiveArray<To>>>()?;
    Ok(Arc::new(values.with_data_type(to.arrow())))
}

/// Timestamps without their zone.
pub(crate) fn micros(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().clone();
            Ok(Arc::new(values.with_timezone_opt(None::<&str>)))
        }
        _ => cast_to(array, &DataType::Timestamp(TimeUnit::Microsecond, None)),
    }
}

fn cast_to(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|error| springtide_plan::arrow_error(&error))
}

/// An array of `time with time zone`.
pub(crate) fn timetz_array(values: impl ExactSizeIterator<Item = Option<TimeTz>>) -> ArrayRef {
    let mut array = FixedSizeBinaryBuilder::with_capacity(values.len(), TIMETZ_BYTES);
    for value in values {
        match value {
            Some(value) => array.append_value(value.to_bytes()).expect("a value has its length"),
            None => array.append_null(),
        }
    }
    Arc::new(array.finish())
}

/// The values of an array of `time with time zone`.
pub(crate) fn timetz_values(array: &FixedSizeBinaryArray) -> impl ExactSizeIterator<Item = Option<TimeTz>> {
    (0..array.len()).map(|row| array.is_valid(row).then(|| TimeTz::from_bytes(array.value(row))))
}

/// The texts that the output functions give, in the style of the session.
pub(crate) fn texts(array: &ArrayRef) -> Result<StringArray> {
    fn write<T>(
        values: impl Iterator<Item = Option<T>>,
        write: impl Fn(T, &mut StringBuilder),
    ) -> StringArray {
        let mut texts = StringBuilder::new();
        for value in values {
            match value {
                Some(value) => {
                    write(value, &mut texts);
                    texts.append_value("");
                }
                None => texts.append_null(),
            }
        }
        texts.finish()
    }
    let style = current();
    // Writing to memory does not fail.
    Ok(match array.data_type() {
        DataType::Date32 => write(array.as_primitive::<Date32Type>().iter(), |days, out| {
            write_date(days, &style, out);
        }),
        DataType::Time64(_) => {
            let times = cast_to(array, &DataType::Time64(TimeUnit::Microsecond))?;
            write(times.as_primitive::<Time64MicrosecondType>().iter(), write_time)
        }
        DataType::Timestamp(_, zone) => {
            let micros = micros(array)?;
            let moments = micros.as_primitive::<TimestampMicrosecondType>().iter();
            match zone {
                Some(_) => write(moments, |micros, out| write_timestamptz(micros, &style, out)),
                None => write(moments, |micros, out| write_timestamp(micros, &style, out)),
            }
        }
        DataType::Interval(_) => {
            let intervals = cast_to(array, &SqlType::Interval.arrow())?;
            write(intervals.as_primitive::<IntervalMonthDayNanoType>().iter(), |value, out| {
                write_interval(Interval::from_arrow(value), style.interval, out);
            })
        }
        _ => write(timetz_values(array.as_fixed_size_binary()), write_timetz),
    })
}

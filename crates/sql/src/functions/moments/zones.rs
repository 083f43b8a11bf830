//! `timezone(zone, moment)`, which `moment AT TIME ZONE zone` calls, and the zone of the session for AT LOCAL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use springtide_datetime::{
    Civil, Interval, Named, SECOND, TimeTz, Zone, current, is_finite, out_of_range, parse_displacement,
    unknown_zone, valid_timestamp,
};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::functions::typed::{Args, Texts};
use crate::temporal::{timetz_array, timetz_values};

/// The zones of rows.
pub(super) enum Zones<'a> {
    /// By name. The last one is remembered.
    Named(Texts<'a>, Option<(&'a str, Named)>),
    /// By their distance from UTC.
    Away(ArrayRef),
    /// That of the session.
    Session(Zone),
}

impl<'a> Zones<'a> {
    /// From an argument.
    pub(super) fn of(args: &'a Args<'_>, position: usize) -> Result<Zones<'a>> {
        Ok(match args.data_type(position) {
            DataType::Interval(_) => Zones::Away(args.array(position)?),
            _ => Zones::Named(args.text(position), None),
        })
    }

    /// The zone of a row; `None` for NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<Named>> {
        match self {
            Zones::Session(zone) => Ok(Some(Named::Zone(zone.clone()))),
            Zones::Away(intervals) => {
                let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
                intervals.is_valid(row).then(|| away(Interval::from_arrow(intervals.value(row)))).transpose()
            }
            Zones::Named(names, last) => {
                let Some(name) = names.get(row) else { return Ok(None) };
                if last.as_ref().is_none_or(|(before, _)| *before != name) {
                    *last = Some((name, zone(name)?));
                }
                Ok(last.as_ref().map(|(_, zone)| zone.clone()))
            }
        }
    }
}

/// A zone by its name, an abbreviation, or a distance such as `+02:30` east of UTC.
pub(super) fn zone(name: &str) -> Result<Named> {
    Named::find(name).ok_or_else(|| unknown_zone(name))
}

/// A zone as `make_timestamptz` takes it: a number has a sign, and counts to the east.
pub(super) fn signed_zone(name: &str) -> Result<Named> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("invalid input syntax for type numeric time zone: \"{name}\"");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    match parse_displacement(name) {
        Some(Ok(east)) => Ok(Named::Fixed(east)),
        Some(Err(_)) => {
            let message = format!("numeric time zone \"{name}\" out of range");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
        None => zone(name),
    }
}

/// A zone so far from UTC.
fn away(interval: Interval) -> Result<Named> {
    let error = |why: &str| {
        let mut text = String::new();
        springtide_datetime::write_interval(interval, current().interval, &mut text);
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("interval time zone \"{text}\" must {why}"))
    };
    if !interval.is_finite() {
        return Err(error("be finite"));
    }
    if interval.months != 0 || interval.days != 0 {
        return Err(error("not include months or days"));
    }
    Ok(Named::Fixed((interval.micros / SECOND) as i32))
}

/// `timezone(zone, moment)`
pub(super) fn timezone(args: &Args<'_>) -> Result<ArrayRef> {
    in_zones(Zones::of(args, 0)?, &args.array(1)?)
}

/// `timezone(moment)`
pub(super) fn local(args: &Args<'_>) -> Result<ArrayRef> {
    in_zones(Zones::Session(current().zone.clone()), &args.array(0)?)
}

/// What clocks in the zones show at timestamps with a zone, and when they show timestamps without.
fn in_zones(mut zones: Zones<'_>, moments: &ArrayRef) -> Result<ArrayRef> {
    let zoned = match moments.data_type() {
        DataType::Timestamp(_, zone) => zone.is_some(),
        _ => return times_in_zones(zones, moments),
    };
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let moved = (0..moments.len()).map(|row| {
        let Some(zone) = zones.get(row)?.filter(|_| moments.is_valid(row)) else { return Ok(None) };
        let micros = moments.value(row);
        if !is_finite(micros) {
            return Ok(Some(micros));
        }
        let shift = match zoned {
            true => i64::from(zone.east_at(micros)),
            false => -i64::from(zone.east_when(&Civil::from_micros(micros))),
        };
        let moved = micros.checked_add(shift * SECOND).and_then(valid_timestamp);
        moved.map(Some).ok_or_else(|| out_of_range("timestamp"))
    });
    let moved = moved.collect::<Result<PrimitiveArray<TimestampMicrosecondType>>>()?;
    let target = if zoned { SqlType::Timestamp } else { SqlType::Timestamptz };
    Ok(Arc::new(moved.with_data_type(target.arrow())))
}

fn times_in_zones(mut zones: Zones<'_>, times: &ArrayRef) -> Result<ArrayRef> {
    let now = current().now;
    let times = match times.data_type() {
        DataType::Time64(_) => crate::temporal::convert(times, SqlType::Timetz)?,
        _ => times.clone(),
    };
    let moved = timetz_values(times.as_fixed_size_binary()).enumerate().map(|(row, time)| {
        let (Some(zone), Some(time)) = (zones.get(row)?, time) else { return Ok(None) };
        Ok(Some(TimeTz::at(&time, zone.east_at(now))))
    });
    let moved = moved.collect::<Result<Vec<_>>>()?;
    Ok(timetz_array(moved.into_iter()))
}

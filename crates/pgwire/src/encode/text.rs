//! The text format, as the `*out` functions of PostgreSQL print it. Most sessions have `DateStyle = ISO`,
//! `IntervalStyle = postgres` and `TimeZone = UTC`: what is written for them has its own, faster way.

use std::fmt::{self, Write};

use bytes::{BufMut, BytesMut};
use springtide_datetime::{
    Interval, Style, TimeTz, is_finite, is_finite_date, write_date, write_interval, write_timestamp,
    write_timestamptz, write_timetz,
};
use springtide_types::{array_text, bytea_text, uuid_text};

use super::calendar::{MICROS_PER_DAY, civil};
use super::{Values, float, numeric};

/// Appends the value at `row`, which is not NULL.
pub(super) fn write(values: &Values, row: usize, style: &Style, out: &mut BytesMut) {
    let plain = style.is_plain();
    match values {
        Values::Boolean(array) => out.put_u8(if array.value(row) { b't' } else { b'f' }),
        Values::Int2(array) => display(array.value(row), out),
        Values::Int4(array) => display(array.value(row), out),
        Values::Int8(array) => display(array.value(row), out),
        Values::Float4(array) => float::float4(array.value(row), out),
        Values::Float8(array) => float::float8(array.value(row), out),
        Values::Numeric(array) => {
            numeric::write_text(array.value(row), array.precision(), array.scale(), out)
        }
        Values::Text(array) => out.put_slice(array.value(row).as_bytes()),
        Values::Date(array) if plain && is_finite_date(array.value(row)) => date(array.value(row), out),
        Values::Date(array) => write_date(array.value(row), style, out),
        Values::Timestamp(array) if plain && is_finite(array.value(row)) => {
            timestamp(array.value(row), "", out);
        }
        Values::Timestamp(array) => write_timestamp(array.value(row), style, out),
        Values::Timestamptz(array) if plain && is_finite(array.value(row)) => {
            timestamp(array.value(row), "+00", out);
        }
        Values::Timestamptz(array) => write_timestamptz(array.value(row), style, out),
        Values::Interval(array) => {
            write_interval(Interval::from_arrow(array.value(row)), style.interval, out)
        }
        Values::Timetz(array) => write_timetz(TimeTz::from_bytes(array.value(row)), out),
        Values::Bytea(array) => out.put_slice(bytea_text(array.value(row)).as_bytes()),
        Values::Time(array) => time(array.value(row).unsigned_abs(), out),
        Values::Json(array) => out.put_slice(array.value(row)),
        Values::Jsonb(array) => out.put_slice(array.value(row).as_bytes()),
        Values::Jsonpath(array) => out.put_slice(array.value(row)),
        Values::Uuid(array) => out.put_slice(uuid_text(array.value(row)).as_bytes()),
        Values::Array(arrays) => {
            let elements = arrays.range(row).map(|at| arrays.elements.text(at)).collect::<Vec<_>>();
            out.put_slice(array_text(elements.iter().map(Option::as_deref)).as_bytes());
        }
    }
}

/// A small string on the stack, for digits.
pub(super) struct Ascii<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Ascii<N> {
    fn default() -> Ascii<N> {
        Ascii { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Ascii<N> {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("digits are ASCII")
    }

    /// Appends `text`, which fits.
    pub(super) fn push(&mut self, text: &str) {
        self.write_str(text).expect("the digits fit");
    }
}

impl<const N: usize> fmt::Write for Ascii<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn display(value: impl fmt::Display, out: &mut BytesMut) {
    write!(out, "{value}").expect("the buffer grows");
}

fn date(days: i32, out: &mut BytesMut) {
    let (year, month, day) = civil(i64::from(days));
    year_month_day(year, month, day, out);
    era(year, out);
}

/// `zone` follows the time of day.
fn timestamp(micros: i64, zone: &str, out: &mut BytesMut) {
    let (year, month, day) = civil(micros.div_euclid(MICROS_PER_DAY));
    year_month_day(year, month, day, out);
    out.put_u8(b' ');
    time(micros.rem_euclid(MICROS_PER_DAY) as u64, out);
    out.put_slice(zone.as_bytes());
    era(year, out);
}

fn year_month_day(year: i64, month: u32, day: u32, out: &mut BytesMut) {
    let shown = if year > 0 { year } else { 1 - year };
    if shown < 10_000 {
        two_digits(shown as u64 / 100, out);
        two_digits(shown as u64 % 100, out);
    } else {
        display(shown, out);
    }
    out.put_u8(b'-');
    two_digits(u64::from(month), out);
    out.put_u8(b'-');
    two_digits(u64::from(day), out);
}

fn era(year: i64, out: &mut BytesMut) {
    if year <= 0 {
        out.put_slice(b" BC");
    }
}

/// Hours, minutes and seconds, with as many decimals as needed.
fn time(micros: u64, out: &mut BytesMut) {
    let seconds = micros / 1_000_000;
    let hours = seconds / 3_600;
    if hours < 100 {
        two_digits(hours, out);
    } else {
        display(hours, out);
    }
    out.put_u8(b':');
    two_digits(seconds / 60 % 60, out);
    out.put_u8(b':');
    two_digits(seconds % 60, out);
    fraction(micros % 1_000_000, out);
}

fn fraction(mut micros: u64, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let mut width = 6;
    while micros.is_multiple_of(10) {
        micros /= 10;
        width -= 1;
    }
    write!(out, ".{micros:0width$}").expect("the buffer grows");
}

fn two_digits(value: u64, out: &mut BytesMut) {
    debug_assert!(value < 100);
    out.put_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What PostgreSQL 15 printed: one line per value, the input, a tab, the output.
    pub(in crate::encode) fn check(golden: &str, encode: impl Fn(&str, &mut BytesMut)) {
        let mut lines = 0;
        for line in golden.lines() {
            let (input, expected) = line.split_once('\t').expect("input, tab, output");
            let mut out = BytesMut::new();
            encode(input, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "for {input}");
            lines += 1;
        }
        assert!(lines > 50, "the golden file is complete");
    }

    #[test]
    fn date_as_postgres() {
        check(include_str!("golden/date.tsv"), |days, out| date(days.parse().unwrap(), out));
    }

    #[test]
    fn timestamp_as_postgres() {
        check(include_str!("golden/timestamp.tsv"), |micros, out| {
            timestamp(micros.parse().unwrap(), "", out)
        });
    }

    #[test]
    fn timestamptz_as_postgres() {
        check(include_str!("golden/timestamptz.tsv"), |micros, out| {
            timestamp(micros.parse().unwrap(), "+00", out)
        });
    }

    #[test]
    fn interval_as_postgres() {
        check(include_str!("golden/interval.tsv"), |fields, out| {
            let mut fields = fields.split(' ').map(|field| field.parse::<i64>().unwrap());
            let mut next = || fields.next().unwrap();
            let (months, days, micros) = (next() as i32, next() as i32, next());
            write_interval(Interval::new(months, days, micros), Style::default().interval, out);
        });
    }
}

//! The binary format, as the `*send` functions of PostgreSQL 15 write it.

use bytes::{BufMut, BytesMut};
use springtide_datetime::{Interval, TimeTz, is_finite, is_finite_date};

use super::calendar::{MICROS_PER_DAY, POSTGRES_EPOCH_DAYS};
use super::{Arrays, Values, numeric};

/// Microseconds from 1970-01-01 to 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS as i64 * MICROS_PER_DAY;

/// The first byte of a `jsonb`; its text follows.
const JSONB_VERSION: u8 = 1;

/// Appends the value at `row`, which is not NULL.
pub(super) fn write(values: &Values, row: usize, out: &mut BytesMut) {
    match values {
        Values::Boolean(array) => out.put_u8(u8::from(array.value(row))),
        Values::Int2(array) => out.put_i16(array.value(row)),
        Values::Int4(array) => out.put_i32(array.value(row)),
        Values::Int8(array) => out.put_i64(array.value(row)),
        Values::Float4(array) => out.put_f32(array.value(row)),
        Values::Float8(array) => out.put_f64(array.value(row)),
        Values::Numeric(array) => {
            numeric::write_binary(array.value(row), array.precision(), array.scale(), out)
        }
        Values::Text(array) => out.put_slice(array.value(row).as_bytes()),
        Values::Bytea(array) => out.put_slice(array.value(row)),
        Values::Time(array) => out.put_i64(array.value(row)),
        Values::Timetz(array) => {
            let value = TimeTz::from_bytes(array.value(row));
            out.put_i64(value.time);
            out.put_i32(-value.east);
        }
        Values::Uuid(array) => out.put_slice(array.value(row)),
        Values::Json(array) => out.put_slice(array.value(row)),
        Values::Jsonb(array) => {
            out.put_u8(JSONB_VERSION);
            out.put_slice(array.value(row).as_bytes());
        }
        Values::Jsonpath(array) => {
            out.put_u8(JSONB_VERSION);
            out.put_slice(array.value(row));
        }
        Values::Date(array) => {
            let days = array.value(row);
            out.put_i32(if is_finite_date(days) { days.wrapping_sub(POSTGRES_EPOCH_DAYS) } else { days });
        }
        Values::Timestamp(array) | Values::Timestamptz(array) => {
            let micros = array.value(row);
            out.put_i64(if is_finite(micros) { micros.wrapping_sub(POSTGRES_EPOCH_MICROS) } else { micros });
        }
        Values::Interval(array) => {
            let interval = Interval::from_arrow(array.value(row));
            out.put_i64(interval.micros);
            out.put_i32(interval.days);
            out.put_i32(interval.months);
        }
        Values::Array(arrays) => write_array(arrays, row, out),
    }
}

/// The number of dimensions, whether there are NULLs, the type of the elements; of each dimension its length and first
/// subscript; the elements. An empty array has no dimension.
fn write_array(arrays: &Arrays, row: usize, out: &mut BytesMut) {
    let range = arrays.range(row);
    let has_nulls = range.clone().any(|at| arrays.elements.is_null(at));
    out.put_i32(i32::from(!range.is_empty()));
    out.put_i32(i32::from(has_nulls));
    out.put_u32(arrays.element_oid);
    if !range.is_empty() {
        out.put_i32(range.len() as i32);
        out.put_i32(1);
    }
    range.for_each(|at| arrays.elements.write(at, out));
}

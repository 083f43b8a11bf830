//! Rows of events as the data of a COPY. They have no NULL, and their texts nothing that would have to be escaped.

use std::fmt::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use bytes::{BufMut, Bytes, BytesMut};
use springtide_types::{Result, SqlType};

const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const BINARY_END: i16 = -1;
/// Microseconds from 1970-01-01 to 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// In the text format.
pub(super) fn text(rows: &RecordBatch) -> Result<Bytes> {
    let of = |data_type: &DataType| SqlType::from_arrow(data_type).expect("columns of events have SQL types");
    let types = rows.columns().iter().map(|column| of(column.data_type())).collect::<Vec<_>>();
    let mut out = String::new();
    for row in springtide_pgwire::texts(rows, &types, &Default::default())? {
        let fields = row.into_iter().map(|field| field.expect("no event has a NULL")).collect::<Vec<_>>();
        writeln!(out, "{}", fields.join("\t")).expect("a string takes any text");
    }
    Ok(out.into())
}

/// In the binary format.
pub(super) fn binary(rows: &RecordBatch) -> Result<Bytes> {
    let mut out = BytesMut::from(BINARY_HEADER);
    for row in 0..rows.num_rows() {
        out.put_i16(rows.num_columns() as i16);
        rows.columns().iter().for_each(|column| put(column, row, &mut out));
    }
    out.put_i16(BINARY_END);
    Ok(out.freeze())
}

fn put(column: &dyn Array, row: usize, out: &mut BytesMut) {
    match column.data_type() {
        DataType::Int64 => {
            out.put_i32(8);
            out.put_i64(column.as_primitive::<Int64Type>().value(row));
        }
        DataType::Timestamp(..) => {
            out.put_i32(8);
            out.put_i64(column.as_primitive::<TimestampMicrosecondType>().value(row) - POSTGRES_EPOCH);
        }
        _ => {
            let text = column.as_string::<i32>().value(row);
            out.put_i32(text.len() as i32);
            out.put_slice(text.as_bytes());
        }
    }
}

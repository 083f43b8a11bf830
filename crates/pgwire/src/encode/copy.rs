//! Rows as the data of a COPY, as PostgreSQL 15 writes them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::{BufMut, BytesMut};
use pgwire::api::results::FieldFormat;
use pgwire::messages::copy::MESSAGE_TYPE_BYTE_COPY_DATA;
use springtide_datetime::Style;
use springtide_engine::{Encoding, Format};
use springtide_types::{Result, SqlType};

use super::{Rows, text};

/// What the binary format begins with: a signature, no flags, and no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Writes `CopyData` messages of one row each.
pub(crate) struct CopyWriter {
    format: Format,
    types: Vec<SqlType>,
    /// A field in the text format, before it is written as `format` wants it.
    field: BytesMut,
    /// What goes before the next row.
    before: &'static [u8],
}

impl CopyWriter {
    /// For columns of these types.
    pub(crate) fn new(format: Format, types: Vec<SqlType>) -> CopyWriter {
        let before = if format.encoding == Encoding::Binary { BINARY_HEADER } else { &[] };
        CopyWriter { format, types, field: BytesMut::new(), before }
    }

    /// The rows of a batch, ready to be written.
    pub(crate) fn rows(&self, batch: &RecordBatch, style: &Arc<Style>) -> Result<Rows> {
        let format = match self.format.encoding {
            Encoding::Binary => FieldFormat::Binary,
            Encoding::Text | Encoding::Csv => FieldFormat::Text,
        };
        Rows::new(batch, &self.types, &vec![format; self.types.len()], style)
    }

    /// Appends the names of the columns.
    pub(crate) fn write_header<'a>(&mut self, names: impl Iterator<Item = &'a str>, out: &mut BytesMut) {
        let start = begin(out);
        let alone = self.types.len() == 1;
        for (position, name) in names.enumerate() {
            if position > 0 {
                out.put_u8(self.format.delimiter);
            }
            self.put(name.as_bytes(), false, alone, out);
        }
        out.put_u8(b'\n');
        end(start, out);
    }

    /// Appends a row.
    pub(crate) fn write(&mut self, rows: &Rows, row: usize, out: &mut BytesMut) {
        let start = begin(out);
        if self.format.encoding == Encoding::Binary {
            out.put_slice(std::mem::take(&mut self.before));
            rows.write_fields(row, out);
        } else {
            self.write_line(rows, row, out);
        }
        end(start, out);
    }

    /// Appends what ends the data.
    pub(crate) fn write_end(&mut self, out: &mut BytesMut) {
        if self.format.encoding == Encoding::Binary {
            let start = begin(out);
            out.put_slice(std::mem::take(&mut self.before));
            out.put_i16(-1);
            end(start, out);
        }
    }

    fn write_line(&mut self, rows: &Rows, row: usize, out: &mut BytesMut) {
        let alone = rows.columns.len() == 1;
        for (position, column) in rows.columns.iter().enumerate() {
            if position > 0 {
                out.put_u8(self.format.delimiter);
            }
            if column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.put_slice(self.format.null.as_bytes());
                continue;
            }
            let mut field = std::mem::take(&mut self.field);
            field.clear();
            text::write(&column.values, row, &column.style, &mut field);
            let force_quote = self.format.force_quote.get(position) == Some(&true);
            self.put(&field, force_quote, alone, out);
            self.field = field;
        }
        out.put_u8(b'\n');
    }

    /// Appends a field. `alone`: that it is the only one of its line.
    fn put(&self, field: &[u8], force_quote: bool, alone: bool, out: &mut BytesMut) {
        match self.format.encoding {
            Encoding::Csv => self.put_csv(field, force_quote, alone, out),
            Encoding::Text | Encoding::Binary => self.put_text(field, out),
        }
    }

    fn put_text(&self, field: &[u8], out: &mut BytesMut) {
        for byte in field {
            let escaped = match byte {
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                b'\\' => b'\\',
                delimiter if *delimiter == self.format.delimiter => *delimiter,
                plain => {
                    out.put_u8(*plain);
                    continue;
                }
            };
            out.put_slice(&[b'\\', escaped]);
        }
    }

    fn put_csv(&self, field: &[u8], force_quote: bool, alone: bool, out: &mut BytesMut) {
        let Format { delimiter, quote, escape, null, .. } = &self.format;
        let special = |byte: &u8| [*delimiter, *quote, b'\n', b'\r'].contains(byte);
        // A lone \. would end the data.
        let ends = alone && field == b"\\.";
        if !force_quote && !ends && field != null.as_bytes() && !field.iter().any(special) {
            return out.put_slice(field);
        }
        out.put_u8(*quote);
        for byte in field {
            if byte == quote || byte == escape {
                out.put_u8(*escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(*quote);
    }
}

/// Begins a `CopyData` message; returns where its length stands.
fn begin(out: &mut BytesMut) -> usize {
    out.put_u8(MESSAGE_TYPE_BYTE_COPY_DATA);
    out.put_i32(0);
    out.len() - 4
}

fn end(start: usize, out: &mut BytesMut) {
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

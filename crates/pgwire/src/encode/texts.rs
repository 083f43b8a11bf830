//! Rows as texts: what a client would get in the text format, for tools that have no socket.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::BytesMut;
use pgwire::api::results::FieldFormat;
use springtide_datetime::Style;
use springtide_types::{Result, SqlType};

use super::{Column, text};

/// Every value of `batch`, whose columns have these SQL types, in the text format; `None` for NULL.
pub fn texts(batch: &RecordBatch, types: &[SqlType], style: &Arc<Style>) -> Result<Vec<Vec<Option<String>>>> {
    let columns = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(array, sql_type)| Column::new(array, *sql_type, FieldFormat::Text, style))
        .collect::<Result<Vec<_>>>()?;
    let row = |row| columns.iter().map(|column| column.text(row)).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}

impl Column {
    /// The value in the text format; `None` for NULL.
    pub(super) fn text(&self, row: usize) -> Option<String> {
        if self.is_null(row) {
            return None;
        }
        let mut out = BytesMut::new();
        text::write(&self.values, row, &self.style, &mut out);
        Some(String::from_utf8_lossy(&out).into_owned())
    }
}

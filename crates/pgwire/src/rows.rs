//! Results on their way to the client.

use arrow::array::RecordBatch;
use futures::SinkExt;
use futures::stream::{BoxStream, StreamExt};
use pgwire::api::results::FieldFormat;
use springtide_engine::{Column, RowsTag};
use springtide_types::{Result, SqlType};

use crate::connection::{Connection, Failure, OUTPUT_BUFFER};
use crate::encode::Rows;

/// A result that is being sent, perhaps a few rows at a time.
pub(crate) struct Cursor {
    types: Vec<SqlType>,
    formats: Vec<FieldFormat>,
    tag: RowsTag,
    batches: BoxStream<'static, Result<RecordBatch>>,
    /// The batch at hand and its first row that is not sent; `None` at the end.
    current: Option<(Rows, usize)>,
}

/// What [`Connection::send_rows`] did.
pub(crate) struct Sent {
    /// How many rows it sent.
    pub(crate) rows: usize,
    /// Whether it stopped at the limit rather than at the end.
    pub(crate) suspended: bool,
}

impl Cursor {
    pub(crate) fn new(
        columns: &[Column],
        formats: Vec<FieldFormat>,
        batches: BoxStream<'static, Result<RecordBatch>>,
        tag: RowsTag,
    ) -> Cursor {
        let types = columns.iter().map(|column| column.sql_type).collect();
        // A stream may not be polled after its end, a fused one may.
        Cursor { types, formats, tag, batches: batches.fuse().boxed(), current: None }
    }

    /// The command tag after `rows` rows.
    pub(crate) fn tag(&self, rows: usize) -> String {
        match self.tag {
            RowsTag::Select => format!("SELECT {rows}"),
            RowsTag::Counted(command) => format!("{command} {rows}"),
            RowsTag::Fixed(tag) => tag.to_owned(),
        }
    }
}

impl Connection {
    /// Sends rows of `cursor`, at most `limit`.
    pub(crate) async fn send_rows(
        &mut self,
        cursor: &mut Cursor,
        limit: Option<usize>,
    ) -> Result<Sent, Failure> {
        let mut rows = 0;
        while limit.is_none_or(|limit| rows < limit) {
            let Some((batch, next)) = &mut cursor.current else {
                if !self.next_batch(cursor).await? {
                    return Ok(Sent { rows, suspended: false });
                }
                continue;
            };
            if *next == batch.len() {
                cursor.current = None;
                continue;
            }
            batch.write(*next, self.wire.write_buffer_mut());
            *next += 1;
            rows += 1;
            if self.wire.write_buffer().len() >= OUTPUT_BUFFER {
                self.wire.flush().await?;
            }
        }
        Ok(Sent { rows, suspended: true })
    }

    /// Waits for the next batch; false at the end.
    async fn next_batch(&mut self, cursor: &mut Cursor) -> Result<bool, Failure> {
        let batch = self.unless_interrupted(cursor.batches.next()).await?.transpose()?;
        cursor.current = match &batch {
            Some(batch) => Some((Rows::new(batch, &cursor.types, &cursor.formats, self.session.style())?, 0)),
            None => None,
        };
        Ok(batch.is_some())
    }
}

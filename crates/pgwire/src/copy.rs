//! `COPY FROM STDIN` and `TO STDOUT`.

use std::io;

use arrow::array::RecordBatch;
use futures::SinkExt;
use futures::stream::{BoxStream, StreamExt};
use pgwire::messages::copy::{CopyDone, CopyInResponse, CopyOutResponse};
use pgwire::messages::data::{FORMAT_CODE_BINARY, FORMAT_CODE_TEXT};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use springtide_engine::{Column, Encoding, Format, Header, Response};
use springtide_types::{Result, SqlError};

use crate::connection::{Connection, Failure, OUTPUT_BUFFER};
use crate::encode::CopyWriter;

impl Connection {
    /// Feeds the session with what the client sends, to the end; gives back the command tag.
    pub(crate) async fn copy_in(&mut self, columns: usize, binary: bool) -> Result<String, Failure> {
        let (format, formats) = format_codes(columns, binary);
        let response = CopyInResponse::new(format, columns as i16, formats);
        self.wire.send(PgWireBackendMessage::CopyInResponse(response)).await?;
        loop {
            match self.receive().await? {
                Some(PgWireFrontendMessage::CopyData(data)) => self.session.copy_data(data.data).await?,
                Some(PgWireFrontendMessage::CopyDone(_)) => break,
                Some(PgWireFrontendMessage::CopyFail(reason)) => {
                    return Err(self.session.copy_fail(&reason.message).into());
                }
                // Drivers pipeline a Sync behind the Execute, before they know that a COPY began.
                Some(PgWireFrontendMessage::Flush(_) | PgWireFrontendMessage::Sync(_)) => {}
                Some(PgWireFrontendMessage::Terminate(_)) | None => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                Some(_) => {
                    return Err(Failure::protocol_violation(
                        "unexpected message type during COPY from stdin",
                    ));
                }
            }
        }
        let done = self.session.copy_done().await?;
        self.send_notices().await?;
        match done {
            Response::Complete { tag } => Ok(tag),
            _ => Err(SqlError::internal("a COPY ends with a command tag").into()),
        }
    }

    /// Sends rows as the data of a COPY; gives back the command tag.
    pub(crate) async fn copy_out(
        &mut self,
        columns: &[Column],
        mut batches: BoxStream<'static, Result<RecordBatch>>,
        format: Format,
    ) -> Result<String, Failure> {
        let (code, codes) = format_codes(columns.len(), format.encoding == Encoding::Binary);
        let response = CopyOutResponse::new(code, columns.len() as i16, codes);
        self.wire.feed(PgWireBackendMessage::CopyOutResponse(response)).await?;
        let has_header = format.header != Header::None;
        let mut writer = CopyWriter::new(format, columns.iter().map(|column| column.sql_type).collect());
        if has_header {
            let names = columns.iter().map(|column| column.name.as_str());
            writer.write_header(names, self.wire.write_buffer_mut());
        }
        let mut count = 0;
        while let Some(batch) = self.unless_interrupted(batches.next()).await?.transpose()? {
            let rows = writer.rows(&batch, self.session.style())?;
            for row in 0..rows.len() {
                writer.write(&rows, row, self.wire.write_buffer_mut());
                if self.wire.write_buffer().len() >= OUTPUT_BUFFER {
                    self.wire.flush().await?;
                }
            }
            count += rows.len();
        }
        writer.write_end(self.wire.write_buffer_mut());
        self.wire.feed(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
        Ok(format!("COPY {count}"))
    }
}

/// The format of the whole, and of each column.
fn format_codes(columns: usize, binary: bool) -> (i8, Vec<i16>) {
    let code = if binary { FORMAT_CODE_BINARY } else { FORMAT_CODE_TEXT };
    (code as i8, vec![code; columns])
}

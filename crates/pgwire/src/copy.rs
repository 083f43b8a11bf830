//! `COPY FROM STDIN`.

use std::io;

use futures::SinkExt;
use pgwire::messages::copy::CopyInResponse;
use pgwire::messages::data::FORMAT_CODE_TEXT;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use springtide_engine::Response;
use springtide_types::SqlError;

use crate::connection::{Connection, Failure};

impl Connection {
    /// Feeds the session with what the client sends, to the end; gives back the command tag.
    pub(crate) async fn copy_in(&mut self, columns: usize) -> Result<String, Failure> {
        let formats = vec![FORMAT_CODE_TEXT; columns];
        let response = CopyInResponse::new(FORMAT_CODE_TEXT as i8, columns as i16, formats);
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
}

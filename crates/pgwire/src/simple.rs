//! The simple query protocol: one string, any number of statements.

use futures::SinkExt;
use pgwire::api::results::FieldFormat;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use springtide_engine::{Response, Statement};
use springtide_types::{SqlError, SqlState};

use crate::connection::{Connection, Failure};
use crate::describe::row_description;
use crate::rows::Cursor;

impl Connection {
    /// Runs the statements of `sql` in order. Several of them are one transaction, unless they say otherwise.
    pub(crate) async fn simple_query(&mut self, sql: &str) -> Result<(), Failure> {
        // In case no Sync ended what came before.
        self.session.end_implicit().await?;
        self.session.close_statement("");
        self.portals.remove("");
        let statements = self.session.parse(sql)?;
        let mut complete = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
        for (i, statement) in statements.iter().enumerate() {
            if i > 0 {
                self.wire.feed(complete).await?;
            }
            if statements.len() > 1 {
                self.session.begin_implicit();
            }
            complete = self.run_statement(statement).await?;
        }
        // Nobody is told that the last statement is complete before the transaction is.
        self.session.end_implicit().await?;
        self.wire.feed(complete).await?;
        self.ready_for_query().await
    }

    /// Runs a statement and sends its rows; gives back the message that completes it.
    async fn run_statement(&mut self, statement: &Statement) -> Result<PgWireBackendMessage, Failure> {
        let prepared = self.session.prepare(statement, &[]).await?;
        if !prepared.parameters().is_empty() {
            return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1").into());
        }
        let tag = match self.execute(&prepared, Vec::new()).await? {
            Response::Rows { columns, batches, tag } => {
                let formats = vec![FieldFormat::Text; columns.len()];
                self.wire.feed(row_description(&columns, &formats)).await?;
                let mut cursor = Cursor::new(&columns, formats, batches, tag);
                let sent = self.send_rows(&mut cursor, None).await?;
                cursor.tag(sent.rows)
            }
            Response::Complete { tag } => tag,
            Response::Empty => {
                return Ok(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()));
            }
            Response::CopyIn { columns, binary } => self.copy_in(columns, binary).await?,
            Response::CopyOut { columns, batches, format } => {
                self.copy_out(&columns, batches, format).await?
            }
        };
        Ok(PgWireBackendMessage::CommandComplete(CommandComplete::new(tag)))
    }
}

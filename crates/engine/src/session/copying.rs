//! The data of a COPY.

use bytes::Bytes;
use futures::future::BoxFuture;
use springtide_datetime::{Styled, within};
use springtide_types::{Result, SqlError, SqlState};

use super::block::State;
use super::{Session, overtaken};
use crate::commit::CommitError;
use crate::response::Response;
use crate::statement::CopyIn;
use crate::transaction::Transaction;

impl Session {
    /// Takes bytes of a COPY that [`Response::CopyIn`] began.
    pub async fn copy_data(&mut self, data: Bytes) -> Result<()> {
        let Some(copy) = &mut self.copy else { return Err(no_copy()) };
        let result = within(self.settings.style(), || copy.data(&data));
        if result.is_err() {
            self.copy = None;
            self.fail_transaction();
        }
        result
    }

    /// Ends a COPY: its rows are written.
    pub fn copy_done(&mut self) -> BoxFuture<'_, Result<Response>> {
        let style = self.settings.style().clone();
        let work = Box::pin(async move {
            let copy = self.copy.take().ok_or_else(no_copy)?;
            let result = self.finish_copy(copy).await;
            if result.is_err() {
                self.fail_transaction();
            }
            result.map(|rows| Response::complete(format!("COPY {rows}")))
        });
        Box::pin(Styled::new(style, work))
    }

    async fn finish_copy(&mut self, copy: CopyIn) -> Result<usize> {
        let (shared, planner) = (self.shared.clone(), self.planner());
        if let State::Open(block) = &mut self.state {
            return copy.finish(&planner, &mut block.transaction).await;
        }
        let mut transaction = Transaction::begin(&shared.reads);
        transaction.act_as(self.identity());
        transaction.look_along(self.settings.path());
        let rows = copy.finish(&planner, &mut transaction).await?;
        match shared.commit(transaction, &shared.turns.together(), self.settings.acknowledged()).await {
            Ok(_) => Ok(rows),
            // Rows that are only inserted depend on nothing but their table.
            Err(CommitError::Conflict) => Err(overtaken()),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Abandons a COPY at the client's wish. Returns the error to report.
    pub fn copy_fail(&mut self, message: &str) -> SqlError {
        self.copy = None;
        self.fail_transaction();
        SqlError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"))
    }
}

fn no_copy() -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, "no COPY is in progress")
}

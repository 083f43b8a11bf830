use std::time::Duration;

use async_trait::async_trait;
use springtide_engine::Database;
use springtide_pgwire::texts;
use springtide_types::SqlError;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};

use super::value;
use crate::client::{Client, Output};

/// A session of the embedded API.
pub(super) struct InProcess {
    client: Client,
}

impl InProcess {
    pub(super) fn new(database: &Database) -> InProcess {
        InProcess { client: Client::new(database) }
    }

    /// Whether the session is outside of any transaction block.
    pub(super) fn is_dispensable(&self) -> bool {
        self.client.is_dispensable()
    }
}

#[async_trait]
impl AsyncDB for InProcess {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    /// The output of the last statement of `sql`, its values as the wire would write them.
    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        match self.client.run(sql).await?.pop() {
            Some(Output::Rows { columns, batches }) => {
                let types = columns.iter().map(|column| column.sql_type).collect::<Vec<_>>();
                let mut rows = Vec::new();
                for batch in &batches {
                    let texts = texts(batch, &types, self.client.style())?;
                    rows.extend(
                        texts.iter().map(|row| row.iter().map(|text| value(text.as_deref())).collect()),
                    );
                }
                Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns.len()], rows })
            }
            Some(Output::Complete(tag)) => Ok(DBOutput::StatementComplete(count(&tag))),
            Some(Output::Empty) | None => Ok(DBOutput::StatementComplete(0)),
        }
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "springtide"
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.sqlstate.code().to_owned())
    }
}

/// The number of rows in a command tag such as `INSERT 0 3`.
fn count(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

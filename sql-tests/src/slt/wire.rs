use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

/// A connection that speaks the simple query protocol.
pub(super) struct Wire {
    client: Client,
}

impl Wire {
    pub(super) fn new(client: Client) -> Wire {
        Wire { client }
    }
}

#[async_trait]
impl AsyncDB for Wire {
    type Error = WireError;
    type ColumnType = DefaultColumnType;

    /// The output of the last statement of `sql`.
    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, WireError> {
        let mut rows = None;
        let mut output = DBOutput::StatementComplete(0);
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => rows = Some((columns.len(), Vec::new())),
                SimpleQueryMessage::Row(row) => {
                    rows.get_or_insert((row.len(), Vec::new())).1.push(texts(&row))
                }
                SimpleQueryMessage::CommandComplete(count) => {
                    output = match rows.take() {
                        Some((columns, rows)) => {
                            DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows }
                        }
                        None => DBOutput::StatementComplete(count),
                    }
                }
                _ => {}
            }
        }
        Ok(output)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "springtide"
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &WireError) -> Option<String> {
        error.0.code().map(|state| state.code().to_owned())
    }
}

/// An error that tells what the server says, not only that it says something.
#[derive(Debug)]
pub(super) struct WireError(Error);

impl From<Error> for WireError {
    fn from(error: Error) -> WireError {
        WireError(error)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(error) => write!(f, "{error}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for WireError {}

fn texts(row: &SimpleQueryRow) -> Vec<String> {
    (0..row.len()).map(|column| super::value(row.get(column))).collect()
}

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::SinkExt;
use springtide_pgwire::texts;
use springtide_types::SqlError;
use tokio_postgres::{Error, SimpleQueryMessage};

use crate::client::{Client, Output};

/// Why a statement failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the database says; `None` if it is gone.
    pub sqlstate: Option<String>,
    /// The message.
    pub message: String,
}

impl Failure {
    /// Whether the transaction was overtaken by another, and did nothing.
    pub fn is_conflict(&self) -> bool {
        self.sqlstate.as_deref() == Some("40001")
    }

    /// Whether the disk is to blame.
    pub fn is_of_disk(&self) -> bool {
        matches!(self.sqlstate.as_deref(), Some("53100" | "58030"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate.as_deref().unwrap_or("gone"), self.message)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure { sqlstate: Some(error.sqlstate.code().to_owned()), message: error.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error.as_db_error() {
            // A server that goes down says so before it closes the connection.
            Some(said) if said.code().code() != "57P01" => {
                Failure { sqlstate: Some(said.code().code().to_owned()), message: said.message().to_owned() }
            }
            _ => Failure { sqlstate: None, message: error.to_string() },
        }
    }
}

/// A session, by whatever way.
#[async_trait]
pub trait Connection: Send {
    /// Runs statements for their effect.
    async fn run(&mut self, sql: &str) -> Result<(), Failure>;
    /// Runs a COPY FROM STDIN.
    async fn copy(&mut self, sql: &str, data: &str) -> Result<(), Failure>;
    /// The rows of a query as texts, sorted.
    async fn rows(&mut self, sql: &str) -> Result<Vec<String>, Failure>;
}

/// A session over the wire.
pub struct Wire(
    /// The client of the driver.
    pub tokio_postgres::Client,
);

#[async_trait]
impl Connection for Wire {
    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        Ok(self.0.batch_execute(sql).await?)
    }

    async fn copy(&mut self, sql: &str, data: &str) -> Result<(), Failure> {
        let mut sink = Box::pin(self.0.copy_in(sql).await?);
        sink.send(Bytes::copy_from_slice(data.as_bytes())).await?;
        sink.as_mut().finish().await?;
        Ok(())
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<String>, Failure> {
        let mut rows = Vec::new();
        for message in self.0.simple_query(sql).await? {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push(line((0..row.len()).map(|column| row.get(column))));
            }
        }
        rows.sort_unstable();
        Ok(rows)
    }
}

/// A session of the embedded API.
pub struct InProcess(
    /// The session.
    pub Client,
);

#[async_trait]
impl Connection for InProcess {
    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        self.0.run(sql).await?;
        Ok(())
    }

    async fn copy(&mut self, sql: &str, data: &str) -> Result<(), Failure> {
        Ok(self.0.copy(sql, data).await?)
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<String>, Failure> {
        let mut rows = Vec::new();
        if let Some(Output::Rows { columns, batches }) = self.0.run(sql).await?.pop() {
            let types = columns.iter().map(|column| column.sql_type).collect::<Vec<_>>();
            for batch in &batches {
                rows.extend(
                    texts(batch, &types, self.0.style())?
                        .iter()
                        .map(|row| line(row.iter().map(Option::as_deref))),
                );
            }
        }
        rows.sort_unstable();
        Ok(rows)
    }
}

fn line<'a>(values: impl Iterator<Item = Option<&'a str>>) -> String {
    values.map(|value| value.unwrap_or("NULL")).collect::<Vec<_>>().join("|")
}

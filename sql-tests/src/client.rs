//! A client of the embedded API that runs SQL text as the simple protocol does.

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use springtide_engine::{Column, Database, Response, Session};
use springtide_types::{Result, SqlError};

/// What one statement answered.
pub enum Output {
    /// Rows, and what they are made of.
    Rows {
        /// Name and type of each column.
        columns: Vec<Column>,
        /// The rows.
        batches: Vec<RecordBatch>,
    },
    /// No rows, but a command tag such as `INSERT 0 3`.
    Complete(String),
    /// There was no statement.
    Empty,
}

/// A session that takes SQL text.
pub struct Client {
    session: Session,
}

impl Client {
    /// A new session on `database`.
    pub fn new(database: &Database) -> Client {
        Client { session: database.session() }
    }

    /// Runs every statement of `sql`. Several statements are one implicit transaction, as the simple protocol
    /// has it.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Output>> {
        let statements = self.session.parse(sql)?;
        if let [statement] = &statements[..] {
            return Ok(vec![self.run_one(statement).await?]);
        }
        self.session.begin_implicit();
        let mut outputs = Vec::with_capacity(statements.len());
        for statement in &statements {
            match self.run_one(statement).await {
                Ok(output) => outputs.push(output),
                Err(error) => {
                    self.session.abort_implicit();
                    return Err(error);
                }
            }
        }
        self.session.end_implicit().await?;
        Ok(outputs)
    }

    /// Runs one statement that returns rows.
    pub async fn query(&mut self, sql: &str) -> Result<(Vec<Column>, Vec<RecordBatch>)> {
        match self.run(sql).await?.pop() {
            Some(Output::Rows { columns, batches }) => Ok((columns, batches)),
            _ => Err(SqlError::internal(format!("no rows came from {sql}"))),
        }
    }

    /// Runs a COPY FROM STDIN with these lines.
    pub async fn copy(&mut self, sql: &str, data: &str) -> Result<()> {
        let statements = self.session.parse(sql)?;
        let [statement] = &statements[..] else {
            return Err(SqlError::internal(format!("no single statement: {sql}")));
        };
        let prepared = self.session.prepare(statement, &[]).await?;
        match self.session.execute(&prepared, Vec::new()).await? {
            Response::CopyIn { .. } => {
                self.session.copy_data(Bytes::copy_from_slice(data.as_bytes())).await?;
                self.session.copy_done().await.map(drop)
            }
            _ => Err(SqlError::internal(format!("no COPY: {sql}"))),
        }
    }

    /// How the session writes moments.
    pub fn style(&self) -> &std::sync::Arc<springtide_datetime::Style> {
        self.session.style()
    }

    /// Whether the session holds nothing that another one would not.
    pub fn is_dispensable(&self) -> bool {
        self.session.is_dispensable()
    }

    async fn run_one(&mut self, statement: &springtide_engine::Statement) -> Result<Output> {
        let prepared = self.session.prepare(statement, &[]).await?;
        match self.session.execute(&prepared, Vec::new()).await? {
            Response::Rows { columns, batches, .. } => match batches.try_collect().await {
                Ok(batches) => Ok(Output::Rows { columns: columns.to_vec(), batches }),
                Err(error) => {
                    // Rows are computed as they are taken, when the session has done its part already.
                    self.session.fail_transaction();
                    Err(error)
                }
            },
            Response::Complete { tag } => Ok(Output::Complete(tag)),
            Response::Empty => Ok(Output::Empty),
            Response::CopyOut { .. } => {
                Err(SqlError::internal("COPY TO STDOUT needs a client that takes its data"))
            }
            Response::CopyIn { .. } => Err(self.session.copy_fail("COPY needs a stream of data")),
        }
    }
}

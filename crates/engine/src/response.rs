use arrow::array::{ArrayRef, RecordBatch, StringArray};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use springtide_types::{Result, SqlType};
use std::sync::Arc;

use crate::copy_format::Format;

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type; the batches hold [`SqlType::arrow`] of it.
    pub sql_type: SqlType,
    /// The column of a table or materialized view that it is, if it is one.
    pub origin: Option<ColumnOrigin>,
}

/// A column of a table as the system catalogue names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnOrigin {
    /// `pg_class.oid`
    pub table: i64,
    /// `pg_attribute.attnum`
    pub number: i16,
}

impl Column {
    /// A column that is computed.
    pub(crate) fn computed(name: impl Into<String>, sql_type: SqlType) -> Column {
        Column { name: name.into(), sql_type, origin: None }
    }
}

/// What a statement answers.
pub enum Response {
    /// Rows, computed as they are taken.
    Rows {
        /// The columns of every batch.
        columns: Arc<[Column]>,
        /// The rows. An error ends the statement with that error.
        batches: BoxStream<'static, Result<RecordBatch>>,
        /// The command tag.
        tag: RowsTag,
    },
    /// No rows, only the command tag, such as `INSERT 0 3`.
    Complete {
        /// The command tag.
        tag: String,
    },
    /// The statement was empty.
    Empty,
    /// The server waits for `COPY` data: see [`Session::copy_data`](crate::Session::copy_data).
    CopyIn {
        /// How many columns each row has.
        columns: usize,
        /// Whether the data is in the binary format.
        binary: bool,
    },
    /// Rows that go out as the data of a `COPY`.
    CopyOut {
        /// The columns of every batch.
        columns: Vec<Column>,
        /// The rows, computed as they are taken.
        batches: BoxStream<'static, Result<RecordBatch>>,
        /// How they are to be written.
        format: Format,
    },
}

/// The command tag of a statement that returns rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsTag {
    /// `SELECT n`, n being the number of rows.
    Select,
    /// This and the number of rows, such as `DELETE 3`.
    Counted(&'static str),
    /// A fixed tag, such as `SHOW`.
    Fixed(&'static str),
}

impl Response {
    pub(crate) fn rows(
        columns: impl Into<Arc<[Column]>>,
        batches: BoxStream<'static, Result<RecordBatch>>,
    ) -> Response {
        Response::Rows { columns: columns.into(), batches, tag: RowsTag::Select }
    }

    /// One text column that is known already.
    pub(crate) fn text(name: &str, tag: &'static str, lines: Vec<String>) -> Response {
        let array: ArrayRef = Arc::new(StringArray::from(lines));
        let batch = RecordBatch::try_from_iter([(name, array)]).expect("one column fits itself");
        Response::Rows {
            columns: [Column::computed(name, SqlType::Text)].into(),
            batches: stream::iter([Ok(batch)]).boxed(),
            tag: RowsTag::Fixed(tag),
        }
    }

    /// The same rows, each batch once something is done after it was computed.
    pub(crate) fn after_each(
        self,
        act: impl Fn() -> BoxFuture<'static, Result<()>> + Send + 'static,
    ) -> Response {
        let after = move |batches: BoxStream<'static, Result<RecordBatch>>| {
            let batches = batches.then(move |batch| {
                let acted = act();
                async move {
                    acted.await?;
                    batch
                }
            });
            batches.boxed()
        };
        match self {
            Response::Rows { columns, batches, tag } => {
                Response::Rows { columns, batches: after(batches), tag }
            }
            Response::CopyOut { columns, batches, format } => {
                Response::CopyOut { columns, batches: after(batches), format }
            }
            other => other,
        }
    }

    pub(crate) fn complete(tag: impl Into<String>) -> Response {
        Response::Complete { tag: tag.into() }
    }
}

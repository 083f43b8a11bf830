use std::collections::HashMap;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use springtide_catalog::Catalog;
use springtide_sql::sqlparser::ast::{Ident, ObjectName, SelectItem};
use springtide_sql::{BoundQuery, Planner, Scan, Time};
use springtide_types::{Result, SqlError, SqlType, ZBatch};

use super::ast;
use super::query::result_columns;
use super::target::Target;
use crate::response::{Column, Response, RowsTag};

/// A bound RETURNING: a query over the rows that a statement wrote.
#[derive(Clone)]
pub(super) struct Returning {
    query: BoundQuery,
}

impl Returning {
    /// `name` and `qualifier` are what the statement calls its table.
    pub(super) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        (name, qualifier): (&ObjectName, &Ident),
        items: &[SelectItem],
        parameters: &[Option<SqlType>],
    ) -> Result<Returning> {
        let mut query = ast::parse_query(&format!("SELECT 1 FROM {name} AS {qualifier}"))?;
        let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
        select.projection = items.to_vec();
        let query = planner.bind(&query, catalog, parameters)?;
        if query.depends_on().len() > 1 || query.scans().iter().any(|scan| scan.time != Time::Present) {
            return Err(SqlError::unsupported("a subquery in RETURNING"));
        }
        Ok(Returning { query })
    }

    pub(super) fn parameters(&self) -> Vec<SqlType> {
        self.query.parameters()
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        result_columns(&self.query)
    }

    /// The answer of a statement that wrote these rows; `tag` comes before their number. Computed at once, so that
    /// an error fails the statement.
    pub(super) async fn respond(
        &self,
        planner: &Planner,
        table: &Target,
        rows: Vec<RecordBatch>,
        tag: &'static str,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let rows = rows.into_iter().map(ZBatch::inserts).collect();
        let contents = HashMap::from([(Scan::present(table.id), rows)]);
        let batches = planner.execute(&self.query, &contents, parameters).await?;
        let batches: Vec<RecordBatch> = batches.try_collect().await?;
        Ok(Response::Rows {
            columns: self.columns().into(),
            batches: stream::iter(batches.into_iter().map(Ok)).boxed(),
            tag: RowsTag::Counted(tag),
        })
    }
}

/// The answer of a statement that wrote rows: what it returns, or else how many they are.
pub(super) async fn answer(
    returning: Option<&Returning>,
    planner: &Planner,
    table: &Target,
    rows: Vec<RecordBatch>,
    tag: &'static str,
    parameters: &[ScalarValue],
) -> Result<Response> {
    match returning {
        Some(returning) => returning.respond(planner, table, rows, tag, parameters).await,
        None => {
            let count = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
            Ok(Response::complete(format!("{tag} {count}")))
        }
    }
}

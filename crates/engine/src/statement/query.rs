use std::collections::HashMap;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::Catalog;
use springtide_catalog::system::relation_oid;
use springtide_sql::sqlparser::ast::Query;
use springtide_sql::{Analysis, BoundQuery, Origin, Planner, Scan, SendableStream};
use springtide_types::{RelationId, Result, SqlType, ZBatch};

use super::point_key::PointKey;
use super::point_read::PointRead;
use crate::response::{Column, ColumnOrigin, Response};
use crate::transaction::Transaction;

/// A bound SELECT, or the SELECT that finds the rows of another statement.
#[derive(Clone)]
pub(crate) struct Select {
    query: BoundQuery,
    point: Option<PointKey>,
    read: Option<PointRead>,
}

impl Select {
    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        query: &Query,
        parameters: &[Option<SqlType>],
    ) -> Result<Select> {
        let bound = planner.bind(query, catalog, parameters)?;
        let point = PointKey::find(query, catalog, &bound.parameters()).filter(|_| !bound.scans_twice());
        let read = point.as_ref().and_then(|key| PointRead::find(&bound, key, result_columns(&bound)));
        Ok(Select { query: bound, point, read })
    }

    /// The read by a key that it is, and nothing else.
    pub(crate) fn point_read(&self) -> Option<&PointRead> {
        self.read.as_ref()
    }

    pub(super) fn bound(&self) -> &BoundQuery {
        &self.query
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.query.parameters()
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        result_columns(&self.query)
    }

    pub(crate) fn scanned(&self) -> &[RelationId] {
        self.query.relations()
    }

    /// The relations that it names, plain views included.
    pub(super) fn depends_on(&self) -> &[RelationId] {
        self.query.depends_on()
    }

    /// Whether the result depends on the session's parameters.
    pub(crate) fn beyond_catalog(&self) -> bool {
        self.query.beyond_catalog()
    }

    /// Whether it may take numbers of sequences.
    pub(crate) fn draws(&self) -> bool {
        self.query.draws()
    }

    /// The columns as a table that keeps the rows would have them.
    pub(crate) fn table_columns(&self) -> Vec<springtide_catalog::Column> {
        self.query.table_columns()
    }

    pub(crate) async fn stream(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<SendableStream> {
        let contents = self.contents(planner, transaction, parameters).await?;
        planner.execute(&self.query, &contents, parameters).await
    }

    /// The plan that answers the query, as text or JSON.
    pub(super) fn explain(&self, planner: &Planner, json: bool) -> Result<String> {
        planner.explain(&self.query, json)
    }

    /// Answers the query, and tells what it took instead.
    pub(super) async fn analyze(&self, planner: &Planner, transaction: &mut Transaction) -> Result<Analysis> {
        let contents = self.contents(planner, transaction, &[]).await?;
        planner.analyze_execution(&self.query, &contents).await
    }

    /// What is scanned.
    async fn contents(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<HashMap<Scan, Vec<ZBatch>>> {
        self.contents_but(planner, transaction, parameters, |_| false).await
    }

    /// What is scanned of relations that are not at hand.
    pub(super) async fn contents_but(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
        is_at_hand: impl Fn(RelationId) -> bool,
    ) -> Result<HashMap<Scan, Vec<ZBatch>>> {
        let moments = planner.moments(&self.query, parameters).await?;
        let mut contents = HashMap::new();
        for scan in self.query.scans().iter().filter(|scan| !is_at_hand(scan.relation)) {
            let point = self.point.as_ref().filter(|point| point.relation == scan.relation);
            let point = point.filter(|_| transaction.sees_present(*scan));
            let rows = match point {
                Some(point) => point.rows(transaction, parameters).await?,
                None => transaction.scan(*scan, &moments).await?,
            };
            contents.insert(*scan, rows);
        }
        Ok(contents)
    }

    pub(crate) async fn collect(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        self.stream(planner, transaction, parameters).await?.try_collect().await
    }

    pub(crate) async fn respond(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let batches = self.stream(planner, transaction, parameters).await?;
        Ok(Response::rows(self.columns(), batches))
    }
}

/// The columns of a query as its client sees them.
pub(super) fn result_columns(query: &BoundQuery) -> Vec<Column> {
    let origin = |(relation, position): Origin| ColumnOrigin {
        table: relation_oid(relation),
        // No table has more columns than PostgreSQL's may have.
        number: position as i16 + 1,
    };
    let columns = query.columns().into_iter().zip(query.origins());
    let column = |(column, from): (springtide_catalog::Column, &Option<Origin>)| Column {
        name: column.name,
        sql_type: column.sql_type,
        origin: from.map(origin),
    };
    columns.map(column).collect()
}

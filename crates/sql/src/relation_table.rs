use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraint, Constraints, Result, internal_datafusion_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{DefaultTableSource, source_as_provider};
use datafusion::logical_expr::{Expr, TableScan, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;
use springtide_catalog::Relation;
use springtide_types::{SqlError, SqlState, SqlType};

use crate::scan::{Scan, Time};

/// A stored relation as DataFusion sees it: bound by its columns alone, run over a snapshot.
#[derive(Debug)]
pub(crate) struct RelationTable {
    pub relation: Arc<Relation>,
    time: Time,
    schema: SchemaRef,
    constraints: Constraints,
    /// One vector of batches per partition; `None` until the query runs.
    snapshot: Option<Vec<Vec<RecordBatch>>>,
}

impl RelationTable {
    /// The relation at a time, without contents.
    pub(crate) fn new(relation: Arc<Relation>, time: Time) -> RelationTable {
        let key = relation.primary_key().filter(|_| time.is_moment());
        let key = key.map(|key| Constraint::PrimaryKey(key.to_vec()));
        let constraints = Constraints::new_unverified(key.into_iter().collect());
        RelationTable { schema: schema(&relation, time), relation, time, constraints, snapshot: None }
    }

    /// What it reads.
    pub(crate) fn scan(&self) -> Scan {
        Scan { relation: self.relation.id, time: self.time }
    }

    /// The relation with these contents.
    pub(crate) fn with_snapshot(&self, partitions: Vec<Vec<RecordBatch>>) -> RelationTable {
        RelationTable {
            relation: self.relation.clone(),
            time: self.time,
            schema: self.schema.clone(),
            constraints: self.constraints.clone(),
            snapshot: Some(partitions),
        }
    }

    /// As a plan refers to it.
    pub(crate) fn into_source(self) -> Arc<dyn TableSource> {
        Arc::new(DefaultTableSource::new(Arc::new(self)))
    }
}

/// The columns of a relation at a time.
pub(crate) fn schema(relation: &Relation, time: Time) -> SchemaRef {
    let schema = relation.schema();
    let added = match time {
        Time::Present | Time::At(_) => return schema,
        Time::Changes { .. } => [("_epoch", SqlType::Timestamptz), ("_weight", SqlType::Int8)],
        Time::Versions { .. } => [("valid_from", SqlType::Timestamptz), ("valid_to", SqlType::Timestamptz)],
    };
    let added = added.map(|(name, sql_type)| Arc::new(Field::new(name, sql_type.arrow(), false)));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain(added).collect::<Vec<_>>()))
}

/// Fails with `42701` if a column of the relation has the name of one about the time.
pub(crate) fn check_names(relation: &Relation, time: Time) -> springtide_types::Result<()> {
    let schema = schema(relation, time);
    let (own, added) = schema.fields().split_at(relation.columns.len());
    match added.iter().find(|added| own.iter().any(|own| own.name() == added.name())) {
        Some(twice) => {
            let message = format!("column name \"{}\" specified more than once", twice.name());
            let hint = "The relation has a column of this name itself: read a materialized view that calls it otherwise.";
            Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message).with_hint(hint))
        }
        None => Ok(()),
    }
}

/// The relation that a scan reads, and what of it.
pub(crate) fn scanned(scan: &TableScan) -> Option<(Arc<Relation>, Scan)> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn std::any::Any = provider.as_ref();
    provider.downcast_ref::<RelationTable>().map(|table| (table.relation.clone(), table.scan()))
}

#[async_trait]
impl TableProvider for RelationTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| {
            internal_datafusion_err!("no snapshot of relation {} was given", self.relation.name)
        })?;
        Ok(MemorySourceConfig::try_new_exec(snapshot, self.schema.clone(), projection.cloned())?)
    }
}

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraint, Constraints, Result, internal_datafusion_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{DefaultTableSource, source_as_provider};
use datafusion::logical_expr::{Expr, TableScan, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;
use springtide_catalog::Relation;

/// A stored relation as DataFusion sees it: bound by its columns alone, run over a snapshot.
#[derive(Debug)]
pub(crate) struct RelationTable {
    pub relation: Arc<Relation>,
    schema: SchemaRef,
    constraints: Constraints,
    /// One vector of batches per partition; `None` until the query runs.
    snapshot: Option<Vec<Vec<RecordBatch>>>,
}

impl RelationTable {
    /// The relation, without contents.
    pub(crate) fn new(relation: Arc<Relation>) -> RelationTable {
        let key = relation.primary_key().map(|key| Constraint::PrimaryKey(key.to_vec()));
        let constraints = Constraints::new_unverified(key.into_iter().collect());
        RelationTable { schema: relation.schema(), relation, constraints, snapshot: None }
    }

    /// The relation with these contents.
    pub(crate) fn with_snapshot(&self, partitions: Vec<Vec<RecordBatch>>) -> RelationTable {
        RelationTable {
            relation: self.relation.clone(),
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

/// The relation that a scan reads.
pub(crate) fn scanned(scan: &TableScan) -> Option<Arc<Relation>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn std::any::Any = provider.as_ref();
    provider.downcast_ref::<RelationTable>().map(|table| table.relation.clone())
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

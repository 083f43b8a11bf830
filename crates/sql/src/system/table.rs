use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, TableReference};
use datafusion::datasource::DefaultTableSource;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;
use springtide_catalog::system::{Facts, SystemRelation, system_relation};

/// A system relation at one moment.
#[derive(Debug)]
struct SystemTable {
    relation: &'static SystemRelation,
    facts: Facts,
    schema: SchemaRef,
}

/// The system relation of this name, if there is one, and whether its rows follow from the catalog alone. Fails with `42501`
/// if the session may not read it.
pub(crate) fn source(
    name: &TableReference,
    facts: impl FnOnce() -> Facts,
) -> springtide_types::Result<Option<(Arc<dyn TableSource>, bool)>> {
    let Some(relation) = system_relation(name.schema(), name.table()) else { return Ok(None) };
    let facts = facts();
    relation.check_readable(&facts)?;
    let table = SystemTable { relation, facts, schema: relation.arrow_schema() };
    Ok(Some((Arc::new(DefaultTableSource::new(Arc::new(table))), relation.is_of_catalog())))
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = vec![vec![self.relation.rows(&self.facts)]];
        Ok(MemorySourceConfig::try_new_exec(&rows, self.schema.clone(), projection.cloned())?)
    }
}

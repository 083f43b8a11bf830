//! Reads of rows by their key, and of nothing else, straight from the index: what `SELECT a, b FROM t WHERE key = $1` does once it is
//! prepared. All that plans, transactions and expressions would do for it costs more than the read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use springtide_sql::BoundQuery;
use springtide_types::{RelationId, Result};

use super::point_key::PointKey;
use crate::reads::ReadPoint;
use crate::response::Column;

/// A query that returns columns of the row that has a key.
#[derive(Clone)]
pub(crate) struct PointRead {
    key: PointKey,
    /// Positions in the relation of the columns that are returned.
    positions: Vec<usize>,
    columns: Arc<[Column]>,
    schema: SchemaRef,
}

impl PointRead {
    /// What a query with this key reads, if it does nothing else.
    pub(super) fn find(query: &BoundQuery, key: &PointKey, columns: Vec<Column>) -> Option<PointRead> {
        let is_bare = key.is_whole_condition && !query.beyond_catalog() && !query.draws();
        let positions = query.plain_columns().filter(|_| is_bare)?;
        Some(PointRead {
            key: key.clone(),
            positions,
            columns: columns.into(),
            schema: query.schema().clone(),
        })
    }

    /// The columns of the result.
    pub(crate) fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// The rows of the relation at a read point; `None` if they are not there yet, or not to be found by an index.
    pub(crate) fn rows(&self, point: &ReadPoint, parameters: &[ScalarValue]) -> Result<Option<RecordBatch>> {
        let Some(contents) = point.objects.contents.get(&self.key.relation) else { return Ok(None) };
        if contents.frontier() <= point.epoch {
            return Ok(None);
        }
        contents.check(point.epoch)?;
        let keys = self.key.values(parameters)?;
        if keys.iter().any(|key| key.is_null(0)) {
            return Ok(Some(RecordBatch::new_empty(self.schema.clone())));
        }
        let Some(found) = self.lookup(point, self.key.relation, &keys) else { return Ok(None) };
        let columns = self.positions.iter().map(|position| found.column(*position).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(found.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        rows.map(Some).map_err(super::internal)
    }

    fn lookup(&self, point: &ReadPoint, relation: RelationId, keys: &[ArrayRef]) -> Option<RecordBatch> {
        let relation = point.objects.catalog.by_id(relation)?;
        point.objects.lookup(relation, &self.key.columns, keys, Some(point.epoch))
    }
}

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::logical_expr::TableScan;
use springtide_catalog::RelationKind;
use springtide_plan::{Filter, Node, Source};
use springtide_types::{Result, SqlError};

use super::{Lowering, expr, refuse};
use crate::relation_table::scanned;

impl Lowering<'_> {
    pub(super) fn source(&self, scan: &TableScan) -> Result<Node> {
        let Some((relation, _)) = scanned(scan) else {
            return Err(refuse::in_view(format!("\"{}\"", scan.table_name)));
        };
        let relation = self.catalog.by_id(relation.id).unwrap_or(&relation);
        if matches!(relation.kind, RelationKind::Sequence { .. }) {
            return Err(refuse::in_view(format!("the sequence \"{}\"", relation.name)));
        }
        let columns = match &scan.projection {
            // Rows that are only counted still need something to be counted by.
            Some(columns) if columns.is_empty() => vec![0],
            Some(columns) => columns.clone(),
            None => (0..relation.columns.len()).collect(),
        };
        let all = relation.schema();
        let fields = columns.iter().map(|column| all.field(*column).clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let position = |column: &usize| columns.iter().position(|taken| taken == column);
        let unique_keys = relation.unique_keys();
        let unique_keys = unique_keys.iter().filter_map(|key| key.iter().map(position).collect());
        let mut node = Node::Source(Source {
            relation: relation.id,
            name: relation.name.clone(),
            unique_keys: unique_keys.collect(),
            append_only: relation.is_append_only(),
            schema: schema.clone(),
            columns,
        });
        if scan.fetch.is_some() {
            return Err(refuse::in_view("LIMIT"));
        }
        let qualified = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &schema)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        for filter in &scan.filters {
            let predicate = expr::physical(filter, &qualified)?;
            node = Node::Filter(Box::new(Filter { input: node, predicate }));
        }
        Ok(node)
    }
}

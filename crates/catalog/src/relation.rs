use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use springtide_plan::ViewPlan;
use springtide_types::{RelationId, SqlType};

use crate::{FunctionId, Retention};

/// A column of a table or view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, folded to lower case unless it was quoted.
    pub name: String,
    /// Its declared or derived type.
    pub sql_type: SqlType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Its DEFAULT.
    pub default: Option<Default>,
}

/// The DEFAULT of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Default {
    /// The SQL text of the expression.
    pub expr: String,
    /// The functions that it called when it was declared, directly or through others.
    pub functions: Vec<FunctionId>,
}

impl Column {
    /// Whether its DEFAULT calls one of these functions.
    pub(crate) fn default_calls(&self, functions: &[FunctionId]) -> bool {
        let called = self.default.iter().flat_map(|default| &default.functions);
        called.into_iter().any(|id| functions.contains(id))
    }
}

/// The Arrow schema of rows of these columns.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let fields =
        columns.iter().map(|column| Field::new(&column.name, column.sql_type.arrow(), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// What kind of relation it is, with what only that kind has.
#[derive(Clone, Debug)]
pub enum RelationKind {
    /// Rows that clients write.
    Table {
        /// Positions of the PRIMARY KEY columns.
        primary_key: Option<Vec<usize>>,
        /// Declared `WITH (append_only)`: UPDATE and DELETE are refused.
        append_only: bool,
    },
    /// A query by name, unfolded where it is used.
    View {
        /// The text of the query.
        query: String,
    },
    /// A query whose result is maintained.
    MaterializedView {
        /// The text of the query.
        query: String,
        /// The plan that maintains it.
        plan: Arc<ViewPlan>,
    },
}

/// A table, view or materialized view.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its identity.
    pub id: RelationId,
    /// Its name, unique in the catalog.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// What it is.
    pub kind: RelationKind,
    /// The relations that its query names, itself or in a function, views included.
    pub depends_on: Vec<RelationId>,
    /// The functions that its query calls, directly or through others.
    pub functions: Vec<FunctionId>,
    /// How long its past is kept.
    pub history: Retention,
}

impl Relation {
    /// The Arrow schema of its rows.
    pub fn schema(&self) -> SchemaRef {
        schema(&self.columns)
    }

    /// Positions of the PRIMARY KEY columns of a table that has one.
    pub fn primary_key(&self) -> Option<&[usize]> {
        match &self.kind {
            RelationKind::Table { primary_key, .. } => primary_key.as_deref(),
            _ => None,
        }
    }

    /// Whether no row of it is ever retracted.
    pub fn is_append_only(&self) -> bool {
        match &self.kind {
            RelationKind::Table { append_only, .. } => *append_only,
            RelationKind::View { .. } => false,
            RelationKind::MaterializedView { plan, .. } => plan.root.properties().append_only,
        }
    }

    /// Sets of columns whose values are unique among its rows.
    pub fn unique_keys(&self) -> Vec<Vec<usize>> {
        match &self.kind {
            RelationKind::Table { primary_key, .. } => primary_key.iter().cloned().collect(),
            RelationKind::View { .. } => Vec::new(),
            RelationKind::MaterializedView { plan, .. } => plan.root.properties().unique_keys,
        }
    }

    /// Whether its rows are stored, so that a snapshot of it can be read.
    pub fn is_stored(&self) -> bool {
        !matches!(self.kind, RelationKind::View { .. })
    }

    /// What messages call it: `table`, `view` or `materialized view`.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            RelationKind::Table { .. } => "table",
            RelationKind::View { .. } => "view",
            RelationKind::MaterializedView { .. } => "materialized view",
        }
    }

    /// What messages call it, with its name: `view v`.
    pub fn description(&self) -> String {
        format!("{} {}", self.kind_name(), self.name)
    }
}

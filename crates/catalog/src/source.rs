//! Sources: what fills tables by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use springtide_types::{RelationId, SqlType};

use crate::{Catalog, Column, Relation, RelationKind};

/// What a source was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDefinition {
    /// The kind of source, such as `nexmark`.
    pub connector: String,
    /// Its options, as they were given.
    pub options: BTreeMap<String, String>,
}

/// The columns that a source has as a relation of one row: how many events it has brought, and where it goes on.
pub fn source_columns() -> Vec<Column> {
    let column = |name: &str, sql_type| Column {
        name: name.to_owned(),
        sql_type,
        nullable: false,
        default: None,
        domain: None,
    };
    vec![column("events", SqlType::Int8), column("position", SqlType::Text)]
}

impl Relation {
    /// What a source was made of, if it is one.
    pub fn source_definition(&self) -> Option<&SourceDefinition> {
        match &self.kind {
            RelationKind::Source(definition) => Some(definition),
            _ => None,
        }
    }

    /// The source that fills it, if it is a table that one fills: nobody else writes to it.
    pub fn filled_by(&self) -> Option<RelationId> {
        match self.kind {
            // No other table depends on anything.
            RelationKind::Table { .. } => self.depends_on.first().copied(),
            _ => None,
        }
    }
}

impl Catalog {
    /// All sources.
    pub fn sources(&self) -> impl Iterator<Item = (&Relation, &SourceDefinition)> {
        self.relations().filter_map(|relation| Some((relation.as_ref(), relation.source_definition()?)))
    }

    /// The tables that a source fills, in the order in which its connector names them.
    pub fn filled_from(&self, source: RelationId) -> impl Iterator<Item = &Relation> {
        let tables = self.by_id.values().map(AsRef::as_ref);
        tables.filter(move |relation: &&Relation| relation.filled_by() == Some(source))
    }
}

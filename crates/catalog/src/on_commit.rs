//! Temporary objects: what becomes of them at the end of a transaction, and of the session.

use std::sync::Arc;

use springtide_types::RelationId;

use crate::{Catalog, SchemaId};

/// What becomes of a temporary table at the end of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCommit {
    /// Nothing.
    #[default]
    PreserveRows,
    /// Its rows go.
    DeleteRows,
    /// It goes.
    Drop,
}

impl Catalog {
    /// What becomes of a table at the end of a transaction.
    pub fn on_commit_of(&self, table: RelationId) -> OnCommit {
        self.on_commit.get(&table).copied().unwrap_or_default()
    }

    /// Says what becomes of a table at the end of a transaction.
    pub fn set_on_commit(&mut self, table: RelationId, what: OnCommit) {
        if what != self.on_commit_of(table) {
            Arc::make_mut(&mut self.on_commit).insert(table, what);
        }
    }

    /// The tables in a schema of which this becomes.
    pub fn on_commit(&self, schema: SchemaId, what: OnCommit) -> impl Iterator<Item = RelationId> {
        let said = self.on_commit.iter().filter(move |(_, said)| **said == what).map(|(id, _)| *id);
        said.filter(move |id| self.by_id(*id).is_some_and(|table| table.in_schema == schema))
    }

    /// Removes relations with all that depends on them and belongs to them.
    pub fn drop_with_dependents(&mut self, ids: &[RelationId]) {
        // Nothing else stands in the way of what goes with a session.
        let _ = self.drop(ids, true);
    }

    /// Removes the temporary objects of a session.
    pub fn drop_temporary(&mut self, schema: SchemaId) {
        let ids = self.relations_in(schema).map(|relation| relation.id).collect::<Vec<_>>();
        self.take_out(&ids);
        Arc::make_mut(&mut self.on_commit).retain(|id, _| !ids.contains(id));
        self.remove_schemas(&[schema]);
    }
}

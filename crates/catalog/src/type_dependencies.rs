//! What can't be there without a type.

use std::sync::Arc;

use springtide_types::{RelationId, SqlType};

use crate::{Catalog, Function, Relation, RelationKind, UserType};

impl Catalog {
    /// The views whose columns are of a type, or whose queries name it, the oldest first; not those on them.
    pub fn views_of_type(&self, user_type: &UserType) -> Vec<Arc<Relation>> {
        let is_view = |relation: &&Arc<Relation>| {
            matches!(relation.kind, RelationKind::View { .. } | RelationKind::MaterializedView { .. })
        };
        let uses = |relation: &&Arc<Relation>| {
            relation.types.contains(&user_type.id)
                || relation.columns.iter().any(|column| is_of(column.sql_type, user_type))
        };
        self.by_id.values().filter(is_view).filter(uses).cloned().collect()
    }

    /// The columns of tables that are of a type: the table, and the position in it.
    pub fn columns_of_type(&self, user_type: &UserType) -> Vec<(RelationId, usize)> {
        let tables = self.by_id.values().filter(|it| matches!(it.kind, RelationKind::Table { .. }));
        let columns = tables.flat_map(|table| {
            let columns = table.columns.iter().enumerate();
            let of_type = columns.filter(|(_, column)| is_of(column.sql_type, user_type));
            of_type.map(|(position, _)| (table.id, position))
        });
        columns.collect()
    }

    /// The functions with parameters or results of a type.
    pub fn functions_of_type(&self, user_type: &UserType) -> Vec<Arc<Function>> {
        let uses =
            |function: &Function| function.types().chain([function.returns]).any(|it| is_of(it, user_type));
        self.functions.values().flatten().filter(|function| uses(function)).cloned().collect()
    }

    /// Removes a type. Whoever calls this has seen to what depends on it.
    pub fn remove_type(&mut self, user_type: &UserType) {
        Arc::make_mut(&mut self.types).by_name.remove(&user_type.name);
        self.forget_comments();
        self.forget_accesses();
    }
}

/// Whether a type is a user's, or that of its arrays.
fn is_of(sql_type: SqlType, user_type: &UserType) -> bool {
    sql_type.element().unwrap_or(sql_type) == user_type.sql_type()
}

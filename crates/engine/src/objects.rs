use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_state as state;
use springtide_types::RelationId;

/// Everything that exists at one moment: the catalog, and the contents of each stored relation. DDL makes
/// a new one; a transaction keeps the one that it began with.
#[derive(Clone, Default)]
pub(crate) struct Objects {
    pub(crate) catalog: Arc<Catalog>,
    /// Counts the catalogs, so that a plan bound under another one is noticed.
    pub(crate) version: u64,
    pub(crate) contents: HashMap<RelationId, Arc<state::Relation>>,
}

/// The base tables whose rows decide those of `relation`: itself, if it is a table.
pub(crate) fn base_tables(catalog: &Catalog, relation: RelationId) -> BTreeSet<RelationId> {
    let mut tables = BTreeSet::new();
    let mut pending = vec![relation];
    while let Some(id) = pending.pop() {
        let Some(relation) = catalog.by_id(id) else { continue };
        match relation.kind {
            RelationKind::Table { .. } => {
                tables.insert(id);
            }
            _ => pending.extend(&relation.depends_on),
        }
    }
    tables
}

/// The catalog with the materialized views for which `is_stale` holds turned into plain views, so that
/// they are read as their queries.
pub(crate) fn with_views_unfolded(catalog: &Catalog, is_stale: impl Fn(&Relation) -> bool) -> Catalog {
    let mut unfolded = catalog.clone();
    for relation in catalog.relations() {
        if let RelationKind::MaterializedView { query, .. } = &relation.kind {
            if is_stale(relation) {
                let kind = RelationKind::View { query: query.clone() };
                unfolded.replace(Relation { kind, ..relation.as_ref().clone() });
            }
        }
    }
    unfolded
}

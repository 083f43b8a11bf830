use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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

impl Objects {
    /// Gives the stored relations that have none yet their contents. Returns those relations, in the order of
    /// their creation. All tables share `table_frontier`; a view has a frontier for each worker.
    pub(crate) fn create_contents(
        &mut self,
        table_frontier: &Arc<AtomicU64>,
        workers: usize,
    ) -> Vec<Arc<Relation>> {
        let catalog = self.catalog.clone();
        let missing =
            |relation: &&Arc<Relation>| relation.is_stored() && !self.contents.contains_key(&relation.id);
        let mut created = catalog.relations().filter(missing).cloned().collect::<Vec<_>>();
        created.sort_by_key(|relation| relation.id);
        for relation in &created {
            let frontiers = match relation.kind {
                RelationKind::Table { .. } => vec![table_frontier.clone()],
                _ => (0..workers).map(|_| Arc::default()).collect(),
            };
            self.contents.insert(relation.id, new_contents(relation, frontiers));
        }
        created
    }
}

/// Empty contents for a relation, of one shard per frontier.
pub(crate) fn new_contents(relation: &Relation, frontiers: Vec<Arc<AtomicU64>>) -> Arc<state::Relation> {
    let key = relation.unique_keys().into_iter().find(|key| !key.is_empty());
    Arc::new(state::Relation::new(relation.schema(), key, relation.is_append_only(), frontiers))
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
        if let RelationKind::MaterializedView { query, .. } = &relation.kind
            && is_stale(relation)
        {
            let kind = RelationKind::View { query: query.clone() };
            unfolded.replace(Relation { kind, ..relation.as_ref().clone() });
        }
    }
    unfolded
}

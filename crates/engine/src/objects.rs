use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_state as state;
use springtide_types::{Epoch, RelationId, Result};

use crate::constraints;
use crate::key_index::{self, KeyIndex};

/// Everything that exists at one moment: the catalog, and the contents of each stored relation. DDL makes
/// a new one; a transaction keeps the one that it began with.
#[derive(Clone, Default)]
pub(crate) struct Objects {
    pub(crate) catalog: Arc<Catalog>,
    /// Counts the catalogs, so that a plan bound under another one is noticed.
    pub(crate) version: u64,
    pub(crate) contents: HashMap<RelationId, Arc<state::Relation>>,
    /// The keys by which the contents find rows: those that relations had when the contents were made.
    pub(crate) primary: HashMap<RelationId, Vec<usize>>,
    /// The rows of tables by other keys.
    pub(crate) indexes: HashMap<RelationId, Vec<Arc<KeyIndex>>>,
    /// The sequences, whose counters the sequencer looks after.
    pub(crate) sequences: Vec<Arc<Relation>>,
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
            match relation.kind {
                RelationKind::Table { .. } | RelationKind::Sequence { .. } | RelationKind::Source(_) => {
                    self.put_contents(relation, vec![table_frontier.clone()])
                }
                _ => self.create_view_contents(relation, workers),
            };
        }
        let is_sequence = |relation: &&Arc<Relation>| matches!(relation.kind, RelationKind::Sequence { .. });
        self.sequences = catalog.relations().filter(is_sequence).cloned().collect();
        created
    }

    /// Gives a view its contents, of a shard for each worker.
    pub(crate) fn create_view_contents(&mut self, view: &Relation, workers: usize) -> Arc<state::Relation> {
        self.put_contents(view, (0..workers).map(|_| Arc::default()).collect())
    }

    fn put_contents(&mut self, relation: &Relation, frontiers: Vec<Arc<AtomicU64>>) -> Arc<state::Relation> {
        let contents = new_contents(relation, frontiers);
        self.contents.insert(relation.id, contents.clone());
        if let Some(key) = relation.lookup_key() {
            self.primary.insert(relation.id, key);
        }
        contents
    }

    /// Gives the tables the indexes that they need and have not, filled with what they hold at an epoch, and takes away
    /// those that they don't need any more.
    pub(crate) fn create_indexes(&mut self, table_frontier: &Arc<AtomicU64>, epoch: Epoch) -> Result<()> {
        let catalog = self.catalog.clone();
        let mut indexes = HashMap::new();
        for table in catalog.relations() {
            let needed = key_index::needed(table, self.primary.get(&table.id));
            let Some(contents) = self.contents.get(&table.id).filter(|_| !needed.is_empty()) else {
                continue;
            };
            let mut of_table = Vec::new();
            for key in needed {
                let known = self.indexes.get(&table.id).into_iter().flatten();
                if let Some(known) = known.clone().find(|index| index.key == key) {
                    of_table.push(known.clone());
                    continue;
                }
                let index = KeyIndex::new(table, key, table_frontier.clone());
                index.fill(epoch, &contents.snapshot(epoch)?);
                of_table.push(Arc::new(index));
            }
            indexes.insert(table.id, of_table);
        }
        self.indexes = indexes;
        Ok(())
    }

    /// The rows of a relation that have one of these keys, as of an epoch or now. `None` unless the columns are its primary
    /// key or unique.
    pub(crate) fn lookup(
        &self,
        table: &Relation,
        columns: &[usize],
        keys: &[ArrayRef],
        epoch: Option<Epoch>,
    ) -> Option<RecordBatch> {
        if self.primary.get(&table.id).is_some_and(|key| key == columns) {
            return self.contents.get(&table.id).map(|contents| contents.lookup(keys, epoch).rows);
        }
        self.index(table, columns).filter(|index| index.key.whole).map(|index| index.lookup(keys, epoch))
    }

    /// These of the keys that rows of a table have, once for each row. `None` unless the columns are a key or foreign key
    /// of it.
    pub(crate) fn lookup_keys(
        &self,
        table: &Relation,
        columns: &[usize],
        keys: &[ArrayRef],
        epoch: Option<Epoch>,
    ) -> Option<Vec<ArrayRef>> {
        if let Some(rows) = self.lookup(table, columns, keys, epoch) {
            return Some(constraints::columns(&rows, columns));
        }
        self.index(table, columns).map(|index| index.lookup(keys, epoch).columns().to_vec())
    }

    fn index(&self, table: &Relation, columns: &[usize]) -> Option<&Arc<KeyIndex>> {
        self.indexes.get(&table.id)?.iter().find(|index| index.key.columns == columns)
    }
}

/// Empty contents for a relation, of one shard per frontier.
pub(crate) fn new_contents(relation: &Relation, frontiers: Vec<Arc<AtomicU64>>) -> Arc<state::Relation> {
    let key = relation.lookup_key();
    // A table may lose its NOT NULL.
    let declared = relation.schema();
    let fields = declared.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = match relation.kind {
        RelationKind::Table { .. } => Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        _ => relation.schema(),
    };
    Arc::new(state::Relation::new(schema, key, relation.is_append_only(), frontiers))
}

/// The base tables whose rows decide those of `relation`: itself, if it is a table.
pub(crate) fn base_tables(catalog: &Catalog, relation: RelationId) -> BTreeSet<RelationId> {
    let mut tables = BTreeSet::new();
    let mut pending = vec![relation];
    while let Some(id) = pending.pop() {
        let Some(relation) = catalog.by_id(id) else { continue };
        match relation.kind {
            RelationKind::Table { .. } | RelationKind::Source(_) => {
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

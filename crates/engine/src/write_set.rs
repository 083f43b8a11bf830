use std::collections::{BTreeMap, BTreeSet};

use arrow::array::ArrayRef;
use springtide_types::{RelationId, ZBatch};

use crate::row_index::RowIndex;

/// The uncommitted changes of a transaction, by table.
#[derive(Default)]
pub(crate) struct WriteSet {
    tables: BTreeMap<RelationId, TableWrites>,
}

/// How many changes there are to each table.
pub(crate) struct WriteMark(BTreeMap<RelationId, usize>);

struct TableWrites {
    deltas: Vec<ZBatch>,
    /// By key, so that a statement finds the rows that earlier ones wrote. Kept up only as far as somebody has
    /// looked: most transactions never do.
    by_key: BTreeMap<Vec<usize>, Indexed>,
}

struct Indexed {
    rows: RowIndex,
    /// How many of the deltas it holds.
    deltas: usize,
}

impl WriteSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(crate) fn tables(&self) -> BTreeSet<RelationId> {
        self.tables.keys().copied().collect()
    }

    /// Adds a change to a table.
    pub(crate) fn push(&mut self, table: RelationId, delta: ZBatch) {
        if delta.is_empty() {
            return;
        }
        let none = || TableWrites { deltas: Vec::new(), by_key: BTreeMap::new() };
        self.tables.entry(table).or_insert_with(none).deltas.push(delta);
    }

    /// How much has been written by now.
    pub(crate) fn mark(&self) -> WriteMark {
        WriteMark(self.tables.iter().map(|(table, writes)| (*table, writes.deltas.len())).collect())
    }

    /// Forgets what has been written since.
    pub(crate) fn return_to(&mut self, mark: &WriteMark) {
        self.tables.retain(|table, writes| {
            let kept = mark.0.get(table).copied().unwrap_or(0);
            writes.truncate(kept);
            kept > 0
        });
    }

    /// All changes to a table.
    pub(crate) fn deltas(&self, table: RelationId) -> &[ZBatch] {
        self.tables.get(&table).map_or(&[], |writes| writes.deltas.as_slice())
    }

    /// The changes to the rows of a table that have one of these keys in the columns `key`; `None` if there are none.
    pub(crate) fn deltas_by_key(
        &mut self,
        table: RelationId,
        key: &[usize],
        keys: &[ArrayRef],
    ) -> Option<ZBatch> {
        let writes = self.tables.get_mut(&table)?;
        if !writes.by_key.contains_key(key) {
            let indexed = Indexed { rows: RowIndex::new(key.to_vec()), deltas: 0 };
            writes.by_key.insert(key.to_vec(), indexed);
        }
        let index = writes.by_key.get_mut(key)?;
        writes.deltas[index.deltas..].iter().for_each(|delta| index.rows.push(delta.clone()));
        index.deltas = writes.deltas.len();
        index.rows.find(keys)
    }

    /// One consolidated delta per table, in order of identity.
    pub(crate) fn into_deltas(self) -> Vec<(RelationId, ZBatch)> {
        self.tables
            .into_iter()
            .map(|(table, writes)| {
                let schema = writes.deltas[0].schema();
                let delta = ZBatch::concat(schema, &writes.deltas);
                let delta =
                    if delta.is_insert_only() { delta } else { springtide_state::consolidate(&delta) };
                (table, delta)
            })
            .filter(|(_, delta)| !delta.is_empty())
            .collect()
    }
}

impl TableWrites {
    fn truncate(&mut self, kept: usize) {
        self.deltas.truncate(kept);
        self.by_key.retain(|_, index| index.deltas <= kept);
    }
}

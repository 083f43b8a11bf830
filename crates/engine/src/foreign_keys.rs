//! FOREIGN KEY: which rows reference which, and what is missing after a change.
//!
//! A statement sees to its foreign keys as of the epoch that its transaction reads at ([`Transaction`]), the sequencer
//! once more as of the commit. So nothing that was read for them need be remembered: a row that is referenced may
//! change in other columns, and others may reference it, without any conflict.
//!
//! [`Transaction`]: crate::transaction::Transaction

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::compute::{cast, take};
use arrow::row::OwnedRow;
use springtide_catalog::{ForeignKey, Relation};
use springtide_types::{RelationId, ZBatch};

use crate::constraints::{columns, row_keys};
use crate::key_index::without_null_keys;
use crate::objects::Objects;

/// Keys, one row each, and the rows in a form that compares by value.
pub(crate) struct Keys {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: Vec<OwnedRow>,
}

impl Keys {
    pub(crate) fn new(columns: Vec<ArrayRef>) -> Keys {
        Keys { rows: row_keys(&columns), columns }
    }

    /// Those of some rows in these columns, each once, without NULLs.
    pub(crate) fn of(rows: &ZBatch, key: &[usize]) -> Keys {
        let rows = without_null_keys(rows, key);
        Keys::new(columns(rows.rows(), key)).distinct()
    }

    /// The keys as values of the types of other columns; those that these can't have go.
    pub(crate) fn with_types_of(self, table: &Relation, key: &[usize]) -> Keys {
        let types = key.iter().map(|column| table.columns[*column].sql_type.arrow());
        let types = types.collect::<Vec<_>>();
        if self.columns.iter().zip(&types).all(|(column, data_type)| column.data_type() == data_type) {
            return self;
        }
        let columns = self.columns.iter().zip(&types).map(|(column, data_type)| {
            cast(column, data_type).expect("the types of a foreign key were checked when it was made")
        });
        Keys::new(columns.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each key once.
    fn distinct(self) -> Keys {
        let mut seen = HashSet::new();
        let first = self.rows.iter().enumerate().filter(|(_, row)| seen.insert((*row).clone()));
        let first = first.map(|(position, _)| position).collect::<Vec<_>>();
        self.take(&first)
    }

    /// Those that are not among others.
    pub(crate) fn without(self, others: &Keys) -> Keys {
        let others = others.rows.iter().collect::<HashSet<_>>();
        let kept = (0..self.rows.len()).filter(|row| !others.contains(&self.rows[*row])).collect::<Vec<_>>();
        self.take(&kept)
    }

    /// The first of which there are no rows.
    pub(crate) fn first_missing(&self, counts: &HashMap<OwnedRow, i64>) -> Option<usize> {
        (0..self.rows.len()).find(|row| counts.get(&self.rows[*row]).is_none_or(|count| *count <= 0))
    }

    /// Those of which there are rows.
    pub(crate) fn present(self, counts: &HashMap<OwnedRow, i64>) -> Keys {
        let is_there = |row: &usize| counts.get(&self.rows[*row]).is_some_and(|count| *count > 0);
        let kept = (0..self.rows.len()).filter(is_there).collect::<Vec<_>>();
        self.take(&kept)
    }

    fn take(self, kept: &[usize]) -> Keys {
        if kept.len() == self.rows.len() {
            return self;
        }
        let positions = UInt32Array::from_iter_values(kept.iter().map(|row| *row as u32));
        let columns = self
            .columns
            .iter()
            .map(|column| take(column, &positions, None).expect("the positions are those of rows"));
        let rows = kept.iter().map(|row| self.rows[*row].clone()).collect();
        Keys { columns: columns.collect(), rows }
    }
}

/// Adds up how many rows there are of each key.
pub(crate) fn count(counts: &mut HashMap<OwnedRow, i64>, keys: &[ArrayRef], weights: impl Fn(usize) -> i64) {
    for (position, row) in row_keys(keys).into_iter().enumerate() {
        *counts.entry(row).or_default() += weights(position);
    }
}

/// The rows that a change brings and those that it takes.
pub(crate) fn sides(delta: &ZBatch) -> (ZBatch, ZBatch) {
    let zero = arrow::array::Int64Array::new_scalar(0);
    let brought = gt(delta.weights(), &zero).expect("weights are Int64");
    let taken = lt(delta.weights(), &zero).expect("weights are Int64");
    (delta.filter(&brought), delta.filter(&taken))
}

/// Whether the newest contents would violate a foreign key after these writes, which are one change a table.
pub(crate) fn are_violated(objects: &Objects, writes: &[(RelationId, ZBatch)]) -> bool {
    writes.iter().any(|(table, delta)| {
        let Some(table) = objects.catalog.by_id(*table) else { return false };
        let keys = table.rules().foreign_keys.iter();
        let mut referencing = objects.catalog.referencing(table.id).peekable();
        if keys.len() == 0 && referencing.peek().is_none() {
            return false;
        }
        let (brought, taken) = sides(delta);
        let misses = |key: &ForeignKey| references_nothing(objects, writes, key, &brought, &taken);
        let loses = |(other, key): (&std::sync::Arc<Relation>, &ForeignKey)| {
            is_still_referenced(objects, writes, (other, key), &brought, &taken)
        };
        keys.into_iter().any(misses) || referencing.any(loses)
    })
}

fn references_nothing(
    objects: &Objects,
    writes: &[(RelationId, ZBatch)],
    key: &ForeignKey,
    brought: &ZBatch,
    taken: &ZBatch,
) -> bool {
    let Some(referenced) = objects.catalog.by_id(key.table) else { return true };
    let new = Keys::of(brought, &key.columns).without(&Keys::of(taken, &key.columns));
    if new.is_empty() {
        return false;
    }
    let new = new.with_types_of(referenced, &key.referenced);
    let counts = counts_after(objects, writes, referenced, &key.referenced, &new);
    new.first_missing(&counts).is_some()
}

fn is_still_referenced(
    objects: &Objects,
    writes: &[(RelationId, ZBatch)],
    (table, key): (&Relation, &ForeignKey),
    brought: &ZBatch,
    taken: &ZBatch,
) -> bool {
    let gone = Keys::of(taken, &key.referenced).without(&Keys::of(brought, &key.referenced));
    if gone.is_empty() {
        return false;
    }
    let gone = gone.with_types_of(table, &key.columns);
    let counts = counts_after(objects, writes, table, &key.columns, &gone);
    !gone.present(&counts).is_empty()
}

/// How many rows of each of these keys a table holds once the writes are done.
fn counts_after(
    objects: &Objects,
    writes: &[(RelationId, ZBatch)],
    table: &Relation,
    key: &[usize],
    keys: &Keys,
) -> HashMap<OwnedRow, i64> {
    let mut counts = HashMap::new();
    if let Some(found) = objects.lookup_keys(table, key, &keys.columns, None) {
        count(&mut counts, &found, |_| 1);
    }
    for (_, delta) in writes.iter().filter(|(written, _)| *written == table.id) {
        count(&mut counts, &columns(delta.rows(), key), |row| delta.weights().value(row));
    }
    counts
}

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::Objects;
use arrow::array::{ArrayRef, RecordBatch};
use springtide_catalog::Catalog;
use springtide_types::{Epoch, RelationId, SqlError, ZBatch};

/// What a transaction asks the sequencer to make true at one epoch.
pub(crate) struct Commit {
    /// The epoch that the transaction read at.
    pub(crate) as_of: Epoch,
    /// The version of the catalog that it was bound under.
    pub(crate) catalog_version: u64,
    /// What its writes fulfil the rules of: the catalog that it was bound under, or the one that it leaves behind.
    pub(crate) bound_to: Arc<Catalog>,
    /// What it read: still so at the epoch of the commit, or the commit is refused.
    pub(crate) reads: ReadSet,
    /// What it writes: one consolidated delta per table.
    pub(crate) writes: Vec<(RelationId, ZBatch)>,
    /// The catalog that it leaves behind, if it ran DDL.
    pub(crate) catalog: Option<Catalog>,
    /// When it is acknowledged. DDL always waits.
    pub(crate) acknowledged: Acknowledged,
}

impl Commit {
    /// One that changes nothing, and is acknowledged after what came before.
    pub(crate) fn of_nothing(objects: &Objects, acknowledged: Acknowledged) -> Commit {
        Commit {
            as_of: 0,
            catalog_version: objects.version,
            bound_to: objects.catalog.clone(),
            reads: ReadSet::default(),
            writes: Vec::new(),
            catalog: None,
            acknowledged,
        }
    }
}

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// When it is on disk.
    Durable,
    /// When others see it; it is on disk soon after.
    Visible,
}

/// Why a commit was refused.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// Something it read has changed since: it may succeed if run again.
    Conflict,
    /// It can't be committed, as with a duplicate key.
    Failed(SqlError),
}

/// What a transaction read, and so what must not have changed when it commits.
#[derive(Default)]
pub(crate) struct ReadSet {
    tables: BTreeMap<RelationId, TableReads>,
}

/// What was read of one table.
pub(crate) enum TableReads {
    /// Possibly every row.
    All,
    /// Only the rows of these keys.
    Points(Vec<PointRead>),
}

/// A read by a key and what it found.
pub(crate) struct PointRead {
    /// Positions of the columns of the key.
    pub(crate) key: Vec<usize>,
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) found: RecordBatch,
}

impl ReadSet {
    pub(crate) fn all(&mut self, table: RelationId) {
        self.tables.insert(table, TableReads::All);
    }

    pub(crate) fn point(
        &mut self,
        table: RelationId,
        key: Vec<usize>,
        keys: Vec<ArrayRef>,
        found: RecordBatch,
    ) {
        let reads = self.tables.entry(table).or_insert_with(|| TableReads::Points(Vec::new()));
        if let TableReads::Points(points) = reads {
            points.push(PointRead { key, keys, found });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RelationId, &TableReads)> {
        self.tables.iter().map(|(table, reads)| (*table, reads))
    }
}

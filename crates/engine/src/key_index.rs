//! The rows of a table by columns other than its primary key: for UNIQUE and FOREIGN KEY constraints.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Schema;
use springtide_catalog::Relation;
use springtide_state as state;
use springtide_types::{Epoch, ZBatch};

use crate::constraints::columns;

/// What an index is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexKey {
    /// Positions of the columns in the table.
    pub(crate) columns: Vec<usize>,
    /// Whether it keeps whole rows, rather than these columns alone. Then few rows share a key.
    pub(crate) whole: bool,
}

/// Rows of a table, or parts of them, as of any epoch that can be read. Rows that have a NULL in the key are left out:
/// nothing is equal to them.
pub(crate) struct KeyIndex {
    pub(crate) key: IndexKey,
    contents: state::Relation,
}

impl KeyIndex {
    pub(crate) fn new(table: &Relation, key: IndexKey, frontier: Arc<AtomicU64>) -> KeyIndex {
        let declared = table.schema();
        let fields = declared.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let (schema, columns) = if key.whole {
            (schema, key.columns.clone())
        } else {
            let projected = schema.project(&key.columns).expect("a key is of columns of its table");
            (Arc::new(projected), (0..key.columns.len()).collect())
        };
        let contents = state::Relation::new(schema, Some(columns), false, vec![frontier]);
        KeyIndex { key, contents }
    }

    /// Fills it with what a table holds at an epoch.
    pub(crate) fn fill(&self, epoch: Epoch, rows: &[ZBatch]) {
        self.contents.fill(0, epoch, rows.iter().map(|rows| self.entries(rows)));
    }

    /// Follows a change of the table.
    pub(crate) fn apply(&self, epoch: Epoch, delta: &ZBatch) {
        self.contents.apply(0, epoch, &self.entries(delta));
    }

    /// What it keeps of the rows that have one of these keys, as of an epoch or now.
    pub(crate) fn lookup(&self, keys: &[ArrayRef], epoch: Option<Epoch>) -> RecordBatch {
        self.contents.lookup(keys, epoch).rows
    }

    /// No reader asks for an epoch before this one.
    pub(crate) fn set_since(&self, since: Epoch) {
        self.contents.set_since(since);
    }

    fn entries(&self, rows: &ZBatch) -> ZBatch {
        let rows = without_null_keys(rows, &self.key.columns);
        if self.key.whole {
            return rows;
        }
        let projected = rows.rows().project(&self.key.columns).expect("a key is of columns of its table");
        ZBatch::new(projected, rows.weights().clone())
    }
}

/// Rows without those that have a NULL in one of these columns.
pub(crate) fn without_null_keys(rows: &ZBatch, key: &[usize]) -> ZBatch {
    let nulls = columns(rows.rows(), key).iter().fold(None, |nulls: Option<NullBuffer>, column| {
        NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
    });
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => rows.filter(&BooleanArray::new(nulls.into_inner(), None)),
        None => rows.clone(),
    }
}

/// The indexes that a table needs whose contents find rows by the key `primary`.
pub(crate) fn needed(table: &Relation, primary: Option<&Vec<usize>>) -> Vec<IndexKey> {
    let mut needed = Vec::<IndexKey>::new();
    let unique = table.keys().map(|key| (key.columns, true));
    let foreign = table.rules().foreign_keys.iter().map(|key| (key.columns.as_slice(), false));
    for (columns, whole) in unique.chain(foreign) {
        let known = needed.iter().any(|key| key.columns == columns);
        if !known && primary.is_none_or(|primary| primary != columns) {
            needed.push(IndexKey { columns: columns.to_vec(), whole });
        }
    }
    needed
}

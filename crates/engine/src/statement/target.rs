use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_sql::sqlparser::ast::ObjectName;
use springtide_types::{Result, SqlError, SqlState, ZBatch};

use super::internal;
use crate::constraints::check_not_null;
use crate::transaction::Transaction;

/// A table that a statement writes to.
#[derive(Clone)]
pub(crate) struct Target {
    table: Arc<Relation>,
    schema: SchemaRef,
}

impl Target {
    pub(crate) fn new(table: Arc<Relation>) -> Target {
        Target { schema: table.schema(), table }
    }

    /// The table of this name. `verb` is what the messages say: `insert into`.
    pub(super) fn find(catalog: &Catalog, name: &ObjectName, verb: &str) -> Result<Target> {
        let relation = catalog.get(&springtide_sql::object_name(name)?)?;
        let refuse = |kind: &str, hint: &str| {
            let message = format!("cannot {verb} {kind} \"{}\"", relation.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint))
        };
        match &relation.kind {
            RelationKind::Table { append_only: true, .. } if !["insert into", "copy to"].contains(&verb) => {
                refuse("append-only table", "Create the table without append_only to change its rows.")
            }
            RelationKind::Table { .. } => Ok(Target::new(relation.clone())),
            RelationKind::View { .. } | RelationKind::MaterializedView { .. } => {
                refuse(relation.kind_name(), "Write to the tables that it is computed from.")
            }
        }
    }

    /// Rows of the table from its columns. A NULL where the table has none is reported as such.
    pub(crate) fn rows(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        check_not_null(&self.table, &columns)?;
        RecordBatch::try_new(self.schema.clone(), columns).map_err(internal)
    }

    /// Writes rows that take the place of others. Each row of `matched` is an old row, followed by new values for
    /// `columns`. Returns the new rows.
    pub(super) fn replace(
        &self,
        transaction: &mut Transaction,
        columns: &[usize],
        matched: &RecordBatch,
    ) -> Result<RecordBatch> {
        let (old, values) = matched.columns().split_at(self.columns.len());
        let targets = columns.iter().map(|column| &self.columns[*column]).collect::<Vec<_>>();
        let values = springtide_sql::assign(values, &targets)?;
        let mut new = old.to_vec();
        for (column, value) in columns.iter().zip(values) {
            new[*column] = value;
        }
        let (old, new) = (self.rows(old.to_vec())?, self.rows(new)?);
        let changes_key =
            self.primary_key().is_some_and(|key| key.iter().any(|column| columns.contains(column)));
        transaction.write(self, ZBatch::deletes(old), false)?;
        transaction.write(self, ZBatch::inserts(new.clone()), changes_key)?;
        Ok(new)
    }
}

impl Deref for Target {
    type Target = Relation;

    fn deref(&self) -> &Relation {
        &self.table
    }
}

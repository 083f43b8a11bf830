use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::ObjectName;
use springtide_types::{Result, SqlError, SqlState, ZBatch};

use super::checks::Checks;
use super::generated::Generated;
use super::internal;
use crate::constraints::check_not_null;
use crate::transaction::{Change, Transaction};

/// A table that a statement writes to.
#[derive(Clone)]
pub(crate) struct Target {
    table: Arc<Relation>,
    schema: SchemaRef,
    checks: Checks,
    generated: Generated,
}

impl Target {
    pub(crate) fn new(planner: &Planner, catalog: &Catalog, table: Arc<Relation>) -> Result<Target> {
        let checks = Checks::bind(planner, catalog, &table)?;
        let generated = Generated::bind(planner, catalog, &table)?;
        Ok(Target { schema: table.schema(), table, checks, generated })
    }

    /// The table of this name. `verb` is what the messages say: `insert into`.
    pub(super) fn find(
        planner: &Planner,
        catalog: &Catalog,
        name: &ObjectName,
        verb: &str,
    ) -> Result<Target> {
        let relation = catalog.get(&springtide_sql::object_name(name)?)?;
        let refuse = |kind: &str, hint: &str| {
            let message = format!("cannot {verb} {kind} \"{}\"", relation.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint))
        };
        if let Some(source) = relation.filled_by().and_then(|source| catalog.by_id(source)) {
            return Err(filled(&format!("cannot {verb} table \"{}\"", relation.name), source));
        }
        match &relation.kind {
            RelationKind::Table { append_only: true, .. } if !["insert into", "copy to"].contains(&verb) => {
                refuse("append-only table", "Create the table without append_only to change its rows.")
            }
            RelationKind::Table { .. } => Target::new(planner, catalog, relation.clone()),
            RelationKind::Sequence { .. } => {
                let message = format!("cannot change sequence \"{}\"", relation.name);
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
            }
            RelationKind::Source(_) => refuse("source", "DROP SOURCE ends it."),
            RelationKind::View { .. } | RelationKind::MaterializedView { .. } => {
                refuse(relation.kind_name(), "Write to the tables that it is computed from.")
            }
        }
    }

    /// Rows of the table from its columns. What they must fulfil on their own is checked.
    pub(crate) async fn rows(&self, planner: &Planner, mut columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        self.fill(planner, &mut columns).await?;
        check_not_null(&self.table, &columns)?;
        let rows = self.batch(columns)?;
        self.checks.check(planner, &self.table, &rows).await?;
        Ok(rows)
    }

    /// Computes the generated columns of rows.
    pub(super) async fn fill(&self, planner: &Planner, columns: &mut [ArrayRef]) -> Result<()> {
        self.generated.fill(planner, &self.table, columns).await
    }

    /// Rows of the table that were in it already.
    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(self.schema.clone(), columns).map_err(internal)
    }

    /// Writes new rows. `check_keys`: fails with `23505` if they leave a key not unique.
    pub(crate) fn insert(
        &self,
        transaction: &mut Transaction,
        rows: RecordBatch,
        check_keys: bool,
    ) -> Result<()> {
        transaction.write(self, ZBatch::inserts(rows.clone()), check_keys)?;
        transaction.note_change(Change { table: self.id, old: None, new: Some(rows) });
        Ok(())
    }

    /// Deletes rows, given by their columns. Returns them.
    pub(super) fn delete(
        &self,
        transaction: &mut Transaction,
        columns: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let rows = self.batch(columns)?;
        transaction.write(self, ZBatch::deletes(rows.clone()), false)?;
        transaction.note_change(Change { table: self.id, old: Some(rows.clone()), new: None });
        Ok(rows)
    }

    /// Writes rows that take the place of others. Each row of `matched` is an old row, followed by new values for
    /// `columns`. Returns the new rows.
    pub(super) async fn replace(
        &self,
        planner: &Planner,
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
        let (old, new) = (self.batch(old.to_vec())?, self.rows(planner, new).await?);
        let mut keys = self.keys().flat_map(|key| key.columns);
        let generated = self.generated.positions();
        let changes_key = keys.any(|column| columns.contains(column) || generated.contains(column));
        transaction.write(self, ZBatch::deletes(old.clone()), false)?;
        transaction.write(self, ZBatch::inserts(new.clone()), changes_key)?;
        transaction.note_change(Change { table: self.id, old: Some(old), new: Some(new.clone()) });
        Ok(new)
    }
}

/// What is not done to a table that a source fills.
pub(crate) fn filled(what: &str, source: &Relation) -> SqlError {
    let message = format!("{what}: source \"{}\" fills it", source.name);
    SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
        .with_hint("Make a view of it, or a table of your own with INSERT ... SELECT.")
}

impl Deref for Target {
    type Target = Relation;

    fn deref(&self) -> &Relation {
        &self.table
    }
}

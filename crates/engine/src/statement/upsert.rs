//! INSERT ... ON CONFLICT. The rows of which a key is there already are joined with those that have it, by a query in
//! which the new ones are called `excluded`.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Index};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    ConflictTarget, DoUpdate, Ident, OnConflict, OnConflictAction, OnInsert,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType, ZBatch};

use super::returning::Written;
use super::sides::{OverSides, Side};
use super::target::Target;
use super::{assignments, ast, internal};
use crate::constraints::{columns, row_keys};
use crate::key_index::without_null_keys;
use crate::transaction::Transaction;

/// What the rows in conflict are called.
const EXCLUDED: &str = "excluded";

/// A bound ON CONFLICT.
#[derive(Clone)]
pub(super) struct Upsert {
    /// The keys that rows may be in conflict about: the one that is named, or all.
    keys: Vec<Vec<usize>>,
    is_about_one_key: bool,
    /// `None` stands for DO NOTHING.
    update: Option<ConflictUpdate>,
}

#[derive(Clone)]
struct ConflictUpdate {
    /// The columns that are assigned to, in the order of the values.
    columns: Vec<usize>,
    /// Returns the old row, then the assigned values, for rows of the table and those that are in conflict with them.
    matching: OverSides,
    key: Vec<usize>,
}

impl Upsert {
    /// `qualifier` is what the statement calls its table.
    pub(super) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        table: &Target,
        qualifier: &Ident,
        on: &OnInsert,
        parameters: &[Option<SqlType>],
    ) -> Result<Upsert> {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(SqlError::unsupported("ON DUPLICATE KEY UPDATE").with_hint("Use ON CONFLICT."));
        };
        let keys = match conflict_target {
            Some(target) => vec![conflict_key(table, target)?],
            None => table.keys().map(|key| key.columns.to_vec()).collect(),
        };
        let is_about_one_key = conflict_target.is_some();
        match action {
            OnConflictAction::DoNothing => Ok(Upsert { keys, is_about_one_key, update: None }),
            OnConflictAction::DoUpdate(_) if conflict_target.is_none() => {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message)
                    .with_hint("For example, ON CONFLICT (column_name)."))
            }
            OnConflictAction::DoUpdate(update) => {
                let key = &keys[0];
                let update =
                    ConflictUpdate::bind(planner, catalog, (table, key), qualifier, update, parameters)?;
                Ok(Upsert { keys, is_about_one_key, update: Some(update) })
            }
        }
    }

    /// Whether it may change rows that are there.
    pub(super) fn updates(&self) -> bool {
        self.update.is_some()
    }

    /// Whether it says which key it is about, and so tells whether a row is there.
    pub(super) fn reads(&self) -> bool {
        self.update.is_some() || self.is_about_one_key
    }

    /// The relations that subqueries of it name.
    pub(super) fn depends_on(&self) -> &[RelationId] {
        self.update.as_ref().map_or(&[], |update| update.matching.depends_on())
    }

    /// The stored relations among them.
    pub(super) fn scanned(&self) -> &[RelationId] {
        self.update.as_ref().map_or(&[], |update| update.matching.scanned())
    }

    pub(super) fn parameters(&self) -> Option<Vec<SqlType>> {
        self.update.as_ref().map(|update| update.matching.parameters())
    }

    /// Writes rows of the table, or does what was said for those whose key is there. Returns the rows that were
    /// written.
    pub(super) async fn write(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        table: &Target,
        rows: RecordBatch,
        parameters: &[ScalarValue],
    ) -> Result<Vec<Written>> {
        let mut places = vec![Place::Fresh; rows.num_rows()];
        let mut conflicts = None;
        for key in &self.keys {
            let existing = existing_rows(transaction, table, key, &rows)?;
            self.place(key, &rows, &existing, &mut places)?;
            conflicts.get_or_insert(existing);
        }
        let at = |wanted: Place| {
            let rows = (0_u32..).zip(&places).filter(|(_, place)| **place == wanted).map(|(row, _)| row);
            UInt32Array::from_iter_values(rows)
        };
        let fresh = take_record_batch(&rows, &at(Place::Fresh)).map_err(internal)?;
        // About the keys that were looked at, there is nothing to be found.
        let has_other_keys = table.keys().count() > self.keys.len();
        table.insert(transaction, fresh.clone(), has_other_keys)?;
        let mut written = vec![Written::inserted(&fresh)];
        let conflicting = at(Place::Conflicting);
        if let (Some(update), Some(existing), 1..) = (&self.update, conflicts, conflicting.len()) {
            let excluded = take_record_batch(&rows, &conflicting).map_err(internal)?;
            written.extend(update.run(planner, transaction, table, existing, excluded, parameters).await?);
        }
        Ok(written)
    }

    /// Finds out what becomes of rows, as far as one key decides that.
    fn place(
        &self,
        key: &[usize],
        rows: &RecordBatch,
        existing: &RecordBatch,
        places: &mut [Place],
    ) -> Result<()> {
        let keys = columns(rows, key);
        let there = row_keys(&columns(existing, key)).into_iter().collect::<HashSet<_>>();
        let mut seen = HashSet::new();
        for (row, row_key) in row_keys(&keys).into_iter().enumerate() {
            // Nothing is equal to NULL. What is left out already is not there for others to be in conflict with.
            if places[row] != Place::Fresh || keys.iter().any(|column| column.is_null(row)) {
                continue;
            }
            let is_there = there.contains(&row_key);
            let is_first = seen.insert(row_key);
            places[row] = match &self.update {
                Some(_) if !is_first => return Err(affected_twice()),
                Some(_) if is_there => Place::Conflicting,
                _ if is_there || !is_first => Place::LeftOut,
                _ => Place::Fresh,
            };
        }
        Ok(())
    }
}

/// What becomes of a row that is to be inserted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Fresh,
    Conflicting,
    LeftOut,
}

/// The rows that a table has of the keys of other rows.
fn existing_rows(
    transaction: &mut Transaction,
    table: &Target,
    key: &[usize],
    rows: &RecordBatch,
) -> Result<RecordBatch> {
    let asked = without_null_keys(&ZBatch::inserts(rows.clone()), key);
    let existing = transaction.rows_by_key(table.id, key, columns(asked.rows(), key))?;
    let existing = existing.iter().map(ZBatch::rows).collect::<Vec<_>>();
    concat_batches(&rows.schema(), existing).map_err(internal)
}

impl ConflictUpdate {
    fn bind(
        planner: &Planner,
        catalog: &Catalog,
        (table, key): (&Target, &[usize]),
        qualifier: &Ident,
        update: &DoUpdate,
        parameters: &[Option<SqlType>],
    ) -> Result<ConflictUpdate> {
        let mut hints = parameters.to_vec();
        let (columns, values) = assignments::assigned(table, &update.assignments, &mut hints)?;
        let mut items = assignments::old_row(table, qualifier);
        items.extend(values);
        let side = |alias: &Ident| Side::new(alias.clone(), &table.columns, true);
        let sides = [side(qualifier), side(&Ident::new(EXCLUDED))];
        let selection = update.selection.clone();
        let matching = OverSides::bind(planner, catalog, &sides, None, &items, selection, &hints)?;
        Ok(ConflictUpdate { columns, matching, key: key.to_vec() })
    }

    async fn run(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        table: &Target,
        existing: RecordBatch,
        excluded: RecordBatch,
        parameters: &[ScalarValue],
    ) -> Result<Vec<Written>> {
        let existing = in_order_of(&existing, &excluded, &self.key)?;
        let others = self.matching.others(planner, transaction, parameters).await?;
        let (rows, sides) = (excluded.num_rows(), [existing, excluded]);
        let sides = sides.iter().map(|side| side.columns().to_vec()).collect();
        let matched = self.matching.run(planner, others, sides, rows, parameters).await?;
        let mut written = Vec::new();
        for matched in matched.iter().filter(|matched| matched.num_rows() > 0) {
            let old = matched.columns()[..table.columns.len()].to_vec();
            let new = table.replace(planner, transaction, &self.columns, matched).await?;
            written.push(Written::updated(old, &new));
        }
        Ok(written)
    }
}

/// For each of some rows the existing one that has the same key.
fn in_order_of(existing: &RecordBatch, rows: &RecordBatch, key: &[usize]) -> Result<RecordBatch> {
    let places = row_keys(&columns(existing, key)).into_iter().zip(0_u32..).collect::<HashMap<_, _>>();
    let wanted = row_keys(&columns(rows, key));
    let wanted = wanted.iter().map(|key| places.get(key).copied()).collect::<UInt32Array>();
    take_record_batch(existing, &wanted).map_err(internal)
}

/// The key that a conflict target stands for.
fn conflict_key(table: &Target, target: &ConflictTarget) -> Result<Vec<usize>> {
    match target {
        ConflictTarget::Columns(names) => {
            let named =
                names.iter().map(|name| super::column_position(table, name)).collect::<Result<Vec<_>>>()?;
            let is_named = |columns: &[usize]| {
                columns.iter().all(|column| named.contains(column))
                    && named.iter().all(|column| columns.contains(column))
            };
            let key = table.keys().find(|key| is_named(key.columns));
            key.map(|key| key.columns.to_vec()).ok_or_else(|| {
                let message =
                    "there is no unique or exclusion constraint matching the ON CONFLICT specification";
                SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
            })
        }
        ConflictTarget::OnConstraint(name) => {
            let name = match name.0.as_slice() {
                [part] => part.as_ident().map(ast::fold),
                _ => None,
            };
            let name = name.unwrap_or_default();
            let is_constraint = |index: &Index| index.constraint && index.name == name;
            let unique = table.rules().indexes.iter().find(|index| is_constraint(index));
            let primary = table.primary_key().filter(|_| table.primary_key_name() == name);
            let key = primary.map(<[usize]>::to_vec).or_else(|| unique.map(|index| index.columns.clone()));
            key.ok_or_else(|| {
                let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
                SqlError::new(SqlState::UNDEFINED_OBJECT, message)
            })
        }
    }
}

fn affected_twice() -> SqlError {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    SqlError::new(SqlState::CARDINALITY_VIOLATION, message).with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}

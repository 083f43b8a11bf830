//! NOT NULL, PRIMARY KEY and UNIQUE.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::row::{OwnedRow, RowConverter, SortField};
use springtide_catalog::{Key, Relation};
use springtide_state as state;
use springtide_types::{ErrorSubject, Result, SqlError, SqlState, ZBatch};

use crate::foreign_keys::sides;
use crate::key_index::without_null_keys;
use crate::objects::Objects;

/// Fails with `23502` if a column that is declared NOT NULL holds a NULL.
pub(crate) fn check_not_null(relation: &Relation, columns: &[ArrayRef]) -> Result<()> {
    for (position, (column, values)) in relation.columns.iter().zip(columns).enumerate() {
        if values.null_count() == 0 || relation.is_nullable(position) {
            continue;
        }
        let row = (0..values.len()).find(|row| values.is_null(*row)).expect("some value is NULL");
        let message = format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            column.name, relation.name
        );
        let detail = format!("Failing row contains ({}).", values_text(columns, row));
        let subject = ErrorSubject { column: Some(column.name.clone()), ..subject(relation) };
        return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message).with_detail(detail).about(subject));
    }
    Ok(())
}

/// Fails with `23505` if the table, once `delta` is applied to its newest contents, would hold a key twice. Costs one
/// look-up for each inserted row and key.
pub(crate) fn check_unique(relation: &Relation, objects: &Objects, delta: &ZBatch) -> Result<()> {
    if relation.keys().next().is_none() {
        return Ok(());
    }
    let (inserted, deleted) = sides(delta);
    if inserted.is_empty() {
        return Ok(());
    }
    relation.keys().try_for_each(|key| check_key(relation, objects, key, &inserted, &deleted))
}

fn check_key(
    relation: &Relation,
    objects: &Objects,
    key: Key<'_>,
    inserted: &ZBatch,
    deleted: &ZBatch,
) -> Result<()> {
    let inserted = without_null_keys(inserted, key.columns);
    if inserted.is_empty() {
        return Ok(());
    }
    if inserted.len() > 1 || inserted.weights().value(0) > 1 {
        check_distinct(relation, key, &inserted)?;
    }
    let keys = columns(inserted.rows(), key.columns);
    let existing = objects.lookup(relation, key.columns, &keys, None);
    let Some(existing) = existing.filter(|existing| existing.num_rows() > 0) else { return Ok(()) };
    let deleted = row_keys(&columns(deleted.rows(), key.columns)).into_iter().collect::<HashSet<_>>();
    let existing = columns(&existing, key.columns);
    match row_keys(&existing).iter().position(|row| !deleted.contains(row)) {
        None => Ok(()),
        Some(row) => Err(duplicate_key(relation, key, &existing, row)),
    }
}

/// Fails with `23505` if rows, whose weights are positive, hold a key twice.
pub(crate) fn check_distinct(relation: &Relation, key: Key<'_>, rows: &ZBatch) -> Result<()> {
    match first_repeated(rows, key.columns) {
        None => Ok(()),
        Some(row) => Err(duplicate_key(relation, key, &columns(rows.rows(), key.columns), row)),
    }
}

/// The first row whose key is that of another before it, or which is there more than once.
fn first_repeated(rows: &ZBatch, key: &[usize]) -> Option<usize> {
    let first = state::first_equal(&columns(rows.rows(), key), rows.len());
    (0..rows.len()).find(|row| rows.weights().value(*row) > 1 || first[*row] as usize != *row)
}

/// Fails with `23505` unless a key that is new is unique among the rows that a table has.
pub(crate) fn check_new_key(relation: &Relation, key: Key<'_>, rows: &ZBatch) -> Result<()> {
    let rows = without_null_keys(rows, key.columns);
    let Some(row) = first_repeated(&rows, key.columns) else { return Ok(()) };
    let message = format!("could not create unique index \"{}\"", relation.key_name(key));
    let keys = columns(rows.rows(), key.columns);
    let detail = format!("Key {} is duplicated.", key_text(relation, key.columns, &keys, row));
    let subject = constraint_of(relation, &relation.key_name(key));
    Err(SqlError::new(SqlState::UNIQUE_VIOLATION, message).with_detail(detail).about(subject))
}

/// The error that PostgreSQL reports for a key that is there twice.
fn duplicate_key(relation: &Relation, key: Key<'_>, keys: &[ArrayRef], row: usize) -> SqlError {
    let message = format!("duplicate key value violates unique constraint \"{}\"", relation.key_name(key));
    let detail = format!("Key {} already exists.", key_text(relation, key.columns, keys, row));
    let subject = constraint_of(relation, &relation.key_name(key));
    SqlError::new(SqlState::UNIQUE_VIOLATION, message).with_detail(detail).about(subject)
}

/// The table, as what an error is about.
pub(crate) fn subject(table: &Relation) -> ErrorSubject {
    ErrorSubject {
        schema: Some("public".to_owned()),
        table: Some(table.name.clone()),
        ..ErrorSubject::default()
    }
}

/// A constraint of a table, as what an error is about.
pub(crate) fn constraint_of(table: &Relation, constraint: &str) -> ErrorSubject {
    ErrorSubject { constraint: Some(constraint.to_owned()), ..subject(table) }
}

/// A key as messages have it: `(a, b)=(1, x)`.
pub(crate) fn key_text(relation: &Relation, key: &[usize], keys: &[ArrayRef], row: usize) -> String {
    let names = key.iter().map(|column| relation.columns[*column].name.as_str()).collect::<Vec<_>>();
    format!("({})=({})", names.join(", "), values_text(keys, row))
}

/// The columns of a key.
pub(crate) fn columns(rows: &RecordBatch, key: &[usize]) -> Vec<ArrayRef> {
    key.iter().map(|column| rows.column(*column).clone()).collect()
}

/// Keys in a form that compares by value.
pub(crate) fn row_keys(keys: &[ArrayRef]) -> Vec<OwnedRow> {
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields).expect("key types have an order");
    let rows = converter.convert_columns(keys).expect("columns fit their own types");
    rows.iter().map(|row| row.owned()).collect()
}

/// The first of several rows with equal keys, for each key, in order.
pub(crate) fn first_of_each_key(keys: &[ArrayRef]) -> UInt32Array {
    let first = state::first_equal(keys, keys.first().map_or(0, |key| key.len()));
    (0_u32..).zip(first).filter(|(row, first)| row == first).map(|(row, _)| row).collect()
}

/// The values of a row as messages have them.
pub(crate) fn values_text(columns: &[ArrayRef], row: usize) -> String {
    let values = columns.iter().map(|column| match springtide_sql::format_text(&column.slice(row, 1)) {
        Ok(texts) if texts.is_null(0) => "null".to_owned(),
        Ok(texts) => texts.value(0).to_owned(),
        Err(_) => "?".to_owned(),
    });
    values.collect::<Vec<_>>().join(", ")
}

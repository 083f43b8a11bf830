//! NOT NULL and PRIMARY KEY.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::datatypes::DataType;
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use springtide_catalog::Relation;
use springtide_state as state;
use springtide_types::{Result, SqlError, SqlState, SqlType, ZBatch, bytea_text, uuid_text};

/// Fails with `23502` if a column that is declared NOT NULL holds a NULL.
pub(crate) fn check_not_null(relation: &Relation, columns: &[ArrayRef]) -> Result<()> {
    for (column, values) in relation.columns.iter().zip(columns) {
        if column.nullable || values.null_count() == 0 {
            continue;
        }
        let row = (0..values.len()).find(|row| values.is_null(*row)).expect("some value is NULL");
        let message = format!(
            "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
            column.name, relation.name
        );
        let detail = format!("Failing row contains ({}).", values_text(columns, row));
        return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message).with_detail(detail));
    }
    Ok(())
}

/// Fails with `23505` if the table, once `delta` is applied to its newest contents, would hold a primary
/// key twice. Costs one look-up for each inserted row.
pub(crate) fn check_unique(relation: &Relation, contents: &state::Relation, delta: &ZBatch) -> Result<()> {
    let Some(key) = relation.primary_key() else { return Ok(()) };
    let zero = Int64Array::new_scalar(0);
    let inserted = delta.filter(&gt(delta.weights(), &zero).expect("weights are Int64"));
    if inserted.is_empty() {
        return Ok(());
    }
    let keys = columns(inserted.rows(), key);
    if inserted.len() > 1 || inserted.weights().value(0) > 1 {
        check_distinct(relation, key, &inserted)?;
    }
    let existing = contents.lookup(&keys, None).rows;
    if existing.num_rows() == 0 {
        return Ok(());
    }
    let deleted = delta.filter(&lt(delta.weights(), &zero).expect("weights are Int64"));
    let deleted = row_keys(&columns(deleted.rows(), key)).into_iter().collect::<HashSet<_>>();
    let existing = columns(&existing, key);
    match row_keys(&existing).iter().position(|row| !deleted.contains(row)) {
        None => Ok(()),
        Some(row) => Err(duplicate_key(relation, key, &existing, row)),
    }
}

/// Fails with `23505` if rows, whose weights are positive, hold a key twice.
pub(crate) fn check_distinct(relation: &Relation, key: &[usize], rows: &ZBatch) -> Result<()> {
    let keys = columns(rows.rows(), key);
    let first = state::first_equal(&keys, rows.len());
    let is_again = |row: &usize| rows.weights().value(*row) > 1 || first[*row] as usize != *row;
    match (0..rows.len()).find(is_again) {
        None => Ok(()),
        Some(row) => Err(duplicate_key(relation, key, &keys, row)),
    }
}

/// The error that PostgreSQL reports for a key that is there twice.
fn duplicate_key(relation: &Relation, key: &[usize], keys: &[ArrayRef], row: usize) -> SqlError {
    let message = format!("duplicate key value violates unique constraint \"{}_pkey\"", relation.name);
    let names = key.iter().map(|column| relation.columns[*column].name.as_str()).collect::<Vec<_>>();
    let detail = format!("Key ({})=({}) already exists.", names.join(", "), values_text(keys, row));
    SqlError::new(SqlState::UNIQUE_VIOLATION, message).with_detail(detail)
}

/// The columns of a primary key.
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

fn values_text(columns: &[ArrayRef], row: usize) -> String {
    let options = FormatOptions::new().with_null("null");
    let values = columns.iter().map(|column| match ArrayFormatter::try_new(column, &options) {
        _ if *column.data_type() == DataType::Binary && column.is_valid(row) => {
            bytea_text(column.as_binary::<i32>().value(row))
        }
        _ if *column.data_type() == SqlType::Uuid.arrow() && column.is_valid(row) => {
            uuid_text(column.as_fixed_size_binary().value(row))
        }
        Ok(formatter) => formatter.value(row).to_string(),
        Err(_) => "?".to_owned(),
    });
    values.collect::<Vec<_>>().join(", ")
}

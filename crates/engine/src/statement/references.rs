//! What a statement has to do for FOREIGN KEY constraints once it has written its rows.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::datatypes::Int64Type;
use springtide_catalog::{Action, ForeignKey, Relation};
use springtide_sql::Planner;
use springtide_types::{Result, SqlError, SqlState, ZBatch};
use std::collections::HashMap;

use super::internal;
use super::target::Target;
use crate::constraints::{columns, constraint_of, key_text, row_keys};
use crate::foreign_keys::Keys;
use crate::transaction::{Change, Transaction};

/// How often the changes of a statement may lead to others in turn.
const MOST_ROUNDS: usize = 10_000;

/// Changes what references rows that were changed as the foreign keys say, and fails with `23503` if a row references
/// nothing after that.
pub(crate) async fn follow(planner: &Planner, transaction: &mut Transaction) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let changes = transaction.take_changes();
        if changes.is_empty() {
            return check_all(transaction, &all);
        }
        for change in &changes {
            act_on(planner, transaction, change).await?;
        }
        all.extend(changes);
    }
    Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "foreign keys lead to changes without end"))
}

/// CASCADE and SET NULL for one change.
async fn act_on(planner: &Planner, transaction: &mut Transaction, change: &Change) -> Result<()> {
    let Some(old) = &change.old else { return Ok(()) };
    let catalog = transaction.catalog();
    for (table, key) in catalog.referencing(change.table) {
        let action = if change.new.is_some() { key.on_update } else { key.on_delete };
        if !matches!(action, Action::Cascade | Action::SetNull) {
            continue;
        }
        let Some((old, new)) = changed_keys(old, change.new.as_ref(), key)? else { continue };
        let rows = referencing_rows(transaction, table, key, &old).await?;
        let Some((rows, positions)) = rows else { continue };
        let target = Target::new(planner, &catalog, table.clone())?;
        if change.new.is_none() && action == Action::Cascade {
            target.delete(transaction, rows.columns().to_vec())?;
            continue;
        }
        let values = key.columns.iter().enumerate().map(|(position, column)| {
            let data_type = table.columns[*column].sql_type.arrow();
            match (&new, action) {
                (Some(new), Action::Cascade) => {
                    let taken = take(&new[position], &positions, None).map_err(internal)?;
                    arrow::compute::cast(&taken, &data_type).map_err(internal)
                }
                _ => Ok(new_null_array(&data_type, rows.num_rows())),
            }
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let matched = beside(&rows, values)?;
        target.replace(planner, transaction, &key.columns, &matched).await?;
    }
    Ok(())
}

/// The keys of old rows that are gone or have changed, and those of the rows that took their places. `None` if there are
/// none.
fn changed_keys(
    old: &RecordBatch,
    new: Option<&RecordBatch>,
    key: &ForeignKey,
) -> Result<Option<(Keys, Option<Vec<ArrayRef>>)>> {
    let old = columns(old, &key.referenced);
    let Some(new) = new.map(|new| columns(new, &key.referenced)) else {
        return Ok(Some((Keys::new(old), None)));
    };
    let (before, after) = (row_keys(&old), row_keys(&new));
    let changed = (0..before.len()).filter(|row| before[*row] != after[*row]).collect::<Vec<_>>();
    if changed.is_empty() {
        return Ok(None);
    }
    let positions = UInt32Array::from_iter_values(changed.iter().map(|row| *row as u32));
    let taken = |columns: &[ArrayRef]| {
        let taken = columns.iter().map(|column| take(column, &positions, None).map_err(internal));
        taken.collect::<Result<Vec<_>>>()
    };
    Ok(Some((Keys::new(taken(&old)?), Some(taken(&new)?))))
}

/// The rows that reference one of these keys, and the position of the key of each. `None` if there are none.
async fn referencing_rows(
    transaction: &mut Transaction,
    table: &Relation,
    key: &ForeignKey,
    keys: &Keys,
) -> Result<Option<(RecordBatch, UInt32Array)>> {
    let keys = Keys::new(keys.columns.clone()).with_types_of(table, &key.columns);
    let counts = transaction.count_by_key(table, &key.columns, &keys.columns)?;
    if counts.values().all(|count| *count <= 0) {
        return Ok(None);
    }
    let places = (0_u32..).zip(&keys.rows).map(|(place, row)| (row, place)).collect::<HashMap<_, _>>();
    let (mut found, mut positions) = (Vec::new(), Vec::new());
    for rows in transaction.rows(table.id).await? {
        let of_rows = columns(rows.rows(), &key.columns);
        let matches = row_keys(&of_rows).iter().map(|row| places.get(row).copied()).collect::<Vec<_>>();
        let is_match =
            |row: usize| matches[row].is_some() && of_rows.iter().all(|column| column.is_valid(row));
        let mask = BooleanArray::from_iter((0..rows.len()).map(|row| Some(is_match(row))));
        let each = expanded(&rows, &mask)?;
        positions.extend((0..rows.len()).filter(|row| mask.value(*row)).flat_map(|row| {
            let times = usize::try_from(rows.weights().value(row)).unwrap_or(0);
            matches[row].into_iter().flat_map(move |place| std::iter::repeat_n(place, times))
        }));
        found.push(each);
    }
    let found = concat_batches(&table.schema(), &found).map_err(internal)?;
    Ok((found.num_rows() > 0).then(|| (found, UInt32Array::from(positions))))
}

/// The rows that a mask picks, each as often as its weight says.
fn expanded(rows: &ZBatch, mask: &BooleanArray) -> Result<RecordBatch> {
    let picked = filter_record_batch(rows.rows(), mask).map_err(internal)?;
    let weights = arrow::compute::filter(rows.weights(), mask).map_err(internal)?;
    let weights = weights.as_primitive::<Int64Type>();
    if weights.values().iter().all(|weight| *weight == 1) {
        return Ok(picked);
    }
    let times =
        |(row, weight): (usize, &i64)| std::iter::repeat_n(row as u32, usize::try_from(*weight).unwrap_or(0));
    let positions = weights.values().iter().enumerate().flat_map(times).collect::<UInt32Array>();
    arrow::compute::take_record_batch(&picked, &positions).map_err(internal)
}

/// Rows with more columns.
fn beside(rows: &RecordBatch, values: Vec<ArrayRef>) -> Result<RecordBatch> {
    let columns = rows.columns().iter().cloned().chain(values).enumerate();
    let named = columns.map(|(position, column)| (format!("{position}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).map_err(internal)
}

/// Fails unless every row that was written references a row, and no row references one that is gone.
fn check_all(transaction: &mut Transaction, changes: &[Change]) -> Result<()> {
    let catalog = transaction.catalog();
    for change in changes {
        let Some(table) = catalog.by_id(change.table) else { continue };
        if let Some(old) = &change.old {
            for (other, key) in catalog.referencing(table.id) {
                check_not_referenced(transaction, table, (other, key), old)?;
            }
        }
        if let Some(new) = &change.new {
            for key in &table.rules().foreign_keys {
                let referenced = catalog.by_id(key.table);
                let referenced = referenced.ok_or_else(|| SqlError::internal("a foreign key has a table"))?;
                check_references(transaction, table, key, referenced, new, change.old.as_ref())?;
            }
        }
    }
    Ok(())
}

fn check_not_referenced(
    transaction: &mut Transaction,
    table: &Relation,
    (other, key): (&Relation, &ForeignKey),
    old: &RecordBatch,
) -> Result<()> {
    let gone = Keys::of(&ZBatch::inserts(old.clone()), &key.referenced);
    let kept = transaction.count_by_key(table, &key.referenced, &gone.columns)?;
    let there = Keys::new(gone.columns.clone()).present(&kept);
    let gone = gone.without(&there);
    if gone.is_empty() {
        return Ok(());
    }
    let texts = gone.columns.clone();
    let gone = gone.with_types_of(other, &key.columns);
    let counts = transaction.count_by_key(other, &key.columns, &gone.columns)?;
    let still = (0..gone.rows.len()).find(|row| counts.get(&gone.rows[*row]).is_some_and(|count| *count > 0));
    let Some(row) = still else { return Ok(()) };
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        table.name, key.name, other.name
    );
    let detail = format!(
        "Key {} is still referenced from table \"{}\".",
        key_text(table, &key.referenced, &texts, row),
        other.name
    );
    let subject = constraint_of(other, &key.name);
    Err(SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message).with_detail(detail).about(subject))
}

fn check_references(
    transaction: &mut Transaction,
    table: &Relation,
    key: &ForeignKey,
    referenced: &Relation,
    new: &RecordBatch,
    old: Option<&RecordBatch>,
) -> Result<()> {
    let mut keys = Keys::of(&ZBatch::inserts(new.clone()), &key.columns);
    if let Some(old) = old {
        keys = keys.without(&Keys::of(&ZBatch::inserts(old.clone()), &key.columns));
    }
    check_keys(transaction, table, key, referenced, keys)
}

/// Fails with `23503` unless what a foreign key references has all of these keys, but for those that no row of the table
/// has any more.
fn check_keys(
    transaction: &mut Transaction,
    table: &Relation,
    key: &ForeignKey,
    referenced: &Relation,
    keys: Keys,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    // A later change of the same statement may have taken a row away again.
    let there = transaction.count_by_key(table, &key.columns, &keys.columns)?;
    let keys = keys.present(&there);
    if keys.is_empty() {
        return Ok(());
    }
    let texts = keys.columns.clone();
    let keys = keys.with_types_of(referenced, &key.referenced);
    let counts = transaction.count_by_key(referenced, &key.referenced, &keys.columns)?;
    let Some(row) = keys.first_missing(&counts) else { return Ok(()) };
    let message = format!(
        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
        table.name, key.name
    );
    let detail = format!(
        "Key {} is not present in table \"{}\".",
        key_text(table, &key.columns, &texts, row),
        referenced.name
    );
    let subject = constraint_of(table, &key.name);
    Err(SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message).with_detail(detail).about(subject))
}

/// Fails with `23503` unless all rows of a table fulfil a foreign key that is new.
pub(super) async fn check_existing(
    transaction: &mut Transaction,
    table: &Relation,
    key: &ForeignKey,
    referenced: &Relation,
) -> Result<()> {
    for rows in transaction.rows(table.id).await? {
        let keys = Keys::of(&rows, &key.columns);
        check_keys(transaction, table, key, referenced, keys)?;
    }
    Ok(())
}

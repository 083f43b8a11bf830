//! FOREIGN KEY, as it is declared.

use springtide_catalog::{Action, Catalog, ForeignKey, Relation, RelationKind};
use springtide_sql::sqlparser::ast::{
    ConstraintReferenceMatchKind, ForeignKeyConstraint, Ident, ReferentialAction,
};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::ast;
use super::rules::{free_constraint_name, refuse_deferrable};

/// A foreign key of a table, which has this number there and perhaps a name.
pub(super) fn declared(
    catalog: &Catalog,
    table: &Relation,
    (number, name): (u64, Option<&str>),
    declared: &ForeignKeyConstraint,
) -> Result<ForeignKey> {
    refuse_deferrable(declared.characteristics.as_ref())?;
    if declared.match_kind.is_some_and(|kind| kind != ConstraintReferenceMatchKind::Simple) {
        return Err(SqlError::unsupported("MATCH other than SIMPLE"));
    }
    let referenced = catalog.get(&springtide_sql::object_name(&declared.foreign_table)?)?;
    if !matches!(referenced.kind, RelationKind::Table { .. }) {
        let message = format!("referenced relation \"{}\" is not a table", referenced.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    let (is_temporary, to_temporary) = (table.in_schema.is_temporary(), referenced.in_schema.is_temporary());
    if is_temporary != to_temporary {
        let kind = if is_temporary { "temporary" } else { "permanent" };
        let message = format!("constraints on {kind} tables may reference only {kind} tables");
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    let columns = referencing_columns(table, &declared.columns)?;
    let there = match declared.referred_columns.as_slice() {
        [] => referenced.primary_key().map(<[usize]>::to_vec).ok_or_else(|| {
            let message = format!("there is no primary key for referenced table \"{}\"", referenced.name);
            SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        })?,
        names => referencing_columns(referenced, names)?,
    };
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let names = columns.iter().map(|column| table.columns[*column].name.as_str());
            let parts = std::iter::once(table.name.as_str()).chain(names).collect::<Vec<_>>();
            free_constraint_name(table, &parts, "fkey")
        }
    };
    let (columns, there) = in_order_of_key(referenced, columns, there)?;
    check_types(table, &columns, referenced, &there, &name)?;
    let (on_delete, on_update) = (action(declared.on_delete)?, action(declared.on_update)?);
    Ok(ForeignKey { number, name, columns, table: referenced.id, referenced: there, on_delete, on_update })
}

fn referencing_columns(table: &Relation, names: &[Ident]) -> Result<Vec<usize>> {
    let position = |name: &Ident| {
        let name = ast::fold(name);
        table.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
            SqlError::new(SqlState::UNDEFINED_COLUMN, message)
        })
    };
    names.iter().map(position).collect()
}

/// Puts the columns in the order of the key that they reference.
fn in_order_of_key(
    referenced: &Relation,
    columns: Vec<usize>,
    there: Vec<usize>,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let is_key = |key: &&[usize]| key.len() == there.len() && key.iter().all(|column| there.contains(column));
    let key = referenced.keys().map(|key| key.columns).find(is_key).ok_or_else(|| {
        let name = &referenced.name;
        let message =
            format!("there is no unique constraint matching given keys for referenced table \"{name}\"");
        SqlError::new(SqlState::INVALID_FOREIGN_KEY, message)
    })?;
    if columns.len() != there.len() {
        let message = "number of referencing and referenced columns for foreign key disagree";
        return Err(SqlError::new(SqlState::INVALID_FOREIGN_KEY, message));
    }
    let of_key = |column: &usize| there.iter().position(|other| other == column).map(|at| columns[at]);
    Ok((key.iter().filter_map(of_key).collect(), key.to_vec()))
}

fn check_types(
    table: &Relation,
    columns: &[usize],
    referenced: &Relation,
    there: &[usize],
    name: &str,
) -> Result<()> {
    let family = |sql_type: SqlType| match sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => 0,
        SqlType::Text | SqlType::Varchar(_) => 1,
        SqlType::Numeric(..) => 2,
        SqlType::Float4 | SqlType::Float8 => 3,
        other => 16 + other.oid(),
    };
    for (column, other) in columns.iter().zip(there) {
        let (column, other) = (&table.columns[*column], &referenced.columns[*other]);
        if family(column.sql_type) != family(other.sql_type) {
            let message = format!("foreign key constraint \"{name}\" cannot be implemented");
            let detail = format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                column.name, other.name, column.sql_type, other.sql_type
            );
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_detail(detail));
        }
    }
    Ok(())
}

fn action(action: Option<ReferentialAction>) -> Result<Action> {
    Ok(match action {
        None | Some(ReferentialAction::NoAction) => Action::NoAction,
        Some(ReferentialAction::Restrict) => Action::Restrict,
        Some(ReferentialAction::Cascade) => Action::Cascade,
        Some(ReferentialAction::SetNull) => Action::SetNull,
        Some(ReferentialAction::SetDefault) => {
            return Err(SqlError::unsupported("SET DEFAULT of a foreign key"));
        }
    })
}

//! CHECK, UNIQUE and FOREIGN KEY constraints: declared with a table, or added to it and taken away.

use std::sync::Arc;

use springtide_catalog::{Catalog, Index, Relation, RelationKind, Rules};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    CheckConstraint, ConstraintCharacteristics, DeferrableInitial, Expr, ForeignKeyConstraint, Ident,
    IndexColumn, NullsDistinctOption, TableConstraint,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, ZBatch};

use super::{ast, checks, foreign_key, references};
use crate::constraints::check_new_key;
use crate::transaction::Transaction;

/// A constraint as it is declared, besides NOT NULL.
pub(super) struct Declared {
    pub(super) name: Option<String>,
    pub(super) kind: DeclaredKind,
}

pub(super) enum DeclaredKind {
    PrimaryKey(Vec<Ident>),
    Unique(Vec<Ident>),
    Check(Box<Expr>),
    ForeignKey(Box<ForeignKeyConstraint>),
}

impl Declared {
    /// A constraint of a table.
    pub(super) fn of_table(constraint: &TableConstraint) -> Result<Declared> {
        let (name, kind) = match constraint {
            TableConstraint::PrimaryKey(key) => {
                refuse_deferrable(key.characteristics.as_ref())?;
                (&key.name, DeclaredKind::PrimaryKey(column_names(&key.columns, "a PRIMARY KEY")?))
            }
            TableConstraint::Unique(unique) => {
                refuse_deferrable(unique.characteristics.as_ref())?;
                if unique.nulls_distinct == NullsDistinctOption::NotDistinct {
                    return Err(SqlError::unsupported("NULLS NOT DISTINCT"));
                }
                (&unique.name, DeclaredKind::Unique(column_names(&unique.columns, "UNIQUE")?))
            }
            TableConstraint::Check(CheckConstraint { name, expr, .. }) => {
                (name, DeclaredKind::Check(expr.clone()))
            }
            TableConstraint::ForeignKey(key) => (&key.name, DeclaredKind::ForeignKey(Box::new(key.clone()))),
            other => return Err(SqlError::unsupported(format!("the table constraint {other}"))),
        };
        Ok(Declared { name: name.as_ref().map(ast::fold), kind })
    }
}

/// The columns of a key.
pub(super) fn column_names(columns: &[IndexColumn], what: &str) -> Result<Vec<Ident>> {
    let name = |column: &IndexColumn| match &column.column.expr {
        Expr::Identifier(name) => Ok(name.clone()),
        _ => Err(SqlError::unsupported(format!("{what} on an expression"))),
    };
    columns.iter().map(name).collect()
}

pub(super) fn refuse_deferrable(characteristics: Option<&ConstraintCharacteristics>) -> Result<()> {
    let deferrable = characteristics.is_some_and(|given| {
        given.deferrable == Some(true) || given.initially == Some(DeferrableInitial::Deferred)
    });
    if deferrable { Err(SqlError::unsupported("a constraint that is DEFERRABLE")) } else { Ok(()) }
}

/// Positions of the columns of a key.
pub(super) fn key_columns(table: &Relation, names: &[Ident], what: &str) -> Result<Vec<usize>> {
    let mut positions = Vec::new();
    for name in names {
        let name = ast::fold(name);
        let position = table.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let message = format!("column \"{name}\" named in key does not exist");
            SqlError::new(SqlState::UNDEFINED_COLUMN, message)
        })?;
        if positions.contains(&position) {
            let message = format!("column \"{name}\" appears twice in {what} constraint");
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// Adds a constraint other than a primary key to the definition of a table. What its rows are is not looked at.
pub(super) fn declare(
    planner: &Planner,
    catalog: &mut Catalog,
    table: RelationId,
    declared: &Declared,
) -> Result<()> {
    let known = table_of(catalog, table)?;
    let mut rules = known.rules().clone();
    if let Some(name) = &declared.name {
        check_constraint_name(&known, name)?;
    }
    let number = rules.next_number();
    match &declared.kind {
        DeclaredKind::PrimaryKey(_) => return Err(SqlError::internal("a primary key is declared otherwise")),
        DeclaredKind::Unique(names) => {
            let columns = key_columns(&known, names, "unique")?;
            let name = index_name(catalog, &known, declared.name.as_deref(), &columns, "key")?;
            rules.indexes.push(Index { number, name, columns, unique: true, constraint: true });
        }
        DeclaredKind::Check(expr) => {
            let columns = checks::named_columns(&known, expr);
            let name = match (&declared.name, columns.as_slice()) {
                (Some(name), _) => name.clone(),
                (None, [column]) => {
                    free_constraint_name(&known, &[&known.name, &known.columns[*column].name], "check")
                }
                (None, _) => free_constraint_name(&known, &[&known.name], "check"),
            };
            rules.checks.push(checks::declared(planner, catalog, &known, (number, name), expr)?);
        }
        DeclaredKind::ForeignKey(key) => {
            let key = foreign_key::declared(catalog, &known, (number, declared.name.as_deref()), key)?;
            rules.foreign_keys.push(key);
        }
    }
    put_rules(catalog, &known, rules);
    Ok(())
}

/// The table of an identity.
pub(super) fn table_of(catalog: &Catalog, id: RelationId) -> Result<Arc<Relation>> {
    catalog.by_id(id).cloned().ok_or_else(|| SqlError::internal("the table is in the catalog"))
}

/// Gives a table other rules.
pub(super) fn put_rules(catalog: &mut Catalog, table: &Relation, rules: Rules) {
    let mut table = table.clone();
    if let RelationKind::Table { rules: known, .. } = &mut table.kind {
        *known = rules;
    }
    catalog.replace(table);
}

fn check_constraint_name(table: &Relation, name: &str) -> Result<()> {
    let is_primary = table.primary_key().is_some() && table.primary_key_name() == name;
    if !is_primary && !table.rules().constraint_names().any(|known| known == name) {
        return Ok(());
    }
    let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
    Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message))
}

/// A name for a constraint that no other one of the table has.
pub(super) fn free_constraint_name(table: &Relation, parts: &[&str], suffix: &str) -> String {
    Catalog::free_name(parts, suffix, |name| check_constraint_name(table, name).is_err())
}

/// The name of an index: the one that is given, which must be free, or one after the columns.
pub(super) fn index_name(
    catalog: &Catalog,
    table: &Relation,
    given: Option<&str>,
    columns: &[usize],
    suffix: &str,
) -> Result<String> {
    if let Some(name) = given {
        catalog.check_name_is_free(table.in_schema, name)?;
        return Ok(name.to_owned());
    }
    let columns = columns.iter().map(|column| table.columns[*column].name.as_str());
    let parts = std::iter::once(table.name.as_str()).chain(columns).collect::<Vec<_>>();
    let is_taken = |name: &str| {
        catalog.has_relation(table.in_schema, name) || check_constraint_name(table, name).is_err()
    };
    Ok(Catalog::free_name(&parts, suffix, is_taken))
}

/// ALTER TABLE ... ADD a constraint: the rows that are there must fulfil it.
pub(super) async fn add(
    planner: &Planner,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: RelationId,
    declared: &Declared,
) -> Result<()> {
    if let DeclaredKind::PrimaryKey(names) = &declared.kind {
        return add_primary_key(transaction, catalog, table, (declared.name.as_deref(), names)).await;
    }
    let before = table_of(catalog, table)?.rules().clone();
    declare(planner, catalog, table, declared)?;
    let after = table_of(catalog, table)?;
    let rules = after.rules();
    let rows = transaction.rows(table).await?;
    if let Some(check) = rules.checks.get(before.checks.len()) {
        checks::check_existing(planner, catalog, &after, check, rows.clone()).await?;
    }
    if rules.indexes.len() > before.indexes.len() {
        check_keys(&after, &rows)?;
    }
    if let Some(key) = rules.foreign_keys.get(before.foreign_keys.len()) {
        let referenced = table_of(catalog, key.table)?;
        references::check_existing(transaction, &after, key, &referenced).await?;
    }
    Ok(())
}

/// Fails unless the newest key of a table holds for its rows.
pub(super) fn check_keys(table: &Relation, rows: &[ZBatch]) -> Result<()> {
    let rows = ZBatch::concat(table.schema(), rows);
    table.keys().try_for_each(|key| check_new_key(table, key, &rows))
}

async fn add_primary_key(
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: RelationId,
    (name, columns): (Option<&str>, &[Ident]),
) -> Result<()> {
    let known = table_of(catalog, table)?;
    if known.primary_key().is_some() {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", known.name);
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    let columns = key_columns(&known, columns, "primary key")?;
    let given = name.map(|name| index_name(catalog, &known, Some(name), &columns, "pkey")).transpose()?;
    let mut changed = known.as_ref().clone();
    let rows = transaction.rows(table).await?;
    for column in &columns {
        set_not_null(&mut changed, *column, &rows)?;
    }
    if let RelationKind::Table { primary_key, rules, .. } = &mut changed.kind {
        *primary_key = Some(columns);
        rules.primary_key_name = given;
    }
    if let Some(key) = changed.keys().next() {
        check_new_key(&changed, key, &ZBatch::concat(changed.schema(), &rows))?;
    }
    catalog.replace(changed);
    Ok(())
}

/// SET NOT NULL
pub(super) fn set_not_null(table: &mut Relation, column: usize, rows: &[ZBatch]) -> Result<()> {
    use arrow::array::Array;
    if rows.iter().any(|rows| rows.columns()[column].null_count() > 0) {
        let message = format!(
            "column \"{}\" of relation \"{}\" contains null values",
            table.columns[column].name, table.name
        );
        return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message));
    }
    if table.is_nullable(column)
        && let RelationKind::Table { rules, .. } = &mut table.kind
    {
        rules.not_null.push(column);
    }
    Ok(())
}

/// ALTER TABLE ... DROP CONSTRAINT. Returns what went with it.
pub(super) fn drop(
    catalog: &mut Catalog,
    table: &Relation,
    name: &str,
    cascade: bool,
) -> Result<Option<Vec<String>>> {
    let mut changed = table.clone();
    let dropped_key = table.keys().find(|key| table.key_name(*key) == name).map(|key| key.columns.to_vec());
    let is_primary = table.primary_key().is_some() && table.primary_key_name() == name;
    let RelationKind::Table { primary_key, rules, .. } = &mut changed.kind else { return Ok(None) };
    let before = rules.clone();
    rules.checks.retain(|check| check.name != name);
    rules.indexes.retain(|index| !index.constraint || index.name != name);
    rules.foreign_keys.retain(|key| key.name != name);
    if is_primary {
        // Its columns go on being NOT NULL.
        (*primary_key, rules.primary_key_name) = (None, None);
    } else if *rules == before {
        return Ok(None);
    }
    let cascaded = match dropped_key {
        Some(key) => drop_referencing(catalog, &changed, &key, (name, "constraint"), cascade)?,
        None => Vec::new(),
    };
    // A table that references itself has changed meanwhile.
    if let Some(now) = catalog.by_id(table.id)
        && let RelationKind::Table { rules, .. } = &mut changed.kind
    {
        rules
            .foreign_keys
            .retain(|key| now.rules().foreign_keys.iter().any(|kept| kept.number == key.number));
    }
    catalog.replace(changed);
    Ok(Some(cascaded))
}

/// Takes away the foreign keys that need a key of a table which goes, or fails with `2BP01`. Returns them in words.
pub(super) fn drop_referencing(
    catalog: &mut Catalog,
    table: &Relation,
    key: &[usize],
    (name, kind): (&str, &str),
    cascade: bool,
) -> Result<Vec<String>> {
    if table.keys().any(|other| other.columns == key) {
        return Ok(Vec::new());
    }
    let needing = catalog.referencing(table.id).filter(|(_, other)| other.referenced == key);
    let needing = needing.map(|(other, key)| (other.clone(), key.clone())).collect::<Vec<_>>();
    if needing.is_empty() {
        return Ok(Vec::new());
    }
    if !cascade {
        let needed = match kind {
            "index" => format!("index {name}"),
            _ => format!("constraint {name} on table {}", table.name),
        };
        let on = format!("index {name}");
        let lines = needing
            .iter()
            .map(|(it, key)| format!("constraint {} on table {} depends on {on}", key.name, it.name));
        let message = format!("cannot drop {needed} because other objects depend on it");
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.collect::<Vec<_>>().join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
    }
    for (other, key) in &needing {
        let other = table_of(catalog, other.id)?;
        let mut rules = other.rules().clone();
        rules.foreign_keys.retain(|known| known.number != key.number);
        put_rules(catalog, &other, rules);
    }
    Ok(needing
        .iter()
        .map(|(other, key)| format!("constraint {} on table {}", key.name, other.name))
        .collect())
}

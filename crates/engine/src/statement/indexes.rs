//! CREATE and DROP INDEX.

use springtide_catalog::{Catalog, Index, Name, RelationKind};
use springtide_sql::sqlparser::ast::{CreateIndex, Ident};
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::Context;
use super::rules::{
    check_keys, column_names, drop_referencing, index_name, key_columns, put_rules, table_of,
};
use super::target::filled;
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// CREATE \[UNIQUE\] INDEX.
pub(super) async fn create(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    create: &CreateIndex,
) -> Result<Response> {
    let tag = "CREATE INDEX";
    let mut catalog = transaction.catalog();
    let given = create.name.as_ref().map(springtide_sql::object_name).transpose()?.map(|name| name.name);
    let table = catalog.get(&springtide_sql::object_name(&create.table_name)?)?.clone();
    let exists = |name: &&String| catalog.has_relation(table.in_schema, name);
    if let Some(name) = given.as_ref().filter(|_| create.if_not_exists).filter(exists) {
        context.notices.push(super::ddl::skipping_existing(name));
        return Ok(Response::complete(tag));
    }
    if !matches!(table.kind, RelationKind::Table { .. }) {
        let message = format!("cannot create index on relation \"{}\"", table.name);
        let detail = match table.kind {
            RelationKind::View { .. } => "This operation is not supported for views.",
            RelationKind::Sequence { .. } => "This operation is not supported for sequences.",
            RelationKind::Source(_) => "This operation is not supported for sources.",
            _ => return Err(SqlError::unsupported("an index on a materialized view")),
        };
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(detail));
    }
    if let Some(source) = table.filled_by().and_then(|source| catalog.by_id(source)).filter(|_| create.unique)
    {
        let what = format!("cannot create unique index on table \"{}\"", table.name);
        return Err(filled(&what, source));
    }
    refuse_unsupported(create)?;
    let columns = column_names(&create.columns, "an index")?;
    let columns = columns.iter().map(|name| super::column_position_of_key(&table, name));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let name = index_name(&catalog, &table, given.as_deref(), &columns, "idx")?;
    let mut rules = table.rules().clone();
    let number = rules.next_number();
    rules.indexes.push(Index { number, name, columns, unique: create.unique, constraint: false });
    put_rules(&mut catalog, &table, rules);
    if create.unique {
        let changed = table_of(&catalog, table.id)?;
        check_keys(&changed, &transaction.rows(table.id).await?)?;
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

/// Adds an index to the definition of a table that has no rows.
pub(super) fn declare(
    catalog: &mut Catalog,
    table: RelationId,
    columns: &[Ident],
    unique: bool,
) -> Result<()> {
    let table = table_of(catalog, table)?;
    let columns = key_columns(&table, columns, "index")?;
    let name = index_name(catalog, &table, None, &columns, "idx")?;
    let mut rules = table.rules().clone();
    let number = rules.next_number();
    rules.indexes.push(Index { number, name, columns, unique, constraint: false });
    put_rules(catalog, &table, rules);
    Ok(())
}

fn refuse_unsupported(create: &CreateIndex) -> Result<()> {
    let construct = if create.predicate.is_some() {
        "a partial index"
    } else if !create.include.is_empty() {
        "an index with INCLUDE"
    } else if create.nulls_distinct == Some(false) {
        "NULLS NOT DISTINCT"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(construct))
}

/// DROP INDEX
pub(super) fn drop(
    context: &mut Context<'_>,
    catalog: &mut Catalog,
    name: &Name,
    (if_exists, cascade): (bool, bool),
) -> Result<()> {
    let Some(table) = catalog.index(name).cloned() else {
        if let Err(error) = catalog.check_schema(name) {
            if !if_exists {
                return Err(error);
            }
            context.notices.push(Notice::new(format!("{}, skipping", error.message)));
            return Ok(());
        }
        if let Some(relation) = catalog.find(name) {
            let message = format!("\"{}\" is not an index", name.name);
            let kind = relation.kind_name();
            let hint = format!("Use DROP {} to remove a {kind}.", kind.to_uppercase());
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint));
        }
        if if_exists {
            context.notices.push(Notice::new(format!("index \"{}\" does not exist, skipping", name.name)));
            return Ok(());
        }
        let message = format!("index \"{}\" does not exist", name.name);
        return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
    };
    let name = name.name.as_str();
    let Some(index) = table.rules().indexes.iter().find(|index| index.name == name && !index.constraint)
    else {
        let required = format!("constraint {name} on table {}", table.name);
        let message = format!("cannot drop index {name} because {required} requires it");
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_hint(format!("You can drop {required} instead.")));
    };
    let key = index.columns.clone();
    let mut rules = table.rules().clone();
    rules.indexes.retain(|index| index.name != name);
    put_rules(catalog, &table, rules);
    let changed = table_of(catalog, table.id)?;
    for gone in drop_referencing(catalog, &changed, &key, (name, "index"), cascade)? {
        context.notices.push(Notice::new(format!("drop cascades to {gone}")));
    }
    Ok(())
}

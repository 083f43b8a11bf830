//! ALTER TABLE, VIEW and MATERIALIZED VIEW.

use std::sync::Arc;

use springtide_catalog::{Catalog, Default, Function, Name, Relation, RelationKind, SchemaId};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, DropBehavior, Expr, Ident, ObjectName,
    RenameTableNameKind,
};
use springtide_types::{Result, SqlError, SqlState};

use super::rules::{self, Declared};
use super::target::filled;
use super::{Context, ast, column_position, reshape, storage_options};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

pub(super) async fn alter(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    alter: &AlterTable,
) -> Result<Response> {
    let name = springtide_sql::object_name(&alter.name)?;
    let mut catalog = transaction.catalog();
    if alter.if_exists && catalog.find(&name).is_none() {
        context.notices.push(Notice::new(format!("relation \"{}\" does not exist, skipping", name.name)));
        return Ok(Response::complete("ALTER TABLE"));
    }
    let tag = format!("ALTER {}", catalog.get(&name)?.kind_name().to_uppercase());
    for operation in &alter.operations {
        let relation = catalog.get(&name)?.clone();
        check_of_source(&catalog, &relation, operation)?;
        match operation {
            AlterTableOperation::SetOptionsParens { options } => {
                catalog.replace(storage_options::altered(&relation, options)?);
            }
            AlterTableOperation::RenameTable {
                table_name: RenameTableNameKind::To(new) | RenameTableNameKind::As(new),
            } => rename(context.planner, &mut catalog, &relation, new)?,
            AlterTableOperation::RenameColumn { .. } if relation.kind_name() == "sequence" => {
                let message = format!("cannot rename columns of sequence \"{}\"", name.name);
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                rename_column(&mut catalog, &relation, old_column_name, new_column_name)?;
            }
            AlterTableOperation::AlterColumn { column_name, op } => match op {
                AlterColumnOperation::SetDefault { value } => {
                    set_default(context.planner, &mut catalog, &relation, column_name, Some(value))?;
                }
                AlterColumnOperation::DropDefault => {
                    set_default(context.planner, &mut catalog, &relation, column_name, None)?;
                }
                AlterColumnOperation::SetNotNull => {
                    let (mut changed, column) = table_column(&relation, column_name)?;
                    rules::set_not_null(&mut changed, column, &transaction.rows(relation.id).await?)?;
                    catalog.replace(changed);
                }
                AlterColumnOperation::DropNotNull => {
                    drop_not_null(&mut catalog, &relation, column_name)?;
                }
                AlterColumnOperation::SetDataType { data_type, using, .. } => {
                    check_is_table(&relation)?;
                    let new = (column_name, data_type, using.as_ref());
                    reshape::set_type(context, transaction, &mut catalog, &relation, new).await?;
                }
                other => return Err(SqlError::unsupported(format!("ALTER COLUMN ... {other}"))),
            },
            AlterTableOperation::AddColumn { if_not_exists, column_def, .. } => {
                check_is_table(&relation)?;
                let column = (column_def, *if_not_exists);
                reshape::add_column(context, transaction, &mut catalog, &relation, column).await?;
            }
            AlterTableOperation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
                check_is_table(&relation)?;
                let cascade = matches!(drop_behavior, Some(DropBehavior::Cascade));
                for column in column_names {
                    let relation = catalog.get(&name)?.clone();
                    let column = (column, *if_exists, cascade);
                    reshape::drop_column(context, transaction, &mut catalog, &relation, column).await?;
                }
            }
            AlterTableOperation::AddConstraint { constraint, not_valid: false } => {
                check_is_table(&relation)?;
                let declared = Declared::of_table(constraint)?;
                rules::add(context.planner, transaction, &mut catalog, relation.id, &declared).await?;
            }
            AlterTableOperation::DropConstraint { if_exists, name, drop_behavior } => {
                check_is_table(&relation)?;
                let cascade = matches!(drop_behavior, Some(DropBehavior::Cascade));
                drop_constraint(context, &mut catalog, &relation, &ast::fold(name), (*if_exists, cascade))?;
            }
            other => return Err(SqlError::unsupported(format!("ALTER TABLE ... {other}"))),
        }
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

/// RENAME TO: the views and functions that name the relation go on naming it.
fn rename(planner: &Planner, catalog: &mut Catalog, relation: &Relation, new: &ObjectName) -> Result<()> {
    let new = springtide_sql::object_name(new)?.name;
    moved(planner, catalog, relation, |catalog| catalog.rename(relation, &new))
}

/// SET SCHEMA, for which the same holds. What belongs to columns of a table goes along.
pub(super) fn set_schema(
    planner: &Planner,
    catalog: &mut Catalog,
    relation: &Relation,
    schema: SchemaId,
) -> Result<()> {
    if relation.in_schema == schema {
        return Ok(());
    }
    check_movable(catalog, relation, schema)?;
    let owned = catalog.relations().filter(|it| match &it.kind {
        RelationKind::Sequence { owner: Some(owner), .. } => owner.table == relation.id,
        _ => it.filled_by() == Some(relation.id),
    });
    for relation in owned.cloned().collect::<Vec<_>>().iter().map(AsRef::as_ref).chain([relation]) {
        moved(planner, catalog, relation, |catalog| catalog.set_schema(relation, schema))?;
    }
    Ok(())
}

fn check_movable(catalog: &Catalog, relation: &Relation, schema: SchemaId) -> Result<()> {
    if relation.in_schema.is_temporary() || schema.is_temporary() {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if let RelationKind::Sequence { owner: Some(owner), .. } = &relation.kind
        && let Some(table) = catalog.by_id(owner.table)
    {
        let message = "cannot move an owned sequence into another schema";
        let detail = format!("Sequence \"{}\" is linked to table \"{}\".", relation.name, table.name);
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
    }
    Ok(())
}

/// Gives a relation another place: what is kept of views, functions and defaults names it there.
fn moved(
    planner: &Planner,
    catalog: &mut Catalog,
    relation: &Relation,
    change: impl FnOnce(&mut Catalog) -> Result<()>,
) -> Result<()> {
    let old = catalog.stored_name(relation.in_schema, &relation.name);
    let functions = functions_naming(catalog, &old)?;
    change(catalog)?;
    let place = catalog.by_id(relation.id).cloned().ok_or_else(|| SqlError::internal("it was just moved"))?;
    let new = catalog.stored_name(place.in_schema, &place.name);
    if matches!(relation.kind, RelationKind::Sequence { .. }) {
        rename_in_defaults(catalog, relation, &old, &new);
    }
    let failed = |what: String, error: SqlError| {
        let message = format!("cannot rename {} because {what} names it", relation.description());
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("Its query cannot be rewritten: {}", error.message))
    };
    for function in functions {
        let what = format!("function {}", function.signature());
        let body = renamed(&function.body, &old, &new).map_err(|error| failed(what.clone(), error))?;
        let function = Function { body, ..function };
        catalog.replace_function(function.clone());
        planner.check_function(&function, catalog).map_err(|error| failed(what, error))?;
    }
    let dependents = catalog.dependents(relation.id);
    for view in dependents.iter().rev().filter(|view| view.depends_on.contains(&relation.id)) {
        let kind = match &view.kind {
            RelationKind::View { query } => {
                renamed(query, &old, &new).map(|query| RelationKind::View { query })
            }
            RelationKind::MaterializedView { query, plan } => renamed(query, &old, &new)
                .map(|query| RelationKind::MaterializedView { query, plan: plan.clone() }),
            RelationKind::Table { .. } | RelationKind::Sequence { .. } | RelationKind::Source(_) => continue,
        };
        let kind = kind.map_err(|error| failed(view.description(), error))?;
        catalog.replace(Relation { kind, ..view.as_ref().clone() });
    }
    for view in dependents.iter().rev() {
        check_unchanged(planner, catalog, view).map_err(|error| failed(view.description(), error))?;
    }
    Ok(())
}

/// A sequence goes on being the DEFAULT of columns under its new name.
fn rename_in_defaults(catalog: &mut Catalog, sequence: &Relation, old: &Name, new: &Name) {
    let [before, after] = [old, new].map(|name| springtide_sql::next_number(name).to_string());
    for table in catalog.relations().cloned().collect::<Vec<_>>() {
        if table.columns.iter().any(|column| column.draws_from(sequence.id)) {
            let mut table = table.as_ref().clone();
            for default in table.columns.iter_mut().filter_map(|column| column.default.as_mut()) {
                default.expr = default.expr.replace(&before, &after);
            }
            catalog.replace(table);
        }
    }
}

/// Fails with `42809` if a source could not go on afterwards: what it fills, and what it is itself, has the columns that its
/// connector gives, though names may differ.
fn check_of_source(catalog: &Catalog, relation: &Relation, operation: &AlterTableOperation) -> Result<()> {
    use AlterTableOperation::{RenameColumn, RenameTable, SetOptionsParens};
    if let Some(source) = relation.filled_by().and_then(|source| catalog.by_id(source))
        && !matches!(operation, SetOptionsParens { .. } | RenameTable { .. } | RenameColumn { .. })
    {
        return Err(filled(
            &format!("cannot change the columns or constraints of table \"{}\"", relation.name),
            source,
        ));
    }
    if relation.source_definition().is_some() && matches!(operation, RenameColumn { .. }) {
        let message = format!("cannot rename columns of source \"{}\"", relation.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    Ok(())
}

/// Fails with `42809` unless a relation is a table.
fn check_is_table(relation: &Relation) -> Result<()> {
    if matches!(relation.kind, RelationKind::Table { .. }) {
        return Ok(());
    }
    let message = format!("\"{}\" is not a table", relation.name);
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
}

/// A table to be changed, and the position of a column of it.
fn table_column(relation: &Relation, column: &Ident) -> Result<(Relation, usize)> {
    check_is_table(relation)?;
    Ok((relation.clone(), column_position(relation, column)?))
}

/// DROP NOT NULL. What a materialized view made of the column was made knowing that it holds no NULL.
fn drop_not_null(catalog: &mut Catalog, relation: &Relation, column: &Ident) -> Result<()> {
    let (mut changed, position) = table_column(relation, column)?;
    let name = &relation.columns[position].name;
    if relation.primary_key().is_some_and(|key| key.contains(&position)) {
        let message = format!("column \"{name}\" is in a primary key");
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    if relation.columns[position].identity().is_some() {
        let message = format!("column \"{name}\" of relation \"{}\" is an identity column", relation.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    if !relation.columns[position].nullable {
        let dependents = catalog.dependents(relation.id);
        let mut maintained = dependents.iter().rev();
        let maintained = maintained.find(|view| matches!(view.kind, RelationKind::MaterializedView { .. }));
        if let Some(view) = maintained {
            let message = format!("cannot drop NOT NULL of column {name} of {}", relation.description());
            let detail = format!("{} depends on {}", view.description(), relation.description());
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(detail)
                .with_hint("Drop the materialized views that read the table first."));
        }
        changed.columns[position].nullable = true;
    }
    if let RelationKind::Table { rules, .. } = &mut changed.kind {
        rules.not_null.retain(|column| *column != position);
    }
    catalog.replace(changed);
    Ok(())
}

fn drop_constraint(
    context: &mut Context<'_>,
    catalog: &mut Catalog,
    table: &Relation,
    name: &str,
    (if_exists, cascade): (bool, bool),
) -> Result<()> {
    match rules::drop(catalog, table, name, cascade)? {
        Some(cascaded) => {
            let notices = cascaded.into_iter().map(|what| format!("drop cascades to {what}"));
            context.notices.extend(notices.map(Notice::new));
        }
        None => {
            let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
            if !if_exists {
                return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
            }
            context.notices.push(Notice::new(format!("{message}, skipping")));
        }
    }
    Ok(())
}

/// The functions whose bodies name a relation.
fn functions_naming(catalog: &Catalog, relation: &Name) -> Result<Vec<Function>> {
    let mut naming = Vec::new();
    for function in catalog.all_functions() {
        if springtide_sql::names_relation(&ast::parse_query(&function.body)?, relation) {
            naming.push(function.clone());
        }
    }
    Ok(naming)
}

/// The text of a query in which a relation has another name.
fn renamed(text: &str, from: &Name, to: &Name) -> Result<String> {
    let mut query = ast::parse_query(text)?;
    springtide_sql::rename_relation(&mut query, from, to)?;
    Ok(query.to_string())
}

/// Fails unless a view still reads what it reads, and gives columns of the same types.
pub(super) fn check_unchanged(planner: &Planner, catalog: &Catalog, view: &Arc<Relation>) -> Result<()> {
    let view = catalog.by_id(view.id).ok_or_else(|| SqlError::internal("a dependent view is there"))?;
    let (RelationKind::View { query } | RelationKind::MaterializedView { query, .. }) = &view.kind else {
        return Ok(());
    };
    let bound = planner.bind(&ast::parse_query(query)?, &catalog.for_stored(), &[])?;
    let columns = bound.columns();
    let types = columns.iter().map(|column| column.sql_type);
    if bound.depends_on() == view.depends_on && types.eq(view.columns.iter().map(|column| column.sql_type)) {
        return Ok(());
    }
    Err(SqlError::unsupported("a query that would read something else"))
}

/// RENAME COLUMN, of what nothing else depends on.
fn rename_column(catalog: &mut Catalog, relation: &Relation, old: &Ident, new: &Ident) -> Result<()> {
    let position = column_position(relation, old)?;
    let (old, new) = (ast::fold(old), ast::fold(new));
    if relation.columns.iter().any(|column| column.name == new) {
        let message = format!("column \"{new}\" of relation \"{}\" already exists", relation.name);
        return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    let mut users =
        catalog.dependents(relation.id).iter().rev().map(|it| it.description()).collect::<Vec<_>>();
    let stored = catalog.stored_name(relation.in_schema, &relation.name);
    let functions = functions_naming(catalog, &stored)?;
    users.extend(functions.iter().map(|function| format!("function {}", function.signature())));
    if !users.is_empty() {
        let message = format!(
            "cannot rename column {old} of {} because other objects depend on it",
            relation.description()
        );
        let lines = users.iter().map(|user| format!("{user} depends on {}", relation.description()));
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.collect::<Vec<_>>().join("\n"))
            .with_hint("Drop these objects, rename the column, and create them again."));
    }
    let mut relation = relation.clone();
    for computed in super::generated::computed_from(&relation, position)? {
        if let Some(default) = &mut relation.columns[computed].default {
            let mut expr = ast::parse_expr(&default.expr)?;
            springtide_sql::rename_column(&mut expr, &old, &ast::quoted(&new));
            default.expr = expr.to_string();
        }
    }
    relation.columns[position].name.clone_from(&new);
    if let RelationKind::Table { rules, .. } = &mut relation.kind {
        for check in rules.checks.iter_mut().filter(|check| check.columns.contains(&position)) {
            let mut expr = ast::parse_expr(&check.expr)?;
            springtide_sql::rename_column(&mut expr, &old, &ast::quoted(&new));
            check.expr = expr.to_string();
        }
    }
    catalog.replace(relation);
    Ok(())
}

/// SET DEFAULT, and DROP DEFAULT, for which there is no expression.
fn set_default(
    planner: &Planner,
    catalog: &mut Catalog,
    relation: &Relation,
    column: &Ident,
    default: Option<&Expr>,
) -> Result<()> {
    if !matches!(relation.kind, RelationKind::Table { .. }) {
        return Err(SqlError::unsupported(format!("a DEFAULT of a column of a {}", relation.kind_name())));
    }
    let position = column_position(relation, column)?;
    let mut relation = relation.clone();
    let table = relation.name.clone();
    let column = &mut relation.columns[position];
    if column.identity().is_some() {
        let message = format!("column \"{}\" of relation \"{table}\" is an identity column", column.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    if column.generated().is_some() {
        let message = format!("column \"{}\" of relation \"{table}\" is a generated column", column.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    }
    column.default = default.map(|expr| Default::expression(expr.to_string()));
    super::ddl::check_defaults(planner, catalog, std::slice::from_mut(column))?;
    catalog.replace(relation);
    Ok(())
}

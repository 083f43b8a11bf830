//! ALTER TABLE, VIEW and MATERIALIZED VIEW.

use std::sync::Arc;

use springtide_catalog::{Catalog, Default, Function, Relation, RelationKind};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, Expr, Ident, ObjectName, RenameTableNameKind,
};
use springtide_types::{Result, SqlError, SqlState};

use super::{Context, ast, column_position, storage_options};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

pub(super) fn alter(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    alter: &AlterTable,
) -> Result<Response> {
    let name = springtide_sql::object_name(&alter.name)?;
    let mut catalog = transaction.catalog();
    if alter.if_exists && catalog.find(&name).is_none() {
        context.notices.push(Notice::new(format!("relation \"{name}\" does not exist, skipping")));
        return Ok(Response::complete("ALTER TABLE"));
    }
    let tag = format!("ALTER {}", catalog.get(&name)?.kind_name().to_uppercase());
    for operation in &alter.operations {
        let relation = catalog.get(&name)?.clone();
        match operation {
            AlterTableOperation::SetOptionsParens { options } => {
                catalog.replace(storage_options::altered(&relation, options)?);
            }
            AlterTableOperation::RenameTable {
                table_name: RenameTableNameKind::To(new) | RenameTableNameKind::As(new),
            } => rename(context.planner, &mut catalog, &relation, new)?,
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                rename_column(&mut catalog, &relation, old_column_name, new_column_name)?;
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                let default = match op {
                    AlterColumnOperation::SetDefault { value } => Some(value),
                    AlterColumnOperation::DropDefault => None,
                    other => return Err(SqlError::unsupported(format!("ALTER COLUMN ... {other}"))),
                };
                set_default(context.planner, &mut catalog, &relation, column_name, default)?;
            }
            other => return Err(SqlError::unsupported(format!("ALTER TABLE ... {other}"))),
        }
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

/// RENAME TO: the views and functions that name the relation go on naming it.
fn rename(planner: &Planner, catalog: &mut Catalog, relation: &Relation, new: &ObjectName) -> Result<()> {
    let new = springtide_sql::object_name(new)?;
    let functions = functions_naming(catalog, relation)?;
    catalog.rename(relation, &new)?;
    let failed = |what: String, error: SqlError| {
        let message = format!("cannot rename {} because {what} names it", relation.description());
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("Its query cannot be rewritten: {}", error.message))
    };
    for function in functions {
        let what = format!("function {}", function.signature());
        let body =
            renamed(&function.body, &relation.name, &new).map_err(|error| failed(what.clone(), error))?;
        let function = Function { body, ..function };
        catalog.replace_function(function.clone());
        planner.check_function(&function, catalog).map_err(|error| failed(what, error))?;
    }
    let dependents = catalog.dependents(relation.id);
    for view in dependents.iter().rev().filter(|view| view.depends_on.contains(&relation.id)) {
        let kind = match &view.kind {
            RelationKind::View { query } => {
                renamed(query, &relation.name, &new).map(|query| RelationKind::View { query })
            }
            RelationKind::MaterializedView { query, plan } => renamed(query, &relation.name, &new)
                .map(|query| RelationKind::MaterializedView { query, plan: plan.clone() }),
            RelationKind::Table { .. } => continue,
        };
        let kind = kind.map_err(|error| failed(view.description(), error))?;
        catalog.replace(Relation { kind, ..view.as_ref().clone() });
    }
    for view in dependents.iter().rev() {
        check_unchanged(planner, catalog, view).map_err(|error| failed(view.description(), error))?;
    }
    Ok(())
}

/// The functions whose bodies name a relation.
fn functions_naming(catalog: &Catalog, relation: &Relation) -> Result<Vec<Function>> {
    let mut naming = Vec::new();
    for function in catalog.all_functions() {
        if springtide_sql::names_relation(&ast::parse_query(&function.body)?, &relation.name) {
            naming.push(function.clone());
        }
    }
    Ok(naming)
}

/// The text of a query in which a relation has another name.
fn renamed(text: &str, from: &str, to: &str) -> Result<String> {
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
    let bound = planner.bind(&ast::parse_query(query)?, catalog, &[])?;
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
    let functions = functions_naming(catalog, relation)?;
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
    relation.columns[position].name = new;
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
    let column = &mut relation.columns[position];
    column.default = default.map(|expr| Default { expr: expr.to_string(), functions: Vec::new() });
    super::ddl::check_defaults(planner, catalog, std::slice::from_mut(column))?;
    catalog.replace(relation);
    Ok(())
}

//! CREATE, ALTER and DROP SCHEMA, and ALTER ... SET SCHEMA.

use std::sync::Arc;

use springtide_catalog::system::Identity;
use springtide_catalog::{
    Access, Catalog, Function as Callable, Name, Privilege, Relation, RelationKind, RoleId, SchemaId,
    Securable, denied,
};
use springtide_sql::sqlparser::ast::{self as sql, Function, ObjectName};
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::call::{texts, unknown};
use super::permission::must_own;
use super::role::{described, named};
use super::{Context, alter, ast, bind, function, grant, run};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// The procedure that stands for CREATE SCHEMA.
pub(super) const CREATE: &str = "springtide.create_schema";
/// The procedure that stands for ALTER SCHEMA ... RENAME TO.
pub(super) const RENAME: &str = "springtide.rename_schema";
/// The procedure that stands for ALTER ... SET SCHEMA.
pub(super) const SET: &str = "springtide.set_schema";

/// CREATE SCHEMA, with what it is to hold.
pub(super) async fn create(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let texts = texts(call)?;
    let [if_not_exists, name, owner, elements @ ..] = texts.as_slice() else { return Err(unknown(call)) };
    let (mut catalog, identity) = (transaction.catalog(), transaction.identity());
    let owner = match *owner {
        "" => None,
        owner => Some(named(catalog.roles(), identity, owner)?),
    };
    let name = match (*name, owner) {
        ("", Some(owner)) => catalog.roles().name(owner),
        (name, _) => name.to_owned(),
    };
    let on = Securable::Database;
    if !catalog.has_privilege(identity.current, on, Privilege::Create) {
        return Err(denied(format!("permission denied for {}", described(&catalog, on))));
    }
    if let Some(owner) = owner.filter(|owner| !catalog.roles().is_member(identity.current, *owner)) {
        return Err(denied(format!("must be member of role \"{}\"", catalog.roles().name(owner))));
    }
    if *if_not_exists == "true" && catalog.schema(&name).is_some() {
        let mut notice = Notice::new(format!("schema \"{name}\" already exists, skipping"));
        notice.error.sqlstate = SqlState::from_code("42P06");
        context.notices.push(notice);
        return Ok(Response::complete("CREATE SCHEMA"));
    }
    let id = catalog.create_schema(&name)?;
    if let Some(owner) = owner {
        catalog.set_access(Securable::Schema(id), Access { owner, grants: None });
    }
    transaction.set_catalog(catalog);
    fill(context, transaction, &name, owner, elements).await?;
    Ok(Response::complete("CREATE SCHEMA"))
}

/// Makes what a new schema is to hold, as its owner and with the schema first in the path.
async fn fill(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    schema: &str,
    owner: Option<RoleId>,
    elements: &[&str],
) -> Result<()> {
    let mut statements = Vec::new();
    for text in elements {
        let statement = springtide_sql::parse(text)?.pop();
        let statement = statement.ok_or_else(|| SqlError::internal("an element is a statement"))?;
        check_element(&statement.ast, schema)?;
        statements.push(statement);
    }
    // What stands later may be needed first.
    statements.sort_by_key(|statement| match &statement.ast {
        sql::Statement::CreateTable(_) => 1,
        sql::Statement::CreateView(_) => 2,
        sql::Statement::CreateIndex(_) => 3,
        sql::Statement::Call(call) if call.name.to_string().contains("grant") => 4,
        _ => 0,
    });
    let (identity, path) = (transaction.identity(), transaction.path().clone());
    transaction.act_as(Identity { current: owner.unwrap_or(identity.current), ..identity });
    transaction.look_along(&Arc::new(path.with_first(schema)));
    for statement in statements {
        let bound = bind(context.planner, &transaction.query_catalog(), &statement, &[])?;
        Box::pin(run(context, transaction, &statement, &bound, &[])).await?;
    }
    transaction.act_as(identity);
    transaction.look_along(&path);
    Ok(())
}

/// Fails with `42P15` if an element names another schema than the one that it is to be in.
fn check_element(statement: &sql::Statement, schema: &str) -> Result<()> {
    let name = match statement {
        sql::Statement::CreateTable(create) => &create.name,
        sql::Statement::CreateView(create) => &create.name,
        _ => return Ok(()),
    };
    match springtide_sql::object_name(name)?.schema.filter(|other| other != schema) {
        Some(other) => {
            let message = format!(
                "CREATE specifies a schema ({other}) different from the one being created ({schema})"
            );
            Err(SqlError::new(SqlState::from_code("42P15"), message))
        }
        None => Ok(()),
    }
}

/// DROP SCHEMA
pub(super) fn drop(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    names: &[ObjectName],
    (if_exists, cascade): (bool, bool),
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let mut schemas = Vec::new();
    for name in names {
        let name = springtide_sql::object_name(name)?.name;
        if springtide_catalog::system::is_schema(&name) {
            let message = format!("cannot drop schema {name} because it is required by the database system");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        match catalog.get_schema(&name) {
            Ok(SchemaId::PUBLIC) => return Err(SqlError::unsupported("dropping the schema public")),
            Ok(id) => schemas.push(id),
            Err(error) if if_exists => {
                context.notices.push(Notice::new(format!("{}, skipping", error.message)));
            }
            Err(error) => return Err(error),
        }
    }
    let dropped = catalog.drop_schemas(&schemas, cascade)?;
    context.notices.extend(Notice::of_cascade(&dropped));
    transaction.set_catalog(catalog);
    Ok(Response::complete("DROP SCHEMA"))
}

/// ALTER SCHEMA ... RENAME TO: what is kept of views, functions and defaults goes on naming what it names.
pub(super) fn rename(transaction: &mut Transaction, call: &Function) -> Result<Response> {
    let texts = texts(call)?;
    let [from, to] = texts[..] else { return Err(unknown(call)) };
    let mut catalog = transaction.catalog();
    let (id, current) = (catalog.get_schema(from)?, transaction.identity().current);
    must_own(&catalog, current, Securable::Schema(id))?;
    if id == SchemaId::PUBLIC {
        return Err(SqlError::unsupported("another name for the schema public"));
    }
    if !catalog.has_privilege(current, Securable::Database, Privilege::Create) {
        return Err(denied(format!("permission denied for {}", described(&catalog, Securable::Database))));
    }
    catalog.rename_schema(id, to)?;
    let renaming = springtide_sql::with_schema_renamed(from, to);
    for relation in catalog.relations().cloned().collect::<Vec<_>>() {
        if let Some(renamed) = with_names(&relation, &renaming)? {
            catalog.replace(renamed);
        }
    }
    for function in catalog.all_functions().cloned().collect::<Vec<_>>() {
        let mut query = ast::parse_query(&function.body)?;
        if renaming.query(&mut query)? {
            catalog.replace_function(Callable { body: query.to_string(), ..function });
        }
    }
    transaction.set_catalog(catalog);
    Ok(Response::complete("ALTER SCHEMA"))
}

/// A relation whose query, defaults and constraints have other names; `None` if they stay as they are.
fn with_names(relation: &Relation, renaming: &springtide_sql::Renaming<'_>) -> Result<Option<Relation>> {
    let (mut renamed, mut changed) = (relation.clone(), false);
    let mut in_expr = |text: &mut String| -> Result<()> {
        let mut expr = ast::parse_expr(text)?;
        if renaming.expr(&mut expr)? {
            (*text, changed) = (expr.to_string(), true);
        }
        Ok(())
    };
    for default in renamed.columns.iter_mut().filter_map(|column| column.default.as_mut()) {
        in_expr(&mut default.expr)?;
    }
    match &mut renamed.kind {
        RelationKind::Table { rules, .. } => {
            rules.checks.iter_mut().try_for_each(|check| in_expr(&mut check.expr))?;
        }
        RelationKind::View { query } | RelationKind::MaterializedView { query, .. } => {
            let mut parsed = ast::parse_query(query)?;
            if renaming.query(&mut parsed)? {
                (*query, changed) = (springtide_sql::query_text(&parsed), true);
            }
        }
        RelationKind::Sequence { .. } | RelationKind::Source(_) => {}
    }
    Ok(changed.then_some(renamed))
}

/// ALTER TABLE, VIEW, SEQUENCE, ... SET SCHEMA
pub(super) fn set(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Response> {
    let texts = texts(call)?;
    let [kind, if_exists, name, schema] = texts[..] else { return Err(unknown(call)) };
    let tag = format!("ALTER {}", kind.to_uppercase());
    let mut catalog = transaction.catalog();
    let current = transaction.identity().current;
    if kind == "function" {
        let function = function::named(&catalog, name)?;
        let schema = target(&catalog, current, Securable::Function(function.id), schema)?;
        set_of_function(&mut catalog, &function, schema)?;
        transaction.set_catalog(catalog);
        return Ok(Response::complete(tag));
    }
    let on = match grant::object_named(&catalog, kind, name) {
        Err(error) if if_exists == "true" && is_missing(&error) => {
            context.notices.push(Notice::new(format!("{}, skipping", error.message)));
            return Ok(Response::complete(tag));
        }
        on => on?,
    };
    let schema = target(&catalog, current, on, schema)?;
    let Securable::Relation(id) = on else { return Err(SqlError::unsupported(format!("{tag} SET SCHEMA"))) };
    let relation = relation_of(&catalog, id)?;
    alter::set_schema(context.planner, &mut catalog, &relation, schema)?;
    transaction.set_catalog(catalog);
    Ok(Response::complete(tag))
}

fn is_missing(error: &SqlError) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(&error.sqlstate)
}

fn relation_of(catalog: &Catalog, id: RelationId) -> Result<Arc<Relation>> {
    catalog.by_id(id).cloned().ok_or_else(|| SqlError::internal("it was just found"))
}

/// The schema to which a role moves something, if it may.
fn target(catalog: &Catalog, role: RoleId, on: Securable, schema: &str) -> Result<SchemaId> {
    must_own(catalog, role, on)?;
    let schema = catalog.get_schema(schema)?;
    let into = Securable::Schema(schema);
    if !catalog.has_privilege(role, into, Privilege::Create) {
        return Err(denied(format!("permission denied for {}", described(catalog, into))));
    }
    Ok(schema)
}

/// What calls the function names it in the old schema: that is found out, and not rewritten.
fn set_of_function(catalog: &mut Catalog, function: &Callable, schema: SchemaId) -> Result<()> {
    if function.in_schema == schema {
        return Ok(());
    }
    let users = catalog.users_of(function);
    if let Some(user) = users.first() {
        let message = format!("cannot move function {} because {user} calls it", catalog.signature(function));
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_hint("Drop what calls it, move the function, and create it again."));
    }
    let types = function.types().collect::<Vec<_>>();
    if catalog.function_in(schema, &function.name, &types).is_some() {
        let name = Name::bare(function.signature());
        let message = format!("function {name} already exists in schema \"{}\"", catalog.schema_name(schema));
        return Err(SqlError::new(SqlState::DUPLICATE_FUNCTION, message));
    }
    catalog.replace_function(Callable { in_schema: schema, ..function.clone() });
    Ok(())
}

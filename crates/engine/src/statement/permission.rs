//! Whether the current role may do what a statement does. Checked each time that it runs, since roles and privileges change.

use springtide_catalog::{Catalog, Privilege, Relation, RelationKind, RoleId, Securable, denied};
use springtide_sql::Statement;
use springtide_sql::sqlparser::ast as sql;
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::Bound;
use super::role::described;

/// Fails with `42501` unless a role may run a statement that is bound under a catalog.
pub(crate) fn check(catalog: &Catalog, role: RoleId, statement: &Statement, bound: &Bound) -> Result<()> {
    for (relation, privilege) in bound.needs(&statement.ast) {
        match privilege {
            Privilege::Select => may_read(catalog, role, relation)?,
            privilege => needs(catalog, role, relation, privilege)?,
        }
    }
    match bound {
        Bound::Text if !catalog.roles().is_superuser(role) => check_text(catalog, role, &statement.ast),
        _ => Ok(()),
    }
}

/// Fails unless a role may read relations. Those that a plain view reads, its owner must be able to read.
pub(super) fn may_read_all(catalog: &Catalog, role: RoleId, relations: &[RelationId]) -> Result<()> {
    relations.iter().try_for_each(|relation| may_read(catalog, role, *relation))
}

fn may_read(catalog: &Catalog, role: RoleId, relation: RelationId) -> Result<()> {
    needs(catalog, role, relation, Privilege::Select)?;
    let Some(relation) = catalog.by_id(relation) else { return Ok(()) };
    match relation.kind {
        RelationKind::View { .. } => {
            let owner = catalog.owner(Securable::Relation(relation.id));
            may_read_all(catalog, owner, &relation.depends_on)
        }
        _ => Ok(()),
    }
}

/// Fails unless a role has a privilege on a relation.
pub(super) fn needs(catalog: &Catalog, role: RoleId, id: RelationId, privilege: Privilege) -> Result<()> {
    let in_schema = catalog.by_id(id).map(|relation| relation.in_schema);
    if in_schema.is_some_and(|id| id.is_temporary() && Some(id) != catalog.path().temporary()) {
        let message = "cannot access temporary tables of other sessions";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if catalog.roles().is_superuser(role) {
        return Ok(());
    }
    let on = Securable::Relation(id);
    let schema = in_schema.filter(|id| !id.is_temporary());
    let schema = schema.map(Securable::Schema);
    if let Some(schema) = schema.filter(|on| !catalog.has_privilege(role, *on, Privilege::Usage)) {
        return Err(denied_for(catalog, schema));
    }
    if !catalog.has_privilege(role, on, privilege) {
        return Err(denied_for(catalog, on));
    }
    Ok(())
}

/// Fails unless a role may do with an object what its owner may.
pub(super) fn must_own(catalog: &Catalog, role: RoleId, on: Securable) -> Result<()> {
    if catalog.owns(role, on) {
        return Ok(());
    }
    Err(denied(format!("must be owner of {}", described(catalog, on))))
}

fn denied_for(catalog: &Catalog, on: Securable) -> springtide_types::SqlError {
    denied(format!("permission denied for {}", described(catalog, on)))
}

/// Fails unless a role may create something of a name. Where no schema is found, it is left to the statement to tell.
fn may_create(catalog: &Catalog, role: RoleId, name: &sql::ObjectName, temporary: bool) -> Result<()> {
    let name = springtide_sql::object_name(name)?;
    let (on, privilege) = match catalog.schema_of_new(&name) {
        _ if temporary || name.schema.as_deref() == Some("pg_temp") => {
            (Securable::Database, Privilege::Temporary)
        }
        Ok(schema) => (Securable::Schema(schema), Privilege::Create),
        Err(_) => return Ok(()),
    };
    if catalog.has_privilege(role, on, privilege) {
        return Ok(());
    }
    match on {
        Securable::Database => Err(denied(format!(
            "permission denied to create temporary tables in {}",
            described(catalog, on).replacen("database ", "database \"", 1) + "\""
        ))),
        on => Err(denied_for(catalog, on)),
    }
}

/// The statements that are about what exists. What is not there is left to the statement to tell.
fn check_text(catalog: &Catalog, role: RoleId, statement: &sql::Statement) -> Result<()> {
    let owns = |name: &sql::ObjectName| owns_named(catalog, role, name);
    match statement {
        sql::Statement::CreateTable(create) => may_create(catalog, role, &create.name, create.temporary),
        sql::Statement::CreateView(create) if create.or_replace => {
            may_create(catalog, role, &create.name, create.temporary)?;
            owns(&create.name)
        }
        sql::Statement::CreateView(create) => may_create(catalog, role, &create.name, create.temporary),
        sql::Statement::CreateFunction(create) => {
            may_create(catalog, role, &create.name, false)?;
            if create.or_replace { owns_functions(catalog, role, &create.name) } else { Ok(()) }
        }
        sql::Statement::DropFunction(drop) => {
            drop.func_desc.iter().try_for_each(|known| owns_functions(catalog, role, &known.name))
        }
        sql::Statement::Drop { object_type: sql::ObjectType::Index, names, .. } => {
            names.iter().try_for_each(|name| owns_index(catalog, role, name))
        }
        sql::Statement::Drop { object_type: sql::ObjectType::Schema, names, .. } => {
            let ids =
                names.iter().filter_map(|name| catalog.schema(&springtide_sql::object_name(name).ok()?.name));
            ids.into_iter().try_for_each(|id| must_own(catalog, role, Securable::Schema(id)))
        }
        sql::Statement::Drop { object_type: sql::ObjectType::Type, names, .. } => {
            names.iter().try_for_each(|name| owns_type(catalog, role, name))
        }
        sql::Statement::Drop { names, .. } => names.iter().try_for_each(owns),
        sql::Statement::DropDomain(drop) => owns_type(catalog, role, &drop.name),
        sql::Statement::CreateType { name, .. } => may_create(catalog, role, name, false),
        sql::Statement::AlterType(alter) => owns_type(catalog, role, &alter.name),
        sql::Statement::AlterTable(alter) => owns(&alter.name),
        sql::Statement::CreateIndex(create) => owns(&create.table_name),
        sql::Statement::Comment { object_type, object_name, .. } => {
            owns_commented(catalog, role, *object_type, object_name)
        }
        sql::Statement::ExplainTable { table_name, .. } => match find(catalog, table_name) {
            Some(relation) => may_read(catalog, role, relation.id),
            None => Ok(()),
        },
        sql::Statement::Call(call) => check_call(catalog, role, call),
        // TRUNCATE looks for itself, since it may take other tables along; EXPLAIN, since it binds what it explains.
        _ => Ok(()),
    }
}

/// Statements about sequences and sources; those about roles and privileges have rules of their own.
fn check_call(catalog: &Catalog, role: RoleId, call: &sql::Function) -> Result<()> {
    let sql::FunctionArguments::List(list) = &call.args else { return Ok(()) };
    let named = list.args.iter().filter_map(|argument| match argument {
        sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr)) => name_in(expr),
        _ => None,
    });
    match call.name.to_string().as_str() {
        "springtide.create_sequence" | "springtide.create_domain" | super::CREATE_SOURCE => named
            .take(1)
            .collect::<Vec<_>>()
            .iter()
            .try_for_each(|name| may_create(catalog, role, name, false)),
        "springtide.alter_sequence" | super::DROP_SOURCE => {
            named.collect::<Vec<_>>().iter().try_for_each(|name| owns_named(catalog, role, name))
        }
        _ => Ok(()),
    }
}

fn name_in(expr: &sql::Expr) -> Option<sql::ObjectName> {
    match expr {
        sql::Expr::Identifier(name) => Some(sql::ObjectName::from(vec![name.clone()])),
        sql::Expr::CompoundIdentifier(names) => Some(sql::ObjectName::from(names.clone())),
        _ => None,
    }
}

fn find<'a>(catalog: &'a Catalog, name: &sql::ObjectName) -> Option<&'a Relation> {
    let name = springtide_sql::object_name(name).ok()?;
    catalog.find(&name).map(AsRef::as_ref)
}

fn owns_named(catalog: &Catalog, role: RoleId, name: &sql::ObjectName) -> Result<()> {
    match find(catalog, name) {
        Some(relation) => must_own(catalog, role, Securable::Relation(relation.id)),
        None => Ok(()),
    }
}

fn owns_type(catalog: &Catalog, role: RoleId, name: &sql::ObjectName) -> Result<()> {
    match catalog.types().find(&springtide_sql::type_name(name)?) {
        Some(known) => must_own(catalog, role, Securable::Type(known.id)),
        None => Ok(()),
    }
}

fn owns_index(catalog: &Catalog, role: RoleId, name: &sql::ObjectName) -> Result<()> {
    let name = springtide_sql::object_name(name)?;
    match catalog.index(&name) {
        Some(table) if !catalog.owns(role, Securable::Relation(table.id)) => {
            Err(denied(format!("must be owner of index {}", name.name)))
        }
        _ => Ok(()),
    }
}

/// Fails unless all functions of a name are the role's: which of them is meant is found out later.
fn owns_functions(catalog: &Catalog, role: RoleId, name: &sql::ObjectName) -> Result<()> {
    let functions = catalog.functions(&springtide_sql::object_name(name)?);
    functions.iter().try_for_each(|function| must_own(catalog, role, Securable::Function(function.id)))
}

fn owns_commented(
    catalog: &Catalog,
    role: RoleId,
    kind: sql::CommentObject,
    name: &sql::ObjectName,
) -> Result<()> {
    match kind {
        sql::CommentObject::Database => must_own(catalog, role, Securable::Database),
        sql::CommentObject::Schema => {
            let name = springtide_sql::object_name(name)?;
            catalog.schema(&name.name).map_or(Ok(()), |id| must_own(catalog, role, Securable::Schema(id)))
        }
        sql::CommentObject::Type | sql::CommentObject::Domain => owns_type(catalog, role, name),
        sql::CommentObject::Function => owns_functions(catalog, role, name),
        sql::CommentObject::Column => {
            let of = name.0.split_last().map(|(_, of)| sql::ObjectName(of.to_vec()));
            of.map_or(Ok(()), |of| owns_named(catalog, role, &of))
        }
        _ => owns_named(catalog, role, name),
    }
}

/// Fails unless a role may have what a statement has made.
pub(super) fn check_new(before: &Catalog, after: &Catalog, role: RoleId) -> Result<()> {
    if after.roles().is_superuser(role) || std::ptr::eq(before, after) {
        return Ok(());
    }
    check_new_references(before, after, role)?;
    check_new_views(before, after, role)
}

/// Fails unless a role may have the foreign keys that a statement has declared: it needs REFERENCES on what they lead to.
fn check_new_references(before: &Catalog, after: &Catalog, role: RoleId) -> Result<()> {
    for table in after.relations() {
        let known = before.by_id(table.id).map(|table| table.rules());
        for key in &table.rules().foreign_keys {
            let is_known = known.is_some_and(|rules| rules.foreign_keys.iter().any(|it| it.name == key.name));
            if !is_known && key.table != table.id {
                needs(after, role, key.table, Privilege::References)?;
            }
        }
    }
    Ok(())
}

/// Fails unless a role may compute the materialized views that a statement has created.
fn check_new_views(before: &Catalog, after: &Catalog, role: RoleId) -> Result<()> {
    let is_new = |view: &&std::sync::Arc<Relation>| {
        matches!(view.kind, RelationKind::MaterializedView { .. }) && before.by_id(view.id).is_none()
    };
    after.relations().filter(is_new).try_for_each(|view| may_read_all(after, role, &view.depends_on))
}

//! GRANT and REVOKE of privileges.

use std::collections::BTreeSet;

use springtide_catalog::system::Identity;
use springtide_catalog::{
    Access, Catalog, Privilege, Relation, RelationKind, Revocation, RoleId, SchemaId, Securable, denied,
};
use springtide_sql::sqlparser::ast::Function;
use springtide_types::{Result, SqlError, SqlState};

use super::call::{texts, two_lists, unknown};
use super::role::{described, named};
use super::{Context, ast};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// What is to be granted or revoked.
struct Order<'a> {
    /// Whether to grant: else how to revoke.
    revocation: Option<Revocation>,
    /// WITH GRANT OPTION
    option: bool,
    /// `None` is ALL.
    privileges: Option<BTreeSet<Privilege>>,
    /// What kind of object was named.
    kind: &'a str,
    /// `None` is PUBLIC.
    grantees: Vec<Option<RoleId>>,
}

/// Runs GRANT or REVOKE of privileges, if a call stands for one.
pub(super) fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Option<Response>> {
    let grants = match call.name.to_string().as_str() {
        "springtide.grant" => true,
        "springtide.revoke" => false,
        _ => return Ok(None),
    };
    let texts = texts(call)?;
    let (flags, rest) = texts.split_at(if grants { 1 } else { 2.min(texts.len()) });
    let (privileges, rest) = two_lists(call, rest)?;
    let (objects, grantees) = two_lists(call, rest)?;
    let [kind, names @ ..] = objects else { return Err(unknown(call)) };
    let (option, cascade) = (flags.first() == Some(&"true"), flags.get(1) == Some(&"true"));
    let mut catalog = transaction.catalog();
    let order = Order {
        revocation: (!grants).then_some(Revocation { option_only: option, cascade }),
        option,
        privileges: all_privileges(privileges)?,
        kind,
        grantees: self::grantees(&catalog, transaction.identity(), grantees)?,
    };
    if grants && option && order.grantees.contains(&None) {
        return Err(invalid("grant options can only be granted to roles"));
    }
    for on in objects_named(&catalog, kind, names)? {
        change(context, &mut catalog, &order, on, transaction.identity().current)?;
    }
    transaction.set_catalog(catalog);
    Ok(Some(Response::complete(if grants { "GRANT" } else { "REVOKE" })))
}

/// The roles that are named; `None` is PUBLIC.
pub(super) fn grantees(catalog: &Catalog, identity: Identity, names: &[&str]) -> Result<Vec<Option<RoleId>>> {
    let grantee = |name: &&str| match *name {
        "public" => Ok(None),
        name => named(catalog.roles(), identity, name).map(Some),
    };
    names.iter().map(grantee).collect()
}

/// The privileges that are named; `None` is ALL.
pub(super) fn all_privileges(words: &[&str]) -> Result<Option<BTreeSet<Privilege>>> {
    if words == ["all"] {
        return Ok(None);
    }
    let privilege = |word: &&str| match word.strip_suffix(" (") {
        Some(_) => Err(SqlError::unsupported("a privilege for columns")
            .with_hint("Grant SELECT on a view that has these columns alone.")),
        None => Privilege::parse(word).ok_or_else(|| {
            let message = format!("unrecognized privilege type \"{word}\"");
            SqlError::new(SqlState::SYNTAX_ERROR, message)
        }),
    };
    words.iter().map(privilege).collect::<Result<_>>().map(Some)
}

/// The objects of a kind that are named.
fn objects_named(catalog: &Catalog, kind: &str, names: &[&str]) -> Result<Vec<Securable>> {
    if let Some(what) = kind.strip_prefix("all ") {
        let schemas = names.iter().map(|schema| schema_named(catalog, schema)).collect::<Result<Vec<_>>>()?;
        let is_sequence = |relation: &Relation| matches!(relation.kind, RelationKind::Sequence { .. });
        let chosen = schemas.into_iter().flat_map(|schema| catalog.relations_in(schema));
        let chosen = chosen.filter(|it| is_sequence(it) == (what == "sequences"));
        return Ok(chosen.map(|relation| Securable::Relation(relation.id)).collect());
    }
    names.iter().map(|name| object_named(catalog, kind, name)).collect()
}

/// The object of a kind that a text names.
pub(super) fn object_named(catalog: &Catalog, kind: &str, name: &str) -> Result<Securable> {
    match kind {
        "schema" => schema_named(catalog, name).map(Securable::Schema),
        "database" if ast::unquoted(name)? == springtide_catalog::system::DATABASE => Ok(Securable::Database),
        "database" => {
            let message = format!("database \"{name}\" does not exist");
            Err(SqlError::new(SqlState::INVALID_CATALOG_NAME, message))
        }
        "type" | "domain" => {
            let name = springtide_sql::type_name(&ast::parse_name(name)?)?;
            Ok(Securable::Type(catalog.get_type(&name)?.id))
        }
        "function" => Err(SqlError::unsupported("an owner of a function, or a privilege to call one,")),
        kind => {
            let relation = catalog.get(&springtide_sql::object_name(&ast::parse_name(name)?)?)?;
            // Whatever it is may be called a table here, as in PostgreSQL.
            if kind != "table" && kind != relation.kind_name() {
                let message = format!("\"{}\" is not a {kind}", relation.name);
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            Ok(Securable::Relation(relation.id))
        }
    }
}

pub(super) fn schema_named(catalog: &Catalog, name: &str) -> Result<SchemaId> {
    catalog.get_schema(&ast::unquoted(name)?)
}

/// Grants or revokes on one object what the current role may.
fn change(
    context: &mut Context<'_>,
    catalog: &mut Catalog,
    order: &Order<'_>,
    on: Securable,
    current: RoleId,
) -> Result<()> {
    let known = catalog.privileges_of(on);
    let wanted = order.privileges.clone().unwrap_or_else(|| known.iter().copied().collect());
    if let Some(wrong) = wanted.iter().find(|privilege| !known.contains(privilege)) {
        let kind = order.kind.strip_prefix("all ").map_or(order.kind, |kind| kind.trim_end_matches('s'));
        return Err(invalid(format!("invalid privilege type {wrong} for {kind}")));
    }
    let allowed = wanted.iter().filter_map(|privilege| {
        catalog.grantor_for(current, on, *privilege).map(|grantor| (*privilege, grantor))
    });
    let allowed = allowed.collect::<Vec<_>>();
    if allowed.is_empty() && !known.iter().any(|privilege| catalog.has_privilege(current, on, *privilege)) {
        return Err(denied(format!("permission denied for {}", described(catalog, on))));
    }
    let partly = order.privileges.is_some() && allowed.len() < wanted.len();
    if allowed.is_empty() || partly {
        context.notices.push(incomplete(catalog, order, on, allowed.is_empty()));
    }
    let mut list = catalog.grant_list(on);
    for (privilege, grantor) in allowed {
        for grantee in &order.grantees {
            match order.revocation {
                None => list.add(grantor, *grantee, privilege, order.option),
                Some(how) => list.remove(grantor, *grantee, privilege, how).map_err(|_| {
                    let message = "dependent privileges exist";
                    SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                        .with_hint("Use CASCADE to revoke them too.")
                })?,
            }
        }
    }
    let owner = catalog.owner(on);
    catalog.set_access(on, Access { owner, grants: Some(list.into_grants()) });
    Ok(())
}

/// Tells of privileges that the current role may not grant or revoke.
fn incomplete(catalog: &Catalog, order: &Order<'_>, on: Securable, none: bool) -> Notice {
    let described = described(catalog, on);
    let name = described.rsplit(' ').next().unwrap_or_default();
    let (state, message) = match (order.revocation.is_some(), none) {
        (false, true) => ("01007", format!("no privileges were granted for \"{name}\"")),
        (false, false) => ("01007", format!("not all privileges were granted for \"{name}\"")),
        (true, true) => ("01006", format!("no privileges could be revoked for \"{name}\"")),
        (true, false) => ("01006", format!("not all privileges could be revoked for \"{name}\"")),
    };
    Notice::warning(SqlState::from_code(state), message)
}

pub(super) fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::from_code("0LP01"), message)
}

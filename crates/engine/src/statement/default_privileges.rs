//! ALTER DEFAULT PRIVILEGES: what is granted on what a role creates from now on.

use springtide_catalog::{FutureKind, Revocation, SchemaId, denied};
use springtide_sql::sqlparser::ast::Function;
use springtide_types::{Result, SqlError};

use super::Context;
use super::call::{texts, two_lists, unknown};
use super::grant::{all_privileges, grantees, invalid, schema_named};
use super::role::named;
use crate::response::Response;
use crate::transaction::Transaction;

/// Runs ALTER DEFAULT PRIVILEGES, if a call stands for it.
pub(super) fn run(
    _context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Option<Response>> {
    if call.name.to_string() != "springtide.alter_default" {
        return Ok(None);
    }
    let texts = texts(call)?;
    let (owners, rest) = two_lists(call, &texts)?;
    let (schemas, rest) = two_lists(call, rest)?;
    let [verb, option, cascade, rest @ ..] = rest else { return Err(unknown(call)) };
    let (privileges, rest) = two_lists(call, rest)?;
    let (kind, whom) = two_lists(call, rest)?;
    let kind = match kind {
        ["tables"] => FutureKind::Tables,
        ["sequences"] => FutureKind::Sequences,
        _ => return Err(SqlError::unsupported("a default privilege on anything but TABLES and SEQUENCES")),
    };
    let (option, cascade) = (*option == "true", *cascade == "true");
    let change = if *verb == "grant" { Ok(option) } else { Err(Revocation { option_only: option, cascade }) };
    let (mut catalog, identity) = (transaction.catalog(), transaction.identity());
    for schema in schemas {
        if schema_named(&catalog, schema)? != SchemaId::PUBLIC {
            return Err(SqlError::unsupported("a default privilege in a schema other than public"));
        }
    }
    let grantees = grantees(&catalog, identity, whom)?;
    if change == Ok(true) && grantees.contains(&None) {
        return Err(invalid("grant options can only be granted to roles"));
    }
    let all = kind.privileges();
    let wanted = all_privileges(privileges)?.unwrap_or_else(|| all.iter().copied().collect());
    if let Some(wrong) = wanted.iter().find(|privilege| !all.contains(privilege)) {
        let what = if kind == FutureKind::Tables { "relation" } else { "sequence" };
        return Err(invalid(format!("invalid privilege type {wrong} for {what}")));
    }
    let owners = owners.iter().map(|owner| named(catalog.roles(), identity, owner));
    let mut owners = owners.collect::<Result<Vec<_>>>()?;
    if owners.is_empty() {
        owners.push(identity.current);
    }
    for owner in owners {
        if !catalog.roles().has_privileges_of(identity.current, owner) {
            return Err(denied("permission denied to change default privileges"));
        }
        for privilege in &wanted {
            for grantee in &grantees {
                catalog.set_default_privilege((owner, kind), *grantee, *privilege, change);
            }
        }
    }
    transaction.set_catalog(catalog);
    Ok(Some(Response::complete("ALTER DEFAULT PRIVILEGES")))
}

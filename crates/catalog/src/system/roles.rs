//! Roles and what they are members of: `pg_roles`, `pg_authid`, `pg_user`, `pg_shadow`, `pg_group`, `pg_auth_members`.

use super::rows::Row;
use super::{Facts, Rows, SystemRelation};
use crate::{Catalog, Membership, Role, RoleId, Roles};

/// What is shown in the place of a password.
const HIDDEN: &str = "********";

/// The relations that only superusers may read, since the verifiers of passwords are in them.
pub(super) const SECRET: [&str; 2] = ["pg_authid", "pg_shadow"];

pub(super) fn relations() -> Vec<SystemRelation> {
    let of_user = "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls \
                   bool, passwd text, valuntil timestamptz, useconfig text[]";
    vec![
        SystemRelation::new(
            "pg_authid",
            1_260,
            "oid oid, rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, \
                 rolcanlogin bool, rolreplication bool, rolbypassrls bool, rolconnlimit int4, rolpassword \
                 text, rolvaliduntil timestamptz",
            Rows::Catalog(|catalog| catalog.roles().iter().map(with_verifier).collect()),
        ),
        SystemRelation::new(
            "pg_auth_members",
            1_261,
            "roleid oid, member oid, grantor oid, admin_option bool",
            Rows::Catalog(|catalog| catalog.roles().memberships().iter().map(membership).collect()),
        ),
        SystemRelation::new(
            "pg_roles",
            12_000,
            "rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, \
                 rolcanlogin bool, rolreplication bool, rolconnlimit int4, rolpassword text, rolvaliduntil \
                 timestamptz, rolbypassrls bool, rolconfig text[], oid oid",
            Rows::Catalog(|catalog| {
                catalog.roles().iter().map(|known| role(known).set("rolpassword", HIDDEN)).collect()
            }),
        ),
        SystemRelation::new(
            "pg_shadow",
            12_005,
            of_user,
            Rows::Catalog(|catalog| {
                users(catalog).map(|known| user(known).set("passwd", known.verifier.clone())).collect()
            }),
        ),
        SystemRelation::new(
            "pg_group",
            12_010,
            "groname name, grosysid oid, grolist oid[]",
            Rows::Catalog(|catalog| {
                let roles = catalog.roles();
                roles.iter().filter(|role| !role.login).map(|role| group(roles, role)).collect()
            }),
        ),
        SystemRelation::new(
            "pg_user",
            12_014,
            of_user,
            Rows::Catalog(|catalog| users(catalog).map(|known| user(known).set("passwd", HIDDEN)).collect()),
        ),
        SystemRelation::new(
            "information_schema.enabled_roles",
            13_230,
            "role_name name",
            Rows::Facts(enabled_roles),
        ),
        SystemRelation::new(
            "information_schema.applicable_roles",
            13_235,
            "grantee name, role_name name, is_grantable text",
            Rows::Facts(applicable_roles),
        ),
    ]
}

/// The OID of a role.
pub(super) fn oid(id: RoleId) -> i64 {
    i64::from(id.0)
}

/// The role of an OID.
pub(super) fn by_oid(roles: &Roles, oid: i64) -> Option<&Role> {
    roles.by_id(RoleId(u32::try_from(oid).ok()?))
}

fn role(role: &Role) -> Row {
    Row::zero()
        .set("oid", oid(role.id))
        .set("rolname", role.name.as_str())
        .set("rolsuper", role.superuser)
        .set("rolinherit", role.inherit)
        .set("rolcreaterole", role.create_role)
        .set("rolcreatedb", role.create_db)
        .set("rolcanlogin", role.login)
        .set("rolreplication", role.replication)
        .set("rolbypassrls", role.bypass_rls)
        .set("rolconnlimit", role.connection_limit)
        .set("rolvaliduntil", role.valid_until)
}

fn with_verifier(known: &Role) -> Row {
    role(known).set("rolpassword", known.verifier.clone())
}

fn membership(known: &Membership) -> Row {
    Row::zero()
        .set("roleid", oid(known.role))
        .set("member", oid(known.member))
        .set("grantor", oid(known.grantor))
        .set("admin_option", known.admin)
}

fn users(catalog: &Catalog) -> impl Iterator<Item = &Role> {
    catalog.roles().iter().filter(|role| role.login)
}

fn user(role: &Role) -> Row {
    Row::zero()
        .set("usename", role.name.as_str())
        .set("usesysid", oid(role.id))
        .set("usecreatedb", role.create_db)
        .set("usesuper", role.superuser)
        .set("userepl", role.replication)
        .set("usebypassrls", role.bypass_rls)
        .set("valuntil", role.valid_until)
}

fn group(roles: &Roles, role: &Role) -> Row {
    let members = roles.memberships().iter().filter(|known| known.role == role.id);
    let members = members.map(|known| oid(known.member)).collect::<Vec<_>>();
    Row::zero().set("groname", role.name.as_str()).set("grosysid", oid(role.id)).set("grolist", members)
}

/// The roles that the current one is a member of.
fn enabled_roles(facts: &Facts) -> Vec<Row> {
    let (roles, current) = (facts.catalog.roles(), facts.session.identity.current);
    let enabled = roles.iter().filter(|role| roles.is_member(current, role.id));
    enabled.map(|role| Row::null().set("role_name", role.name.as_str())).collect()
}

fn applicable_roles(facts: &Facts) -> Vec<Row> {
    let (roles, current) = (facts.catalog.roles(), facts.session.identity.current);
    let applicable = roles.memberships().iter().filter(|known| roles.is_member(current, known.member));
    let row = |known: &Membership| {
        Row::null()
            .set("grantee", roles.name(known.member))
            .set("role_name", roles.name(known.role))
            .set("is_grantable", if known.admin { "YES" } else { "NO" })
    };
    applicable.map(row).collect()
}

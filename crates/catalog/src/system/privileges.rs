//! Who owns what and who may do what: owners and access control lists of the other relations, the privileges of
//! `information_schema`, and the functions that ask for them.

use springtide_types::{Result, SqlError, SqlState};

use super::lookup::{Argument, Kind, Lookup, function, named};
use super::names::Named;
use super::rows::Row;
use super::{DATABASE, Facts, Rows, SystemRelation, namespaces, oids, roles, system_relations};
use crate::{Catalog, FutureKind, Grant, Privilege, Relation, RelationKind, Role, RoleId, Securable};

pub(super) fn relations() -> Vec<SystemRelation> {
    let columns = "grantor name, grantee name, table_catalog name, table_schema name, table_name name, \
                   privilege_type text, is_grantable text, with_hierarchy text";
    vec![
        SystemRelation::new(
            "pg_default_acl",
            826,
            "oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype char, defaclacl aclitem[]",
            Rows::Catalog(default_privileges),
        ),
        SystemRelation::new(
            "information_schema.table_privileges",
            13_416,
            columns,
            Rows::Facts(|facts| table_privileges(facts, true)),
        ),
        SystemRelation::new(
            "information_schema.role_table_grants",
            13_421,
            columns,
            Rows::Facts(|facts| table_privileges(facts, false)),
        ),
    ]
}

/// The OID of the owner of an object.
pub(super) fn owner(catalog: &Catalog, on: Securable) -> i64 {
    roles::oid(catalog.owner(on))
}

/// The name of the owner of a relation.
pub(super) fn owner_name(catalog: &Catalog, relation: &Relation) -> String {
    catalog.roles().name(catalog.owner(Securable::Relation(relation.id)))
}

/// The access control list of an object; NULL as long as it has its defaults.
pub(super) fn items(catalog: &Catalog, on: Securable) -> Option<Vec<String>> {
    let grants = catalog.access(on).grants.as_ref()?;
    Some(grants.iter().map(|grant| grant.as_item(catalog.roles())).collect())
}

/// What is granted on what does not exist yet.
fn default_privileges(catalog: &Catalog) -> Vec<Row> {
    let row = |(number, (owner, kind, grants)): (usize, (RoleId, FutureKind, &[Grant]))| {
        let items = grants.iter().map(|grant| grant.as_item(catalog.roles())).collect::<Vec<_>>();
        Row::zero()
            .set("oid", number as i64 + 1)
            .set("defaclrole", roles::oid(owner))
            .set("defaclnamespace", oids::PUBLIC)
            .set("defaclobjtype", if kind == FutureKind::Tables { "r" } else { "S" })
            .set("defaclacl", items)
    };
    catalog.default_accesses().enumerate().map(row).collect()
}

/// What was granted on tables and views to or by roles that the current one is a member of.
fn table_privileges(facts: &Facts, with_public: bool) -> Vec<Row> {
    let (catalog, current) = (&facts.catalog, facts.session.identity.current);
    let roles = catalog.roles();
    let is_shown = |grant: &Grant| match grant.grantee {
        Some(grantee) => roles.is_member(current, grantee) || roles.is_member(current, grant.grantor),
        None => with_public,
    };
    let row = |relation: &Relation, grant: &Grant, (privilege, option): (&Privilege, &bool)| {
        // An owner may grant what it has, said or not.
        let grantable = *option || grant.grantee == Some(catalog.owner(Securable::Relation(relation.id)));
        let yes_or_no = |yes: bool| if yes { "YES" } else { "NO" };
        Row::null()
            .set("grantor", roles.name(grant.grantor))
            .set("grantee", grant.grantee.map_or_else(|| "PUBLIC".to_owned(), |id| roles.name(id)))
            .set("table_catalog", DATABASE)
            .set("table_schema", catalog.schema_name(relation.in_schema))
            .set("table_name", relation.name.as_str())
            .set("privilege_type", privilege.name())
            .set("is_grantable", yes_or_no(grantable))
            .set("with_hierarchy", yes_or_no(*privilege == Privilege::Select))
    };
    let mut rows = Vec::new();
    let is_listed = |relation: &&Relation| {
        matches!(relation.kind, RelationKind::Table { .. } | RelationKind::View { .. })
    };
    for relation in catalog.relations().map(AsRef::as_ref).filter(is_listed) {
        for grant in catalog.grants(Securable::Relation(relation.id)).iter().filter(|grant| is_shown(grant)) {
            rows.extend(grant.privileges.iter().map(|granted| row(relation, grant, granted)));
        }
    }
    rows
}

/// What a function asks about.
enum Asked {
    /// Nothing that is there.
    Nothing,
    Object(Securable),
    /// Something of the system, with the one privilege that all have, if any.
    System(Option<Privilege>),
}

/// `has_table_privilege([role,] table, privileges)` and its like.
pub(super) fn lookups() -> Vec<Lookup> {
    use Kind::{Bool, Either};
    const THREE: &[Kind] = &[Either, Either, Either];
    vec![
        function("has_table_privilege", THREE, 2, Bool, |facts, args| has(facts, args, relation)),
        function("has_sequence_privilege", THREE, 2, Bool, |facts, args| has(facts, args, relation)),
        function("has_any_column_privilege", THREE, 2, Bool, |facts, args| has(facts, args, relation)),
        // There are no privileges of columns but those of their tables.
        function("has_column_privilege", &[Either, Either, Either, Either], 3, Bool, |facts, args| {
            let (table, column) = args.split_at(args.len() - 2);
            has(facts, &[table, &column[1..]].concat(), relation)
        }),
        function("has_schema_privilege", THREE, 2, Bool, |facts, args| has(facts, args, schema)),
        function("has_database_privilege", THREE, 2, Bool, |facts, args| has(facts, args, database)),
        function("pg_has_role", THREE, 2, Bool, has_role),
    ]
}

/// Whether a role, or the current one, has one of some privileges.
fn has(facts: &Facts, args: &[Argument], find: fn(&Facts, &Argument) -> Result<Asked>) -> Result<Argument> {
    let (who, rest) = whom(facts, args)?;
    let [object, Argument::Text(privileges)] = rest else { return Ok(Argument::Null) };
    let asked = find(facts, object)?;
    let catalog = &facts.catalog;
    let mut any = false;
    for (privilege, option) in wanted(privileges)? {
        any |= match (&asked, who) {
            (Asked::Nothing, _) => return Ok(Argument::Null),
            (Asked::Object(on), Some(role)) if option => catalog.grantor_for(role, *on, privilege).is_some(),
            (Asked::Object(on), Some(role)) => catalog.has_privilege(role, *on, privilege),
            (Asked::Object(on), None) => !option && catalog.is_public(*on, privilege),
            (Asked::System(to_all), who) => {
                let everybody = *to_all == Some(privilege) && !option;
                everybody || who.is_some_and(|role| catalog.roles().is_superuser(role))
            }
        };
    }
    Ok(any.into())
}

/// The role that the first of three arguments names, where `None` is PUBLIC, or the current one; and the other arguments.
fn whom<'a>(facts: &Facts, args: &'a [Argument]) -> Result<(Option<RoleId>, &'a [Argument])> {
    let [first, rest @ ..] = args else { return Ok((None, args)) };
    if rest.len() < 2 {
        return Ok((Some(facts.session.identity.current), args));
    }
    match first {
        Argument::Text(name) if name == "public" => Ok((None, rest)),
        first => role_named(facts, first).map(|role| (Some(role.id), rest)),
    }
}

fn role_named<'a>(facts: &'a Facts, argument: &Argument) -> Result<&'a Role> {
    let roles = facts.catalog.roles();
    match argument {
        Argument::Text(name) => roles.get(name),
        Argument::Int(oid) => roles::by_oid(roles, *oid).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role with OID {oid} does not exist"))
        }),
        _ => Err(SqlError::new(SqlState::UNDEFINED_OBJECT, "no role is named")),
    }
}

/// The privileges of a text such as `SELECT, INSERT WITH GRANT OPTION`, and whether the option is asked for.
fn wanted(text: &str) -> Result<Vec<(Privilege, bool)>> {
    let one = |text: &str| {
        let text = text.trim();
        let upper = text.to_uppercase();
        let plain = upper.strip_suffix(" WITH GRANT OPTION");
        let privilege = Privilege::parse(plain.unwrap_or(&upper).trim());
        privilege.map(|privilege| (privilege, plain.is_some())).ok_or_else(|| unrecognized(text))
    };
    text.split(',').map(one).collect()
}

fn unrecognized(privilege: &str) -> SqlError {
    let message = format!("unrecognized privilege type: \"{privilege}\"");
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn relation(facts: &Facts, argument: &Argument) -> Result<Asked> {
    let oid = named(&facts.catalog, Named::Class, argument)?;
    if let Some(system) = system_relations().iter().find(|relation| relation.oid == oid) {
        let to_all = (!roles::SECRET.contains(&system.name)).then_some(Privilege::Select);
        return Ok(Asked::System(to_all));
    }
    let found = oids::relation(&facts.catalog, oid);
    Ok(found.map_or(Asked::Nothing, |found| Asked::Object(Securable::Relation(found.id))))
}

fn schema(facts: &Facts, argument: &Argument) -> Result<Asked> {
    let oid = named(&facts.catalog, Named::Schema, argument)?;
    Ok(match oid {
        oid if namespaces::OF_SYSTEM.iter().any(|known| known.1 == oid) => {
            Asked::System(Some(Privilege::Usage))
        }
        oid => match namespaces::schema(&facts.catalog, oid) {
            Some(id) => Asked::Object(Securable::Schema(id)),
            None => Asked::Nothing,
        },
    })
}

fn database(_facts: &Facts, argument: &Argument) -> Result<Asked> {
    match argument {
        Argument::Text(name) if name == DATABASE => Ok(Asked::Object(Securable::Database)),
        Argument::Int(oids::DATABASE_OID) => Ok(Asked::Object(Securable::Database)),
        Argument::Text(name) => {
            let message = format!("database \"{name}\" does not exist");
            Err(SqlError::new(SqlState::INVALID_CATALOG_NAME, message))
        }
        _ => Ok(Asked::Nothing),
    }
}

/// `pg_has_role([role,] other, 'USAGE' | 'MEMBER' ...)`
fn has_role(facts: &Facts, args: &[Argument]) -> Result<Argument> {
    let (who, rest) = whom(facts, args)?;
    let (Some(who), [other, Argument::Text(kinds)]) = (who, rest) else { return Ok(Argument::Null) };
    let (roles, other) = (facts.catalog.roles(), role_named(facts, other)?.id);
    let mut any = false;
    for kind in kinds.split(',').map(|kind| kind.trim().to_uppercase()) {
        any |= match kind.as_str() {
            "USAGE" => roles.has_privileges_of(who, other),
            "MEMBER" | "SET" => roles.is_member(who, other),
            kind if kind.ends_with(" OPTION") => roles.is_admin_of(who, other),
            _ => return Err(unrecognized(&kind)),
        };
    }
    Ok(any.into())
}

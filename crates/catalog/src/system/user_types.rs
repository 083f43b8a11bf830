//! Users' types in `pg_type`, and the values of enums: `pg_enum`.

use super::oids::{PUBLIC, of_array_type, of_label, of_type};
use super::privileges::owner;
use super::rows::Row;
use super::types::{Type, row_of_type};
use super::{Rows, SystemRelation};
use crate::{Catalog, Domain, DomainCheck, Securable, TypeKind, UserType};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![SystemRelation::new(
        "pg_enum",
        3_501,
        "oid oid, enumtypid oid, enumsortorder real, enumlabel name",
        Rows::Catalog(|catalog| catalog.types().iter().flat_map(|known| labels(known)).collect()),
    )]
}

/// The rows of `pg_type` for users' types and their arrays.
pub(super) fn type_rows(catalog: &Catalog) -> Vec<Row> {
    let rows = catalog.types().iter().flat_map(|user_type| {
        let owner = owner(catalog, Securable::Type(user_type.id));
        [Type::of_user(user_type), Type::of_user_array(user_type)].map(|known| {
            let row = row_of_type(&known).set("typnamespace", PUBLIC).set("typowner", owner);
            match user_type.domain().filter(|_| known.oid == of_type(user_type)) {
                Some(domain) => of_domain(catalog, row, domain),
                None => row.set("typtypmod", -1),
            }
        })
    });
    rows.collect()
}

/// The user's type, or type of arrays, of an OID.
pub(super) fn by_oid(catalog: &Catalog, oid: i64) -> Option<Type> {
    catalog.types().iter().find_map(|user_type| match oid {
        _ if oid == of_type(user_type) => Some(Type::of_user(user_type)),
        _ if oid == of_array_type(user_type) => Some(Type::of_user_array(user_type)),
        _ => None,
    })
}

/// The user's type of a name, or type of arrays.
pub(super) fn by_name(catalog: &Catalog, name: &str) -> Option<Type> {
    let found = |name: &str| catalog.types().find(name);
    if let Some(user_type) = found(name) {
        return Some(Type::of_user(user_type));
    }
    let array = name.strip_suffix("[]").or_else(|| name.strip_prefix('_'))?;
    found(array).map(|user_type| Type::of_user_array(user_type))
}

/// What `pg_type` says of domains alone.
fn of_domain(catalog: &Catalog, row: Row, domain: &Domain) -> Row {
    let over = domain.over.and_then(|id| catalog.types().by_id(id)).map(|over| of_type(over));
    row.set("typbasetype", over.unwrap_or_else(|| i64::from(domain.base.oid())))
        .set("typtypmod", i64::from(domain.base.modifier()))
        .set("typnotnull", domain.not_null)
        .set("typdefault", domain.default.as_deref())
}

/// The constraints of domains: the domain, the OID of one, and the constraint.
pub(super) fn domain_checks(catalog: &Catalog) -> impl Iterator<Item = (&UserType, i64, &DomainCheck)> {
    catalog.types().iter().flat_map(|known| {
        let checks = known.domain().into_iter().flat_map(|domain| &domain.checks);
        checks.map(move |check| (known.as_ref(), of_label(known, check.number as u32), check))
    })
}

/// A constraint as SQL declares it. What is printed prettily has fewer parentheses.
pub(super) fn check_definition(check: &DomainCheck, pretty: bool) -> String {
    let valid = if check.validated { "" } else { " NOT VALID" };
    if pretty { format!("CHECK ({}){valid}", check.expr) } else { format!("CHECK (({})){valid}", check.expr) }
}

fn labels(user_type: &UserType) -> Vec<Row> {
    let TypeKind::Enum { labels, .. } = &user_type.kind else { return Vec::new() };
    let row = |label: &springtide_types::Label| {
        Row::zero()
            .set("oid", of_label(user_type, label.number))
            .set("enumtypid", of_type(user_type))
            .set("enumsortorder", label.order)
            .set("enumlabel", label.name.as_str())
    };
    labels.labels().iter().map(row).collect()
}

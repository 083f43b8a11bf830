//! Which OID stands for what. Those of users' objects follow from their identities, so that they stay the same.

use crate::{Catalog, Function, Relation};

pub(super) const PG_CATALOG: i64 = 11;
pub(super) const PUBLIC: i64 = 2200;
pub(super) const INFORMATION_SCHEMA: i64 = 13_000;
pub(super) const SPRINGTIDE_CATALOG: i64 = 14_000;
/// The role that owns everything.
pub(super) const OWNER: i64 = 10;
pub(super) const DATABASE_OID: i64 = 5;
pub(super) const TABLESPACE: i64 = 1663;
/// The access method of tables, and that of indexes.
pub(super) const HEAP: i64 = 2;
pub(super) const BTREE: i64 = 403;
/// The language of functions.
pub(super) const SQL_LANGUAGE: i64 = 14;
/// The input function by which clients tell array types.
pub(super) const ARRAY_IN: i64 = 750;

/// The first that PostgreSQL gives to users' objects.
const FIRST_USER: i64 = 16_384;
/// What is told apart by the remainder of its OID.
const KINDS: i64 = 4;
/// Past all others, since there may be one per column.
const FIRST_DEFAULT: i64 = 1 << 30;
/// As PostgreSQL limits it.
const MOST_COLUMNS: i64 = 1600;

fn oid(identity: u64, kind: i64) -> i64 {
    FIRST_USER + identity as i64 * KINDS + kind
}

/// The OID of a table or view.
pub(super) fn of_relation(relation: &Relation) -> i64 {
    oid(relation.id.0, 0)
}

/// The OID of the index of a primary key.
pub(super) fn of_index(relation: &Relation) -> i64 {
    oid(relation.id.0, 1)
}

/// The OID of the constraint that is a primary key.
pub(super) fn of_constraint(relation: &Relation) -> i64 {
    oid(relation.id.0, 2)
}

/// The OID of the DEFAULT of a column.
pub(super) fn of_default(relation: &Relation, position: usize) -> i64 {
    FIRST_DEFAULT + relation.id.0 as i64 * MOST_COLUMNS + position as i64
}

/// The OID of a function.
pub(super) fn of_function(function: &Function) -> i64 {
    oid(function.id.0, 3)
}

/// The table or view of an OID.
pub(super) fn relation(catalog: &Catalog, oid: i64) -> Option<&Relation> {
    catalog.relations().map(AsRef::as_ref).find(|relation| of_relation(relation) == oid)
}

/// The table whose primary key an OID stands for, as an index or as a constraint.
pub(super) fn keyed(catalog: &Catalog, oid: i64) -> Option<&Relation> {
    let mut keyed = catalog.relations().filter(|relation| relation.primary_key().is_some());
    keyed.find(|relation| [of_index(relation), of_constraint(relation)].contains(&oid)).map(AsRef::as_ref)
}

/// The function of an OID.
pub(super) fn function(catalog: &Catalog, oid: i64) -> Option<&Function> {
    catalog.all_functions().find(|function| of_function(function) == oid)
}

/// The name of the index of a primary key, which is also that of the constraint.
pub(super) fn key_name(relation: &Relation) -> String {
    format!("{}_pkey", relation.name)
}

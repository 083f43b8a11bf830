//! Which OID stands for what. Those of users' objects follow from their identities, so that they stay the same.

use springtide_types::RelationId;

use super::keys::{IndexFacts, indexes};
use crate::{Catalog, Function, Relation, SchemaId, UserType};

pub(super) const PG_CATALOG: i64 = 11;
/// The catalogue of relations.
pub(super) const PG_CLASS: i64 = 1_259;
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
/// Before those, and past relations and functions: schemas.
const FIRST_SCHEMA: i64 = 1 << 29;
/// Past the others: those of temporary objects.
const FIRST_TEMPORARY_SCHEMA: i64 = FIRST_SCHEMA + (1 << 28);
/// Past all others, since there may be one per column.
const FIRST_DEFAULT: i64 = 1 << 30;
/// Past those: constraints and indexes other than primary keys.
const FIRST_RULE: i64 = 3 << 30;
/// OIDs set apart for the constraints and indexes of a table.
const MOST_RULES: i64 = 512;
/// As PostgreSQL limits it.
const MOST_COLUMNS: i64 = 1600;

fn oid(identity: u64, kind: i64) -> i64 {
    FIRST_USER + identity as i64 * KINDS + kind
}

/// The OID of a table or view.
pub(super) fn of_relation(relation: &Relation) -> i64 {
    relation_oid(relation.id)
}

/// The OID of the table or view with this identity.
pub fn relation_oid(relation: RelationId) -> i64 {
    oid(relation.0, 0)
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

/// The OID of a user's type.
pub(crate) fn of_type(user_type: &UserType) -> i64 {
    oid(user_type.id.0, 0)
}

/// The OID of the type of arrays of a user's type.
pub(crate) fn of_array_type(user_type: &UserType) -> i64 {
    oid(user_type.id.0, 1)
}

/// The OID of the label of a number in an enum.
pub(super) fn of_label(user_type: &UserType, number: u32) -> i64 {
    FIRST_RULE + user_type.id.0 as i64 * MOST_RULES + i64::from(number)
}

/// The OID of the constraint of a number in a table.
pub(super) fn of_rule(relation: &Relation, number: u64) -> i64 {
    FIRST_RULE + relation.id.0 as i64 * MOST_RULES + 2 * number as i64
}

/// The OID of the index of a number in a table.
pub(super) fn of_rule_index(relation: &Relation, number: u64) -> i64 {
    of_rule(relation, number) + 1
}

/// The OID of a schema other than `public`.
pub(super) fn of_other_schema(id: SchemaId) -> i64 {
    let offset = i64::from(id.0) - i64::from(SchemaId::temporary(0).0);
    if id.is_temporary() { FIRST_TEMPORARY_SCHEMA + offset } else { FIRST_SCHEMA + i64::from(id.0) }
}

/// The schema of an OID, which may not exist.
pub(super) fn other_schema(oid: i64) -> Option<SchemaId> {
    match oid {
        FIRST_TEMPORARY_SCHEMA..FIRST_DEFAULT => {
            u32::try_from(oid - FIRST_TEMPORARY_SCHEMA).ok().map(SchemaId::temporary)
        }
        FIRST_SCHEMA..FIRST_TEMPORARY_SCHEMA => u32::try_from(oid - FIRST_SCHEMA).ok().map(SchemaId),
        _ => None,
    }
}

/// The table or view of an OID.
pub(super) fn relation(catalog: &Catalog, oid: i64) -> Option<&Relation> {
    let identity = u64::try_from(oid - FIRST_USER).ok().filter(|offset| offset % KINDS as u64 == 0)?;
    catalog.by_id(RelationId(identity / KINDS as u64)).map(AsRef::as_ref)
}

/// The index of an OID.
pub(super) fn index(catalog: &Catalog, oid: i64) -> Option<IndexFacts<'_>> {
    catalog.relations().flat_map(|relation| indexes(relation)).find(|index| index.oid == oid)
}

/// The function of an OID.
pub(super) fn function(catalog: &Catalog, oid: i64) -> Option<&Function> {
    catalog.all_functions().find(|function| of_function(function) == oid)
}

//! Schemas: `pg_namespace`, and their names and OIDs.

use super::oids::{
    INFORMATION_SCHEMA, OWNER, PG_CATALOG, PUBLIC, SPRINGTIDE_CATALOG, of_other_schema, other_schema,
};
use super::privileges::{items, owner};
use super::rows::Row;
use super::{OWN_SCHEMA, Rows, SystemRelation};
use crate::{Catalog, Relation, SchemaId, Securable};

/// The schemas of the system, with their OIDs.
pub(super) const OF_SYSTEM: [(&str, i64); 3] = [
    ("information_schema", INFORMATION_SCHEMA),
    ("pg_catalog", PG_CATALOG),
    (OWN_SCHEMA, SPRINGTIDE_CATALOG),
];

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![SystemRelation::new(
        "pg_namespace",
        2_615,
        "oid oid, nspname name, nspowner oid, nspacl aclitem[]",
        Rows::Catalog(namespaces),
    )]
}

fn namespaces(catalog: &Catalog) -> Vec<Row> {
    let row = |oid: i64, name: &str| Row::zero().set("oid", oid).set("nspname", name);
    let of_system = OF_SYSTEM.iter().map(|(name, oid)| row(*oid, name).set("nspowner", OWNER));
    let others = catalog.schemas().map(|schema| {
        let on = Securable::Schema(schema.id);
        row(of_schema(schema.id), &schema.name)
            .set("nspowner", owner(catalog, on))
            .set("nspacl", items(catalog, on))
    });
    of_system.chain(others).collect()
}

/// The OID of a schema.
pub(super) fn of_schema(id: SchemaId) -> i64 {
    if id == SchemaId::PUBLIC { PUBLIC } else { of_other_schema(id) }
}

/// The schema of an OID, unless it is one of the system.
pub(super) fn schema(catalog: &Catalog, oid: i64) -> Option<SchemaId> {
    let id = if oid == PUBLIC { Some(SchemaId::PUBLIC) } else { other_schema(oid) };
    id.filter(|id| catalog.schemas().any(|schema| schema.id == *id))
}

/// The OID of the schema of a name.
pub(super) fn oid(catalog: &Catalog, name: &str) -> Option<i64> {
    let of_system = OF_SYSTEM.iter().find(|known| known.0 == name).map(|known| known.1);
    of_system.or_else(|| catalog.schema(name).map(of_schema))
}

/// The name of the schema of an OID.
pub(super) fn name(catalog: &Catalog, oid: i64) -> Option<&str> {
    let of_system = OF_SYSTEM.iter().find(|known| known.1 == oid).map(|known| known.0);
    of_system.or_else(|| schema(catalog, oid).map(|id| catalog.schema_name(id)))
}

/// The OID of the schema that a relation is in.
pub(super) fn of(relation: &Relation) -> i64 {
    of_schema(relation.in_schema)
}

//! Relations and their columns: `pg_class`, `pg_attribute`, `pg_attrdef`.

use super::columns::SystemColumn;
use super::keys::{IndexFacts, indexes};
use super::oids::{BTREE, HEAP, OWNER, PG_CATALOG, of_default, of_relation, of_type};
use super::privileges::{items, owner};
use super::rows::{Row, Value};
use super::types::{Type, any_type_of, column_type};
use super::{Rows, SystemRelation, namespaces, system_relations};
use crate::{Catalog, Column, DefaultKind, Relation, RelationKind, Retention, Securable};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_class",
            1_259,
            "oid oid, relname name, relnamespace oid, reltype oid, reloftype oid, relowner oid, relam \
                 oid, relfilenode oid, reltablespace oid, relpages int4, reltuples real, relallvisible \
                 int4, reltoastrelid oid, relhasindex bool, relisshared bool, relpersistence char, relkind \
                 char, relnatts int2, relchecks int2, relhasrules bool, relhastriggers bool, relhassubclass \
                 bool, relrowsecurity bool, relforcerowsecurity bool, relispopulated bool, relreplident \
                 char, relispartition bool, relrewrite oid, relfrozenxid xid, relminmxid xid, relacl \
                 aclitem[], reloptions text[], relpartbound pg_node_tree",
            Rows::Catalog(classes),
        ),
        SystemRelation::new(
            "pg_attribute",
            1_249,
            "attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2, \
                 attndims int4, attcacheoff int4, atttypmod int4, attbyval bool, attalign char, attstorage \
                 char, attcompression char, attnotnull bool, atthasdef bool, atthasmissing bool, \
                 attidentity char, attgenerated char, attisdropped bool, attislocal bool, attinhcount int4, \
                 attcollation oid, attacl aclitem[], attoptions text[], attfdwoptions text[], attmissingval \
                 anyarray",
            Rows::Catalog(attributes),
        ),
        SystemRelation::new(
            "pg_attrdef",
            2_604,
            "oid oid, adrelid oid, adnum int2, adbin pg_node_tree",
            Rows::Catalog(defaults),
        ),
    ]
}

fn classes(catalog: &Catalog) -> Vec<Row> {
    let own = catalog.relations().map(|relation| class(catalog, relation));
    let of_tables = catalog.relations().flat_map(|relation| indexes(relation));
    own.chain(of_tables.map(|index| index_class(catalog, &index)))
        .chain(system_relations().iter().map(system_class))
        .collect()
}

fn class(catalog: &Catalog, relation: &Relation) -> Row {
    let kind = match relation.kind {
        RelationKind::Table { .. } | RelationKind::Source(_) => "r",
        RelationKind::Sequence { .. } => "S",
        RelationKind::View { .. } => "v",
        RelationKind::MaterializedView { .. } => "m",
    };
    let (oid, namespace) = (of_relation(relation), namespaces::of(relation));
    let row = any_class(oid, &relation.name, namespace, kind, relation.columns.len());
    let row = row.set("relpersistence", persistence(relation));
    let keeps_rows = relation.is_stored() && kind != "S";
    let rules = relation.rules();
    // What foreign keys do is done by triggers in PostgreSQL.
    let triggers = !rules.foreign_keys.is_empty() || catalog.referencing(relation.id).next().is_some();
    let on = Securable::Relation(relation.id);
    row.set("relowner", owner(catalog, on))
        .set("relacl", items(catalog, on))
        .set("relam", if keeps_rows { HEAP } else { 0 })
        .set("relhasindex", !indexes(relation).is_empty())
        .set("relchecks", rules.checks.len() as i64)
        .set("relhastriggers", triggers)
        .set("relreplident", if keeps_rows { "d" } else { "n" })
        .set("reloptions", options(relation))
}

/// Whether it goes with a session.
fn persistence(relation: &Relation) -> &'static str {
    if relation.in_schema.is_temporary() { "t" } else { "p" }
}

/// What stands in WITH.
fn options(relation: &Relation) -> Option<Vec<String>> {
    let append_only = matches!(relation.kind, RelationKind::Table { append_only: true, .. });
    let append_only = append_only.then(|| "append_only=true".to_owned());
    let history = (relation.history != Retention::default()).then(|| format!("history={}", relation.history));
    let options = append_only.into_iter().chain(history).collect::<Vec<_>>();
    (!options.is_empty()).then_some(options)
}

fn index_class(catalog: &Catalog, index: &IndexFacts<'_>) -> Row {
    let namespace = namespaces::of(index.table);
    let row = any_class(index.oid, &index.name, namespace, "i", index.columns.len());
    let row = row.set("relpersistence", persistence(index.table));
    let owner = owner(catalog, Securable::Relation(index.table.id));
    row.set("relowner", owner).set("relam", BTREE).set("relreplident", "n")
}

fn system_class(relation: &SystemRelation) -> Row {
    let namespace = system_namespace(relation);
    let row = any_class(relation.oid, relation.name, namespace, relation.kind, relation.columns.len());
    let heap = if relation.kind == "r" { HEAP } else { 0 };
    row.set("relpersistence", "p").set("relowner", OWNER).set("relam", heap).set("relreplident", "n")
}

fn system_namespace(relation: &SystemRelation) -> i64 {
    let known = namespaces::OF_SYSTEM.iter().find(|(schema, _)| *schema == relation.schema);
    known.map_or(PG_CATALOG, |(_, oid)| *oid)
}

fn any_class(oid: i64, name: &str, namespace: i64, kind: &str, columns: usize) -> Row {
    Row::zero()
        .set("oid", oid)
        .set("relname", name)
        .set("relnamespace", namespace)
        .set("relkind", kind)
        .set("relnatts", columns as i64)
        .set("reltuples", -1)
        .set("relispopulated", true)
}

fn attributes(catalog: &Catalog) -> Vec<Row> {
    let own = catalog.relations().flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.map(|(position, column)| {
            let nullable = relation.is_nullable(position);
            attribute(catalog, of_relation(relation), position, column, true).set("attnotnull", !nullable)
        })
    });
    let keys = catalog.relations().flat_map(|relation| {
        let columns = indexes(relation).into_iter().flat_map(|index| {
            let columns = index.columns.iter().enumerate();
            columns.map(move |(position, column)| (index.oid, position, *column))
        });
        columns.map(|(index, position, column)| {
            attribute(catalog, index, position, &relation.columns[column], false)
        })
    });
    let system = system_relations().iter().flat_map(|relation| {
        let columns = relation.columns.iter().enumerate();
        columns.filter_map(|(position, column)| system_attribute(relation, position, column))
    });
    own.chain(keys).chain(system).collect()
}

/// A column of a table or view, or of an index, which knows nothing of constraints and defaults.
fn attribute(catalog: &Catalog, relation: i64, position: usize, column: &Column, of_table: bool) -> Row {
    let domain = column.domain.and_then(|id| catalog.types().by_id(id)).map(|known| of_type(known));
    let oid = domain.unwrap_or_else(|| i64::from(column.sql_type.oid()));
    let modifier = if domain.is_some() { -1 } else { column.sql_type.modifier() };
    let known = any_type_of(catalog, oid);
    let row = any_attribute(relation, position, &column.name, known.as_deref());
    row.set("atttypid", oid)
        .set("atttypmod", i64::from(modifier))
        .set("atthasdef", of_table && (column.declared_default().is_some() || column.generated().is_some()))
        .set("attgenerated", if of_table && column.generated().is_some() { "s" } else { "" })
        .set("attidentity", if of_table { identity(column) } else { "" })
}

/// How a column is an identity, as `pg_attribute` has it.
fn identity(column: &Column) -> &'static str {
    match column.identity() {
        Some(DefaultKind::Always) => "a",
        Some(_) => "d",
        None => "",
    }
}

fn system_attribute(relation: &SystemRelation, position: usize, column: &SystemColumn) -> Option<Row> {
    let known = column_type(column.type_name)?;
    let row = any_attribute(relation.oid, position, column.name, Some(known));
    Some(row.set("atttypid", known.oid).set("atttypmod", -1))
}

fn any_attribute(relation: i64, position: usize, name: &str, sql_type: Option<&Type>) -> Row {
    let of_type = |of: fn(&Type) -> Value| sql_type.map_or(Value::Null, of);
    Row::zero()
        .set("attrelid", relation)
        .set("attname", name)
        .set("attnum", position as i64 + 1)
        .set("attstattarget", -1)
        .set("attcacheoff", -1)
        .set("attlen", of_type(|known| known.length.into()))
        .set("attbyval", of_type(|known| known.by_value.into()))
        .set("attalign", of_type(|known| known.align.into()))
        .set("attstorage", of_type(|known| known.storage.into()))
        .set("attcollation", of_type(|known| known.collation.into()))
        .set("attndims", of_type(|known| i64::from(known.element != 0 && known.length < 0).into()))
        .set("attislocal", true)
}

fn defaults(catalog: &Catalog) -> Vec<Row> {
    let of_columns = |relation: &Relation| {
        let columns = relation.columns.iter().enumerate();
        let rows = columns.filter_map(|(position, column)| {
            let default = column.default.as_ref().filter(|default| !default.kind.is_identity())?;
            Some(
                Row::zero()
                    .set("oid", of_default(relation, position))
                    .set("adrelid", of_relation(relation))
                    .set("adnum", position as i64 + 1)
                    .set("adbin", default.expr.as_str()),
            )
        });
        rows.collect::<Vec<_>>()
    };
    catalog.relations().flat_map(|relation| of_columns(relation)).collect()
}

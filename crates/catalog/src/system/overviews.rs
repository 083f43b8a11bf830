//! Relations by kind, with names instead of OIDs: `pg_tables`, `pg_views`, `pg_matviews`, `pg_indexes`.

use super::definitions::{index_definition, view_definition};
use super::keys::{IndexFacts, indexes};
use super::privileges::owner_name;
use super::rows::Row;
use super::{ROLE, Rows, SystemRelation, system_relations};
use crate::{Catalog, Relation, RelationKind};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_tables",
            12_033,
            "schemaname name, tablename name, tableowner name, tablespace name, hasindexes bool, \
                 hasrules bool, hastriggers bool, rowsecurity bool",
            Rows::Catalog(tables),
        ),
        SystemRelation::new(
            "pg_views",
            12_028,
            "schemaname name, viewname name, viewowner name, definition text",
            Rows::Catalog(views),
        ),
        SystemRelation::new(
            "pg_matviews",
            12_038,
            "schemaname name, matviewname name, matviewowner name, tablespace name, hasindexes bool, \
                 ispopulated bool, definition text",
            Rows::Catalog(materialized_views),
        ),
        SystemRelation::new(
            "pg_indexes",
            12_043,
            "schemaname name, tablename name, indexname name, tablespace name, indexdef text",
            Rows::Catalog(all_indexes),
        ),
    ]
}

fn named(schema: &str, column: &'static str, name: &str) -> Row {
    Row::zero().set("schemaname", schema).set(column, name)
}

fn tables(catalog: &Catalog) -> Vec<Row> {
    let of_kind = catalog.relations().filter(|it| matches!(it.kind, RelationKind::Table { .. }));
    let own = of_kind.map(|table| {
        let row = named(catalog.schema_name(table.in_schema), "tablename", &table.name)
            .set("tableowner", owner_name(catalog, table));
        row.set("hasindexes", !indexes(table).is_empty())
    });
    let system = system_relations().iter().filter(|relation| relation.kind == "r");
    let system = system.map(|relation| named(relation.schema, "tablename", relation.name));
    own.chain(system.map(|row| row.set("tableowner", ROLE))).collect()
}

fn views(catalog: &Catalog) -> Vec<Row> {
    let of_kind = catalog.relations().filter(|it| matches!(it.kind, RelationKind::View { .. }));
    let own = of_kind.map(|view| {
        named(catalog.schema_name(view.in_schema), "viewname", &view.name)
            .set("viewowner", owner_name(catalog, view))
            .set("definition", view_definition(view))
    });
    let system = system_relations().iter().filter(|relation| relation.kind == "v");
    let system = system.map(|relation| named(relation.schema, "viewname", relation.name));
    own.chain(system.map(|row| row.set("viewowner", ROLE))).collect()
}

fn materialized_views(catalog: &Catalog) -> Vec<Row> {
    let of_kind = catalog.relations().filter(|it| matches!(it.kind, RelationKind::MaterializedView { .. }));
    let row = |view: &Relation| {
        named(catalog.schema_name(view.in_schema), "matviewname", &view.name)
            .set("matviewowner", owner_name(catalog, view))
            .set("ispopulated", true)
            .set("definition", view_definition(view))
    };
    of_kind.map(|view| row(view)).collect()
}

fn all_indexes(catalog: &Catalog) -> Vec<Row> {
    let all = catalog.relations().flat_map(|relation| indexes(relation));
    let row = |index: IndexFacts<'_>| {
        named(catalog.schema_name(index.table.in_schema), "tablename", &index.table.name)
            .set("indexname", index.name.as_str())
            .set("indexdef", index_definition(catalog, &index))
    };
    all.map(row).collect()
}

//! Sequences: `pg_sequence`, `pg_sequences`, and in `pg_depend` the columns that they go with.

use springtide_types::{Result, SqlError, SqlState};

use super::names::quoted;
use super::oids::{self, PG_CLASS, of_relation};
use super::privileges::owner_name;
use super::rows::Row;
use super::{Facts, Rows, SystemRelation, type_name};
use crate::{Catalog, Relation, RelationKind};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_sequence",
            2_224,
            "seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8, \
                 seqcache int8, seqcycle bool",
            Rows::Catalog(|catalog| of_sequences(catalog, |_, relation| sequence(relation))),
        ),
        SystemRelation::new(
            "pg_sequences",
            12_048,
            "schemaname name, sequencename name, sequenceowner name, data_type text, start_value \
                 int8, min_value int8, max_value int8, increment_by int8, cycle bool, cache_size int8, \
                 last_value int8",
            Rows::Catalog(|catalog| of_sequences(catalog, overview)),
        ),
        SystemRelation::new(
            "pg_depend",
            2_608,
            "classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, refobjsubid int4, \
                 deptype char",
            Rows::Catalog(owners),
        ),
    ]
}

fn of_sequences(catalog: &Catalog, row: fn(&Catalog, &Relation) -> Option<Row>) -> Vec<Row> {
    catalog.relations().filter_map(|relation| row(catalog, relation)).collect()
}

fn sequence(relation: &Relation) -> Option<Row> {
    let RelationKind::Sequence { options, .. } = &relation.kind else { return None };
    Some(
        Row::zero()
            .set("seqrelid", of_relation(relation))
            .set("seqtypid", i64::from(options.sql_type.oid()))
            .set("seqstart", options.start)
            .set("seqincrement", options.increment)
            .set("seqmax", options.max)
            .set("seqmin", options.min)
            .set("seqcache", options.cache)
            .set("seqcycle", options.cycle),
    )
}

fn overview(catalog: &Catalog, relation: &Relation) -> Option<Row> {
    let RelationKind::Sequence { options, counter, .. } = &relation.kind else { return None };
    let position = counter.position();
    Some(
        Row::null()
            .set("schemaname", catalog.schema_name(relation.in_schema))
            .set("sequencename", relation.name.as_str())
            .set("sequenceowner", owner_name(catalog, relation))
            .set("data_type", type_name(options.sql_type))
            .set("start_value", options.start)
            .set("min_value", options.min)
            .set("max_value", options.max)
            .set("increment_by", options.increment)
            .set("cycle", options.cycle)
            .set("cache_size", options.cache)
            .set("last_value", position.called.then_some(position.last)),
    )
}

/// Which columns sequences go with. Nothing else that depends on something is listed.
fn owners(catalog: &Catalog) -> Vec<Row> {
    let row = |relation: &Relation| {
        let RelationKind::Sequence { owner: Some(owner), .. } = &relation.kind else { return None };
        Some(
            Row::zero()
                .set("classid", PG_CLASS)
                .set("objid", of_relation(relation))
                .set("refclassid", PG_CLASS)
                .set("refobjid", of_relation(catalog.by_id(owner.table)?))
                .set("refobjsubid", owner.column as i64 + 1)
                .set("deptype", if owner.identity { "i" } else { "a" }),
        )
    };
    catalog.relations().filter_map(|relation| row(relation)).collect()
}

/// The sequence of an OID, or `42809`.
pub(super) fn find(facts: &Facts, oid: i64) -> Result<&Relation> {
    oids::relation(&facts.catalog, oid).ok_or_else(|| {
        let message = format!("could not open relation with OID {oid}");
        SqlError::new(SqlState::UNDEFINED_TABLE, message)
    })
}

/// The name of the sequence that goes with a column, for `pg_get_serial_sequence`.
pub(super) fn serial_sequence(catalog: &Catalog, table: i64, column: &str) -> Result<Option<String>> {
    let Some(table) = oids::relation(catalog, table) else { return Ok(None) };
    let position = table.columns.iter().position(|known| known.name == column).ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    let owned = catalog.relations().find(|relation| match &relation.kind {
        RelationKind::Sequence { owner: Some(owner), .. } => {
            owner.table == table.id && owner.column == position
        }
        _ => false,
    });
    Ok(owned.map(|sequence| {
        format!("{}.{}", quoted(catalog.schema_name(sequence.in_schema)), quoted(&sequence.name))
    }))
}

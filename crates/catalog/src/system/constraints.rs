//! Primary keys, as indexes and as constraints: `pg_index`, `pg_constraint`.

use super::oids::{PUBLIC, key_name, of_constraint, of_index, of_relation};
use super::rows::Row;
use super::{Rows, SystemRelation};
use crate::{Catalog, Relation};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_index",
            2_610,
            "indexrelid oid, indrelid oid, indnatts int2, indnkeyatts int2, indisunique bool, \
                 indnullsnotdistinct bool, indisprimary bool, indisexclusion bool, indimmediate bool, \
                 indisclustered bool, indisvalid bool, indcheckxmin bool, indisready bool, indislive bool, \
                 indisreplident bool, indkey int2vector, indcollation oidvector, indclass oidvector, \
                 indoption int2vector, indexprs pg_node_tree, indpred pg_node_tree",
            Rows::Catalog(|catalog| keys(catalog, index)),
        ),
        SystemRelation::new(
            "pg_constraint",
            2_606,
            "oid oid, conname name, connamespace oid, contype char, condeferrable bool, condeferred \
                 bool, convalidated bool, conrelid oid, contypid oid, conindid oid, conparentid oid, \
                 confrelid oid, confupdtype char, confdeltype char, confmatchtype char, conislocal bool, \
                 coninhcount int4, connoinherit bool, conkey int2[], confkey int2[], conpfeqop oid[], \
                 conppeqop oid[], conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin \
                 pg_node_tree",
            Rows::Catalog(|catalog| keys(catalog, constraint)),
        ),
    ]
}

fn keys(catalog: &Catalog, row: impl Fn(&Relation, Vec<i64>) -> Row) -> Vec<Row> {
    let row = |relation: &Relation| {
        let key = relation.primary_key()?;
        Some(row(relation, key.iter().map(|position| *position as i64 + 1).collect()))
    };
    catalog.relations().filter_map(|relation| row(relation)).collect()
}

fn index(relation: &Relation, key: Vec<i64>) -> Row {
    let width = key.len();
    Row::zero()
        .set("indexrelid", of_index(relation))
        .set("indrelid", of_relation(relation))
        .set("indnatts", width as i64)
        .set("indnkeyatts", width as i64)
        .set("indisunique", true)
        .set("indisprimary", true)
        .set("indimmediate", true)
        .set("indisvalid", true)
        .set("indisready", true)
        .set("indislive", true)
        .set("indkey", key)
        .set("indcollation", vec![0_i64; width])
        .set("indclass", vec![0_i64; width])
        .set("indoption", vec![0_i64; width])
}

fn constraint(relation: &Relation, key: Vec<i64>) -> Row {
    Row::zero()
        .set("oid", of_constraint(relation))
        .set("conname", key_name(relation))
        .set("connamespace", PUBLIC)
        .set("contype", "p")
        .set("convalidated", true)
        .set("conrelid", of_relation(relation))
        .set("conindid", of_index(relation))
        .set("confupdtype", " ")
        .set("confdeltype", " ")
        .set("confmatchtype", " ")
        .set("conislocal", true)
        .set("connoinherit", true)
        .set("conkey", key)
}

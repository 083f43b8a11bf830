//! Indexes and constraints: `pg_index`, `pg_constraint`.

use super::keys::{ConstraintFacts, ConstraintKind, IndexFacts, constraints, indexes};
use super::namespaces;
use super::oids::{of_relation, of_type};
use super::rows::Row;
use super::{Rows, SystemRelation, user_types};
use crate::SchemaId;

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
            Rows::Catalog(|catalog| {
                catalog.relations().flat_map(|relation| indexes(relation)).map(|it| index(&it)).collect()
            }),
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
            Rows::Catalog(|catalog| {
                let all = catalog.relations().flat_map(|relation| constraints(catalog, relation));
                let of_domains = user_types::domain_checks(catalog).map(|(domain, oid, check)| {
                    Row::zero()
                        .set("oid", oid)
                        .set("conname", check.name.as_str())
                        .set("connamespace", namespaces::of_schema(SchemaId::PUBLIC))
                        .set("contype", "c")
                        .set("convalidated", check.validated)
                        .set("contypid", of_type(domain))
                        .set("conislocal", true)
                        .set("conbin", check.expr.as_str())
                });
                all.map(|it| constraint(&it)).chain(of_domains).collect()
            }),
        ),
    ]
}

/// Positions as they are counted from 1.
fn numbers(columns: &[usize]) -> Vec<i64> {
    columns.iter().map(|position| *position as i64 + 1).collect()
}

fn index(index: &IndexFacts<'_>) -> Row {
    let width = index.columns.len();
    Row::zero()
        .set("indexrelid", index.oid)
        .set("indrelid", of_relation(index.table))
        .set("indnatts", width as i64)
        .set("indnkeyatts", width as i64)
        .set("indisunique", index.unique)
        .set("indisprimary", index.primary)
        .set("indimmediate", true)
        .set("indisvalid", true)
        .set("indisready", true)
        .set("indislive", true)
        .set("indkey", numbers(index.columns))
        .set("indcollation", vec![0_i64; width])
        .set("indclass", vec![0_i64; width])
        .set("indoption", vec![0_i64; width])
}

fn constraint(constraint: &ConstraintFacts<'_>) -> Row {
    let row = Row::zero()
        .set("oid", constraint.oid)
        .set("conname", constraint.name.as_str())
        .set("connamespace", namespaces::of(constraint.table))
        .set("contype", constraint.kind.letter())
        .set("convalidated", true)
        .set("conrelid", of_relation(constraint.table))
        .set("conindid", constraint.index)
        .set("conislocal", true)
        .set("connoinherit", !matches!(constraint.kind, ConstraintKind::Check(_)))
        .set("conkey", numbers(constraint.columns));
    match &constraint.kind {
        ConstraintKind::Foreign(key, referenced) => row
            .set("confrelid", of_relation(referenced))
            .set("confkey", numbers(&key.referenced))
            .set("confupdtype", key.on_update.letter())
            .set("confdeltype", key.on_delete.letter())
            .set("confmatchtype", "s"),
        kind => {
            let row = if let ConstraintKind::Check(expr) = kind { row.set("conbin", *expr) } else { row };
            row.set("confupdtype", " ").set("confdeltype", " ").set("confmatchtype", " ")
        }
    }
}

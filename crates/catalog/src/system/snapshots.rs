//! The named snapshots of the database: `springtide_catalog.snapshots`.

use super::rows::Row;
use super::{OWN_SCHEMA, Rows, SessionFacts, Snapshot, SystemRelation};

pub(super) fn relations() -> Vec<SystemRelation> {
    let columns = "name text, at timestamptz, created timestamptz";
    vec![SystemRelation::in_schema(OWN_SCHEMA, "snapshots", 14_001, columns, Rows::Session(rows))]
}

fn rows(facts: &SessionFacts) -> Vec<Row> {
    let row = |snapshot: &Snapshot| {
        let created = snapshot.created.map(|created| created as i64);
        Row::null().set("name", snapshot.name.as_str()).set("at", snapshot.at as i64).set("created", created)
    };
    facts.snapshots.iter().map(row).collect()
}

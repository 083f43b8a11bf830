//! Run-time parameters: `pg_settings`.

use std::collections::BTreeMap;

use super::rows::Row;
use super::{Rows, SystemRelation};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![SystemRelation::new(
        "pg_settings",
        12_104,
        "name text, setting text, unit text, category text, short_desc text, extra_desc text, \
                 context text, vartype text, source text, min_val text, max_val text, enumvals text[], \
                 boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool",
        Rows::Settings(settings),
    )]
}

fn settings(values: &BTreeMap<String, String>) -> Vec<Row> {
    let row = |(name, value): (&String, &String)| {
        Row::null()
            .set("name", name.as_str())
            .set("setting", value.as_str())
            .set("context", "user")
            .set("vartype", "string")
            .set("source", "session")
            .set("pending_restart", false)
    };
    values.iter().map(row).collect()
}

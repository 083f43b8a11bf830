//! What only the running database knows, as of when a query asks: `springtide_catalog.sources`.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::rows::Row;
use super::{OWN_SCHEMA, Rows, SessionFacts, SystemRelation};

/// The running database, as the queries that ask about it see it.
pub trait Live: Debug + Send + Sync {
    /// Its sources. O(sources).
    fn sources(&self) -> Vec<SourceFacts>;
}

/// A source at work.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// Its name.
    pub name: String,
    /// The kind of source.
    pub connector: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
    /// The tables that it fills.
    pub tables: Vec<String>,
    /// How many events are committed.
    pub events: u64,
    /// Where it goes on; empty at the beginning.
    pub position: String,
    /// `running`, `finished` or `failing`.
    pub status: &'static str,
    /// Why it is failing.
    pub error: Option<String>,
}

pub(super) fn relations() -> Vec<SystemRelation> {
    let columns = "name text, connector text, options text[], tables text[], events int8, position text, \
                   status text, error text";
    vec![SystemRelation::in_schema(OWN_SCHEMA, "sources", 14_002, columns, Rows::Session(sources))]
}

fn sources(facts: &SessionFacts) -> Vec<Row> {
    let row = |source: SourceFacts| {
        let options = source.options.iter().map(|(name, value)| format!("{name}={value}"));
        Row::null()
            .set("name", source.name)
            .set("connector", source.connector)
            .set("options", options.collect::<Vec<_>>())
            .set("tables", source.tables)
            .set("events", source.events as i64)
            .set("position", source.position)
            .set("status", source.status)
            .set("error", source.error)
    };
    facts.live.iter().flat_map(|live| live.sources()).map(row).collect()
}

//! What only the running database knows, as of when a query asks: `springtide_catalog.sources` and `operators`.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::rows::Row;
use super::{BackendFacts, OWN_SCHEMA, Rows, SessionFacts, SystemRelation};

/// The running database, as the queries that ask about it see it.
pub trait Live: Debug + Send + Sync {
    /// Its sources. O(sources).
    fn sources(&self) -> Vec<SourceFacts>;

    /// The operators of its materialized views, by view and position in the plan. O(operators and workers).
    fn operators(&self) -> Vec<OperatorFacts>;

    /// The sessions of clients. O(sessions).
    fn backends(&self) -> Vec<BackendFacts>;

    /// Ends the statement that a session runs, or the session. `false` if there is none of this number.
    fn interrupt(&self, process_id: i32, terminate: bool) -> bool;
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

/// An operator of a materialized view on one worker.
#[derive(Clone, Debug)]
pub struct OperatorFacts {
    /// The view.
    pub view: String,
    /// The line of EXPLAIN that says what it does, from 1.
    pub line: usize,
    /// What kind of operator it is, such as `GroupBy`.
    pub kind: String,
    /// What it does.
    pub description: String,
    /// The worker, from 0.
    pub worker: usize,
    /// Rows that it was given since it was started, with those that were taken away.
    pub rows_in: u64,
    /// Rows that it gave.
    pub rows_out: u64,
    /// Bytes of state, as of when they were last measured.
    pub bytes: usize,
}

pub(super) fn relations() -> Vec<SystemRelation> {
    let of_sources = "name text, connector text, options text[], tables text[], events int8, position text, \
                      status text, error text";
    let of_operators = "view text, line int4, kind text, description text, worker int4, rows_in int8, \
                        rows_out int8, bytes int8";
    vec![
        SystemRelation::in_schema(OWN_SCHEMA, "sources", 14_002, of_sources, Rows::Session(sources)),
        SystemRelation::in_schema(OWN_SCHEMA, "operators", 14_003, of_operators, Rows::Session(operators)),
    ]
}

fn operators(facts: &SessionFacts) -> Vec<Row> {
    let row = |operator: OperatorFacts| {
        Row::null()
            .set("view", operator.view)
            .set("line", operator.line as i64)
            .set("kind", operator.kind)
            .set("description", operator.description)
            .set("worker", operator.worker as i64)
            .set("rows_in", operator.rows_in as i64)
            .set("rows_out", operator.rows_out as i64)
            .set("bytes", operator.bytes as i64)
    };
    facts.live.iter().flat_map(|live| live.operators()).map(row).collect()
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

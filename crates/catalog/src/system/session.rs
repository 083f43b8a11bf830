//! What a session knows of itself: `pg_settings`, `pg_prepared_statements`, `pg_cursors`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use springtide_types::{Result, SqlType};

use super::rows::{Row, Value};
use super::{Backend, Live, Rows, Snapshot, SystemRelation, type_name};
use crate::{RoleId, SessionSequences};

/// A session as the queries that ask about it see it.
#[derive(Clone, Debug, Default)]
pub struct SessionFacts {
    /// Who it is.
    pub identity: Identity,
    /// The run-time parameters, by name.
    pub settings: Arc<BTreeMap<String, SettingFacts>>,
    /// The prepared statements, by name.
    pub statements: Arc<BTreeMap<String, StatementFacts>>,
    /// The open cursors, by name.
    pub cursors: Arc<BTreeMap<String, CursorFacts>>,
    /// The named snapshots of the database.
    pub snapshots: Arc<[Snapshot]>,
    /// The running database, where there is one.
    pub live: Option<Arc<dyn Live>>,
    /// The session itself, if it is that of a client.
    pub backend: Option<Arc<dyn Backend>>,
    /// Where `set_config` puts what it is asked for; `None` where nothing can be set.
    pub requests: Option<Arc<dyn SettingRequests>>,
    /// The numbers that it took from sequences.
    pub sequences: Arc<SessionSequences>,
}

/// Who a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `session_user`: who logged in, or what SET SESSION AUTHORIZATION has set.
    pub session: RoleId,
    /// `current_user`: what SET ROLE has set, and whose privileges count.
    pub current: RoleId,
}

impl Default for Identity {
    fn default() -> Identity {
        Identity { session: RoleId::BOOTSTRAP, current: RoleId::BOOTSTRAP }
    }
}

/// A run-time parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingFacts {
    /// Its value, as SHOW gives it.
    pub value: String,
    /// What it is for, in a line.
    pub description: &'static str,
}

/// A prepared statement.
#[derive(Clone, Debug)]
pub struct StatementFacts {
    /// The text that prepared it.
    pub text: String,
    /// When, in microseconds since 1970.
    pub prepared_at: i64,
    /// The types of its parameters.
    pub parameters: Vec<SqlType>,
    /// The types of its columns, if it returns rows.
    pub results: Option<Vec<SqlType>>,
    /// Prepared by PREPARE rather than by the protocol.
    pub from_sql: bool,
}

/// A cursor.
#[derive(Clone, Debug)]
pub struct CursorFacts {
    /// The text that declared it.
    pub text: String,
    /// When, in microseconds since 1970.
    pub created_at: i64,
    /// WITH HOLD
    pub hold: bool,
    /// Whether it can go backward.
    pub scroll: bool,
}

/// Takes changes of run-time parameters from queries that are at work.
pub trait SettingRequests: Debug + Send + Sync {
    /// Sets a parameter once the query is through, or back to its value at the start. Returns the value that it will
    /// have, as SHOW gives it. Fails as SET does.
    fn request(&self, name: &str, value: Option<&str>, local: bool) -> Result<String>;
}

impl SessionFacts {
    /// Whether these are the same values in memory.
    pub(super) fn is_same(&self, other: &SessionFacts) -> bool {
        self.identity == other.identity
            && Arc::ptr_eq(&self.settings, &other.settings)
            && Arc::ptr_eq(&self.statements, &other.statements)
            && Arc::ptr_eq(&self.cursors, &other.cursors)
            && Arc::ptr_eq(&self.snapshots, &other.snapshots)
    }
}

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_settings",
            12_104,
            "name text, setting text, unit text, category text, short_desc text, extra_desc text, \
                 context text, vartype text, source text, min_val text, max_val text, enumvals text[], \
                 boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool",
            Rows::Session(settings),
        ),
        SystemRelation::new(
            "pg_prepared_statements",
            12_095,
            "name text, statement text, prepare_time timestamptz, parameter_types text[], \
                 result_types text[], from_sql bool, generic_plans int8, custom_plans int8",
            Rows::Session(statements),
        ),
        SystemRelation::new(
            "pg_cursors",
            12_077,
            "name text, statement text, is_holdable bool, is_binary bool, is_scrollable bool, \
                 creation_time timestamptz",
            Rows::Session(cursors),
        ),
    ]
}

fn settings(session: &SessionFacts) -> Vec<Row> {
    let row = |(name, setting): (&String, &SettingFacts)| {
        Row::null()
            .set("name", name.as_str())
            .set("setting", setting.value.as_str())
            .set("short_desc", setting.description)
            .set("context", "user")
            .set("vartype", "string")
            .set("source", "session")
            .set("pending_restart", false)
    };
    session.settings.iter().map(row).collect()
}

fn statements(session: &SessionFacts) -> Vec<Row> {
    let row = |(name, statement): (&String, &StatementFacts)| {
        Row::null()
            .set("name", name.as_str())
            .set("statement", statement.text.as_str())
            .set("prepare_time", statement.prepared_at)
            .set("parameter_types", type_names(&statement.parameters))
            .set("result_types", statement.results.as_deref().map(type_names))
            .set("from_sql", statement.from_sql)
            .set("generic_plans", 0)
            .set("custom_plans", 0)
    };
    session.statements.iter().map(row).collect()
}

fn type_names(types: &[SqlType]) -> Value {
    Value::Texts(types.iter().map(|sql_type| type_name(*sql_type)).collect())
}

fn cursors(session: &SessionFacts) -> Vec<Row> {
    let row = |(name, cursor): (&String, &CursorFacts)| {
        Row::null()
            .set("name", name.as_str())
            .set("statement", cursor.text.as_str())
            .set("is_holdable", cursor.hold)
            .set("is_binary", false)
            .set("is_scrollable", cursor.scroll)
            .set("creation_time", cursor.created_at)
    };
    session.cursors.iter().map(row).collect()
}

//! The run-time parameters that there are: those of PostgreSQL that clients set and ask for.

use springtide_datetime::{DateStyle, Zone};
use springtide_types::{Result, SqlError, SqlState};

use super::milliseconds::{parse_milliseconds, show_milliseconds};
use super::{AS_OF, ROLE, SEARCH_PATH, SESSION_AUTHORIZATION, SYNCHRONOUS_COMMIT};
use crate::moment::parse_moment;

/// A run-time parameter.
pub(super) struct Parameter {
    /// Its name, in lower case.
    pub(super) name: &'static str,
    /// Its value at the start.
    pub(super) default: &'static str,
    kind: Kind,
    pub(super) description: &'static str,
}

/// What a parameter may be set to.
#[derive(Clone)]
enum Kind {
    Any,
    Bool,
    Integer {
        least: i64,
        most: i64,
    },
    /// A time, which may have a unit.
    Milliseconds,
    /// A boolean, or one of these.
    BoolOr(&'static [(&'static str, &'static str)]),
    /// These, by how they may be written in lower case and how they are shown.
    OneOf(&'static [(&'static str, &'static str)]),
    Moment,
    /// A list of names.
    Names,
    /// A format and an order of dates, or one of both.
    DateStyle,
    TimeZone,
    Fixed,
}

/// Of type `bool`, on at the start, and without effect: PostgreSQL's planner may be told what not to do.
const PLANNER_SWITCHES: [&str; 20] = [
    "enable_async_append",
    "enable_bitmapscan",
    "enable_gathermerge",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
];

const ENCODINGS: &[(&str, &str)] =
    &[("utf8", "UTF8"), ("utf-8", "UTF8"), ("unicode", "UTF8"), ("sql_ascii", "SQL_ASCII")];
const INTERVAL_STYLES: &[(&str, &str)] = &[
    ("postgres", "postgres"),
    ("postgres_verbose", "postgres_verbose"),
    ("sql_standard", "sql_standard"),
    ("iso_8601", "iso_8601"),
];
const SYNCHRONOUS_COMMITS: &[(&str, &str)] =
    &[("local", "local"), ("remote_write", "remote_write"), ("remote_apply", "remote_apply")];
const ISOLATION_LEVELS: &[(&str, &str)] = &[
    ("serializable", "serializable"),
    ("repeatable read", "repeatable read"),
    ("read committed", "read committed"),
    ("read uncommitted", "read uncommitted"),
];
const PLAN_CACHE_MODES: &[(&str, &str)] = &[
    ("auto", "auto"),
    ("force_generic_plan", "force_generic_plan"),
    ("force_custom_plan", "force_custom_plan"),
];

const fn parameter(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    description: &'static str,
) -> Parameter {
    Parameter { name, default, kind, description }
}

const PARAMETERS: &[Parameter] = &[
    parameter("application_name", "", Kind::Any, "The name that the client gives itself."),
    parameter("bytea_output", "hex", Kind::OneOf(&[("hex", "hex")]), "The output format for bytea."),
    parameter("check_function_bodies", "on", Kind::Bool, "Whether CREATE FUNCTION checks bodies: always."),
    parameter("client_encoding", "UTF8", Kind::OneOf(ENCODINGS), "The encoding of what clients send."),
    parameter("client_min_messages", "notice", Kind::Any, "The level of messages to send: all are."),
    parameter("datestyle", "ISO, MDY", Kind::DateStyle, "The format of dates."),
    parameter("default_table_access_method", "heap", Kind::Any, "The access method of new tables."),
    parameter("default_tablespace", "", Kind::Any, "The tablespace of new tables."),
    parameter(
        "default_transaction_isolation",
        "serializable",
        Kind::OneOf(ISOLATION_LEVELS),
        "The isolation of new transactions: they are serializable.",
    ),
    parameter("default_transaction_read_only", "off", Kind::Bool, "Whether new transactions only read."),
    parameter("escape_string_warning", "on", Kind::Bool, "Whether to warn of backslashes in literals."),
    parameter(
        "extra_float_digits",
        "1",
        Kind::Integer { least: -15, most: 3 },
        "The digits of floating-point numbers: as many as needed.",
    ),
    parameter(
        "idle_in_transaction_session_timeout",
        "0",
        Kind::Milliseconds,
        "How long a session may idle in a transaction.",
    ),
    parameter("idle_session_timeout", "0", Kind::Milliseconds, "How long a session may idle: for ever."),
    parameter("integer_datetimes", "on", Kind::Fixed, "Whether dates are integers."),
    parameter("intervalstyle", "postgres", Kind::OneOf(INTERVAL_STYLES), "The output format for intervals."),
    parameter("jit", "off", Kind::Bool, "Whether expressions are compiled: never."),
    parameter("lock_timeout", "0", Kind::Milliseconds, "How long to wait for locks: there are none."),
    parameter("max_identifier_length", "63", Kind::Fixed, "How long identifiers may be in PostgreSQL."),
    parameter("max_index_keys", "32", Kind::Fixed, "How many columns an index may have in PostgreSQL."),
    parameter(
        "max_parallel_workers_per_gather",
        "2",
        Kind::Integer { least: 0, most: 1024 },
        "Without effect.",
    ),
    parameter(
        "password_encryption",
        "scram-sha-256",
        Kind::OneOf(&[("scram-sha-256", "scram-sha-256")]),
        "How passwords are kept: as SCRAM-SHA-256 verifiers.",
    ),
    parameter("plan_cache_mode", "auto", Kind::OneOf(PLAN_CACHE_MODES), "Without effect."),
    parameter(ROLE, "none", Kind::Fixed, "The current role, unless it is the user of the session."),
    parameter("row_security", "on", Kind::Bool, "Whether row security applies: there is none."),
    parameter(
        SEARCH_PATH,
        "\"$user\", public",
        Kind::Names,
        "The schemas in which names are looked up that say none.",
    ),
    parameter("server_encoding", "UTF8", Kind::Fixed, "The encoding of the database."),
    parameter("server_version", "15.0", Kind::Fixed, "The version of PostgreSQL that is followed."),
    parameter("server_version_num", "150000", Kind::Fixed, "The same as a number."),
    parameter(SESSION_AUTHORIZATION, "", Kind::Fixed, "The user of the session."),
    parameter(AS_OF, "", Kind::Moment, "The moment that statements read as of; now if empty."),
    parameter(
        "standard_conforming_strings",
        "on",
        Kind::OneOf(&[("on", "on"), ("true", "on"), ("yes", "on"), ("1", "on")]),
        "Whether backslashes in '...' are ordinary: always.",
    ),
    parameter("statement_timeout", "0", Kind::Milliseconds, "How long a statement may run."),
    parameter(
        SYNCHRONOUS_COMMIT,
        "on",
        Kind::BoolOr(SYNCHRONOUS_COMMITS),
        "Whether a commit waits for the disk.",
    ),
    parameter("timezone", "UTC", Kind::TimeZone, "The time zone of timestamps."),
    parameter(
        "transaction_isolation",
        "serializable",
        Kind::OneOf(ISOLATION_LEVELS),
        "The isolation of the transaction: it is serializable.",
    ),
    parameter("transaction_read_only", "off", Kind::Bool, "Whether the transaction only reads."),
    parameter("work_mem", "4MB", Kind::Any, "Without effect."),
    parameter("xmloption", "content", Kind::Any, "Without effect."),
];

const UNITS: &str = "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
const PLANNER_SWITCH: &str = "Without effect.";

/// All parameters.
pub(super) fn parameters() -> impl Iterator<Item = Parameter> {
    let switches = PLANNER_SWITCHES.iter().map(|name| parameter(name, "on", Kind::Bool, PLANNER_SWITCH));
    let known = PARAMETERS.iter().map(|known| Parameter { kind: known.kind.clone(), ..*known });
    known.chain(switches)
}

/// The parameter of this name, in lower case.
pub(super) fn find(name: &str) -> Option<Parameter> {
    parameters().find(|parameter| parameter.name == name)
}

impl Parameter {
    /// A value as SHOW gives it. Fails with `22023` if the parameter can't have it, and with `55P02` if it can't be
    /// changed.
    pub(super) fn shown(&self, value: &str, before: DateStyle) -> Result<String> {
        let folded = value.trim().to_lowercase();
        Ok(match &self.kind {
            Kind::Any => value.to_owned(),
            Kind::Bool => boolean(&folded).map(str::to_owned).ok_or_else(|| {
                let message = format!("parameter \"{}\" requires a Boolean value", self.name);
                SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            })?,
            Kind::BoolOr(others) => match boolean(&folded) {
                Some(shown) => shown.to_owned(),
                None => {
                    one_of(others, &folded).ok_or_else(|| self.unavailable(value, others, &["on", "off"]))?
                }
            },
            Kind::Integer { least, most } => {
                let number = folded.parse::<i64>().map_err(|_| self.invalid(value))?;
                if !(*least..=*most).contains(&number) {
                    return Err(self.out_of_range(number, *least, *most));
                }
                number.to_string()
            }
            Kind::Milliseconds => {
                let number = parse_milliseconds(&folded).ok_or_else(|| {
                    let error = self.invalid(value);
                    if folded.starts_with(|c: char| c.is_ascii_digit()) {
                        error.with_hint(UNITS)
                    } else {
                        error
                    }
                })?;
                if !(0..=i64::from(i32::MAX)).contains(&number) {
                    return Err(self.out_of_range(number, 0, i64::from(i32::MAX)));
                }
                show_milliseconds(number)
            }
            Kind::OneOf(allowed) => {
                one_of(allowed, &folded).ok_or_else(|| self.unavailable(value, allowed, &[]))?
            }
            Kind::Moment => {
                if !value.is_empty() {
                    parse_moment(value)?;
                }
                value.to_owned()
            }
            Kind::Names => {
                super::search_path::check(value)?;
                value.to_owned()
            }
            Kind::DateStyle => {
                let style = before.changed(value).ok_or_else(|| self.invalid(value))?;
                style.shown()
            }
            Kind::TimeZone => {
                let zone = Zone::setting(value).ok_or_else(|| self.invalid(value))?;
                zone.name().to_owned()
            }
            Kind::Fixed => {
                let message = format!("parameter \"{}\" cannot be changed", self.name);
                return Err(SqlError::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, message));
            }
        })
    }

    fn invalid(&self, value: &str) -> SqlError {
        let message = format!("invalid value for parameter \"{}\": \"{value}\"", self.name);
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    }

    fn unavailable(&self, value: &str, allowed: &[(&str, &str)], more: &[&str]) -> SqlError {
        let available = allowed.iter().map(|(written, _)| written).chain(more);
        let available = available.copied().collect::<Vec<_>>().join(", ");
        self.invalid(value).with_hint(format!("Available values: {available}."))
    }

    fn out_of_range(&self, number: i64, least: i64, most: i64) -> SqlError {
        let unit = if matches!(self.kind, Kind::Milliseconds) { " ms" } else { "" };
        let message = format!(
            "{number}{unit} is outside the valid range for parameter \"{}\" ({least} .. {most})",
            self.name
        );
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
    }
}

/// How SHOW gives a boolean.
fn boolean(folded: &str) -> Option<&'static str> {
    match folded {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some("on"),
        "off" | "false" | "no" | "0" | "f" | "n" => Some("off"),
        _ => None,
    }
}

/// How SHOW gives a value that is one of these.
fn one_of(allowed: &[(&str, &str)], folded: &str) -> Option<String> {
    allowed.iter().find(|(written, _)| *written == folded).map(|(_, shown)| (*shown).to_owned())
}

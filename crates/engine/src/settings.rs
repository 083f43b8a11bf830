use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_types::{Result, SqlError, SqlState};

use crate::moment::{Moment, parse_moment};

/// The moment that statements read as of; empty for now.
pub(crate) const AS_OF: &str = "springtide.as_of";

/// The run-time parameters of a session: those of PostgreSQL that clients set and ask for.
pub(crate) struct Settings {
    /// Shared with the queries that ask for them.
    values: Arc<BTreeMap<String, String>>,
    /// What [`AS_OF`] says.
    as_of: Option<Moment>,
}

/// Name, value at the start, and the values that it may be set to (none listed: any).
const PARAMETERS: &[(&str, &str, &[&str])] = &[
    ("application_name", "", &[]),
    ("bytea_output", "hex", &["hex"]),
    ("client_encoding", "UTF8", &["utf8", "utf-8", "unicode", "sql_ascii"]),
    ("client_min_messages", "notice", &[]),
    ("datestyle", "ISO, MDY", &["iso", "iso, mdy", "iso,mdy", "iso, dmy", "iso, ymd"]),
    ("default_table_access_method", "heap", &["heap"]),
    ("default_transaction_isolation", "serializable", &[]),
    ("default_transaction_read_only", "off", &[]),
    ("extra_float_digits", "1", &[]),
    ("idle_in_transaction_session_timeout", "0", &[]),
    ("integer_datetimes", "on", &["on"]),
    ("intervalstyle", "postgres", &["postgres"]),
    ("jit", "off", &["off"]),
    ("lock_timeout", "0", &[]),
    ("max_identifier_length", "63", &["63"]),
    ("search_path", "\"$user\", public", &[]),
    ("server_encoding", "UTF8", &["utf8"]),
    ("server_version", "15.0", &["15.0"]),
    ("server_version_num", "150000", &["150000"]),
    (AS_OF, "", &[]),
    ("standard_conforming_strings", "on", &["on", "true"]),
    ("statement_timeout", "0", &[]),
    ("synchronous_commit", "on", &[]),
    ("timezone", "UTC", &["utc", "gmt", "etc/utc", "default"]),
    ("transaction_isolation", "serializable", &[]),
    ("transaction_read_only", "off", &[]),
];

impl Settings {
    pub(crate) fn new() -> Settings {
        let values = PARAMETERS.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned()));
        Settings { values: Arc::new(values.collect()), as_of: None }
    }

    /// The moment that statements read as of, unless that is now.
    pub(crate) fn as_of(&self) -> Option<Moment> {
        self.as_of
    }

    /// Sets a parameter. A name with a dot is the client's own, as in PostgreSQL.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let name = name.to_lowercase();
        match PARAMETERS.iter().find(|(known, ..)| *known == name) {
            Some((AS_OF, ..)) => {
                self.as_of = (!value.is_empty()).then(|| parse_moment(value)).transpose()?;
            }
            None if name.contains('.') => {}
            None => return Err(unrecognized(&name)),
            Some((_, _, [])) => {}
            Some((_, _, allowed)) if allowed.contains(&value.to_lowercase().as_str()) => {}
            Some((_, _, allowed)) => {
                let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                    .with_hint(format!("Available values: {}.", allowed.join(", "))));
            }
        }
        Arc::make_mut(&mut self.values).insert(name, value.to_owned());
        Ok(())
    }

    /// Sets a parameter back to its value at the start.
    pub(crate) fn reset(&mut self, name: &str) -> Result<()> {
        let name = name.to_lowercase();
        match PARAMETERS.iter().find(|(known, ..)| *known == name) {
            Some((_, value, _)) => {
                if name == AS_OF {
                    self.as_of = None;
                }
                Arc::make_mut(&mut self.values).insert(name, (*value).to_owned());
            }
            None => {
                Arc::make_mut(&mut self.values).remove(&name).ok_or_else(|| unrecognized(&name))?;
            }
        }
        Ok(())
    }

    /// All parameters, as they are now.
    pub(crate) fn values(&self) -> Arc<BTreeMap<String, String>> {
        self.values.clone()
    }

    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        let name = name.to_lowercase();
        self.values.get(&name).map(String::as_str).ok_or_else(|| unrecognized(&name))
    }
}

fn unrecognized(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

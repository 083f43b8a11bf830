use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_types::{Result, SqlError, SqlState};

use crate::commit::Acknowledged;
use crate::moment::{Moment, parse_moment};

/// The moment that statements read as of; empty for now.
pub(crate) const AS_OF: &str = "springtide.as_of";

const SYNCHRONOUS_COMMIT: &str = "synchronous_commit";

/// The run-time parameters of a session: those of PostgreSQL that clients set and ask for.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Shared with the queries that ask for them.
    values: Arc<BTreeMap<String, String>>,
    /// What the parameters that are set for the transaction only will be after it; `None` for unknown ones.
    after_transaction: BTreeMap<String, Option<String>>,
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
    (SYNCHRONOUS_COMMIT, "on", &["local", "remote_write", "remote_apply", "on", "off"]),
    ("timezone", "UTC", &["utc", "gmt", "etc/utc", "default"]),
    ("transaction_isolation", "serializable", &[]),
    ("transaction_read_only", "off", &[]),
];

impl Settings {
    pub(crate) fn new() -> Settings {
        let values = PARAMETERS.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned()));
        Settings { values: Arc::new(values.collect()), after_transaction: BTreeMap::new(), as_of: None }
    }

    /// The moment that statements read as of, unless that is now.
    pub(crate) fn as_of(&self) -> Option<Moment> {
        self.as_of
    }

    /// When commits are acknowledged.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        match self.values.get(SYNCHRONOUS_COMMIT).map(String::as_str) {
            Some("off") => Acknowledged::Visible,
            _ => Acknowledged::Durable,
        }
    }

    /// Sets a parameter for the session. A name with a dot is the client's own, as in PostgreSQL.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let name = name.to_lowercase();
        self.put(&name, value)?;
        self.after_transaction.remove(&name);
        Ok(())
    }

    /// Sets a parameter, to its value at the start if none is given, until [`Settings::end_transaction`].
    pub(crate) fn set_local(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let name = name.to_lowercase();
        let before = self.values.get(&name).cloned();
        match value {
            Some(value) => self.put(&name, value)?,
            None => self.put_back(&name)?,
        }
        self.after_transaction.entry(name).or_insert(before);
        Ok(())
    }

    /// Sets a parameter back to its value at the start.
    pub(crate) fn reset(&mut self, name: &str) -> Result<()> {
        let name = name.to_lowercase();
        self.put_back(&name)?;
        self.after_transaction.remove(&name);
        Ok(())
    }

    /// Gives the parameters that were set for the transaction only the values of the session again.
    pub(crate) fn end_transaction(&mut self) -> Result<()> {
        for (name, value) in std::mem::take(&mut self.after_transaction) {
            match value {
                Some(value) => self.put(&name, &value)?,
                None => self.put_back(&name)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, name: &str, value: &str) -> Result<()> {
        let mut value = value.to_owned();
        match PARAMETERS.iter().find(|(known, ..)| *known == name) {
            Some((AS_OF, ..)) => {
                self.as_of = (!value.is_empty()).then(|| parse_moment(&value)).transpose()?;
            }
            None if name.contains('.') => {}
            None => return Err(unrecognized(name)),
            Some((_, _, [])) => {}
            Some((known, _, allowed)) => {
                let lower = value.to_lowercase();
                let meant = if *known == SYNCHRONOUS_COMMIT { on_or_off(&lower) } else { &lower };
                if !allowed.contains(&meant) {
                    let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                        .with_hint(format!("Available values: {}.", allowed.join(", "))));
                }
                if *known == SYNCHRONOUS_COMMIT {
                    value = meant.to_owned();
                }
            }
        }
        Arc::make_mut(&mut self.values).insert(name.to_owned(), value);
        Ok(())
    }

    fn put_back(&mut self, name: &str) -> Result<()> {
        match PARAMETERS.iter().find(|(known, ..)| *known == name) {
            Some((_, value, _)) => {
                if name == AS_OF {
                    self.as_of = None;
                }
                Arc::make_mut(&mut self.values).insert(name.to_owned(), (*value).to_owned());
            }
            None => {
                Arc::make_mut(&mut self.values).remove(name).ok_or_else(|| unrecognized(name))?;
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

/// The other names that PostgreSQL has for the two.
fn on_or_off(value: &str) -> &str {
    match value {
        "true" | "yes" | "1" => "on",
        "false" | "no" | "0" => "off",
        other => other,
    }
}

fn unrecognized(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

//! The run-time parameters of a session.

mod milliseconds;
mod parameters;
mod requests;
mod search_path;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use springtide_catalog::system::{Identity, SettingFacts};
use springtide_catalog::{RoleId, SchemaId, SearchPath};
use springtide_datetime::{DateStyle, IntervalStyle, Style, Zone};
use springtide_types::{Result, SqlError, SqlState};

use crate::commit::Acknowledged;
use crate::moment::{Moment, parse_moment};
use milliseconds::parse_milliseconds;
use parameters::{find, parameters};

pub(crate) use requests::Requests;
pub(crate) use search_path::SEARCH_PATH;

/// The moment that statements read as of; empty for now.
pub(crate) const AS_OF: &str = "springtide.as_of";

/// What SET ROLE sets.
pub(crate) const ROLE: &str = "role";
/// What SET SESSION AUTHORIZATION sets.
pub(crate) const SESSION_AUTHORIZATION: &str = "session_authorization";

/// Whether a commit waits for the disk.
pub(crate) const SYNCHRONOUS_COMMIT: &str = "synchronous_commit";

/// The run-time parameters of a session. Cheap to clone: a transaction keeps them as they were, to return to them.
#[derive(Clone)]
pub(crate) struct Settings {
    /// At the start of the session: what RESET returns to.
    initial: Values,
    /// What outlives the transaction.
    session: Values,
    /// What holds now: `session`, but for what SET LOCAL has changed.
    current: Values,
}

#[derive(Clone)]
struct Values {
    /// Shared with the queries that ask for them.
    facts: Arc<BTreeMap<String, SettingFacts>>,
    as_of: Option<Moment>,
    /// How moments are read and written.
    style: Arc<Style>,
    statement_timeout: Option<Duration>,
    idle_in_transaction_timeout: Option<Duration>,
    /// Who the session is.
    user: RoleId,
    /// What SET ROLE has set.
    role: Option<RoleId>,
    /// Where names are looked up.
    path: Arc<SearchPath>,
    /// The schema of the session's temporary objects.
    temporary: SchemaId,
}

impl Settings {
    /// Those of a session of a role, which has this name, with a schema for its temporary objects.
    pub(crate) fn new(user: RoleId, name: &str, temporary: SchemaId) -> Settings {
        let facts = parameters().map(|known| {
            let fact = SettingFacts { value: known.default.to_owned(), description: known.description };
            (known.name.to_owned(), fact)
        });
        let mut values = Values {
            facts: Arc::new(facts.collect()),
            as_of: None,
            style: Arc::default(),
            statement_timeout: None,
            idle_in_transaction_timeout: None,
            user,
            role: None,
            path: SearchPath::stored(),
            temporary,
        };
        values.note(SESSION_AUTHORIZATION, name);
        Settings { initial: values.clone(), session: values.clone(), current: values }
    }

    /// Where names are looked up.
    pub(crate) fn path(&self) -> &Arc<SearchPath> {
        &self.current.path
    }

    /// The schema of the session's temporary objects.
    pub(crate) fn temporary(&self) -> SchemaId {
        self.current.temporary
    }

    /// The moment that statements read as of, unless that is now.
    pub(crate) fn as_of(&self) -> Option<Moment> {
        self.current.as_of
    }

    /// How moments are read and written.
    pub(crate) fn style(&self) -> &Arc<Style> {
        &self.current.style
    }

    /// Lets `now` be this moment, in microseconds since 1970 UTC.
    pub(crate) fn set_now(&mut self, now: i64) {
        for values in [&mut self.session, &mut self.current] {
            Arc::make_mut(&mut values.style).now = now;
        }
    }

    /// How long a statement may run.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.current.statement_timeout
    }

    /// Who the session is.
    pub(crate) fn identity(&self) -> Identity {
        let Values { user, role, .. } = self.current;
        Identity { session: user, current: role.unwrap_or(user) }
    }

    /// SET SESSION AUTHORIZATION, which ends what SET ROLE has set.
    pub(crate) fn set_session_role(&mut self, user: RoleId, name: &str, local: bool) {
        self.change(local, |values| {
            (values.user, values.role) = (user, None);
            values.note(SESSION_AUTHORIZATION, name);
            values.note(ROLE, "none");
        });
    }

    /// SET ROLE; `None` is the user of the session.
    pub(crate) fn set_role(&mut self, role: Option<RoleId>, name: &str, local: bool) {
        self.change(local, |values| {
            values.role = role;
            values.note(ROLE, name);
        });
    }

    fn change(&mut self, local: bool, change: impl Fn(&mut Values)) {
        if !local {
            change(&mut self.session);
        }
        change(&mut self.current);
    }

    /// When commits are acknowledged.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        match self.current.facts.get(SYNCHRONOUS_COMMIT).map(|fact| fact.value.as_str()) {
            Some("off") => Acknowledged::Visible,
            _ => Acknowledged::Durable,
        }
    }

    /// How long a session may idle in a transaction.
    pub(crate) fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.current.idle_in_transaction_timeout
    }

    /// Sets a parameter. A name with a dot is the client's own, as in PostgreSQL.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.session.set(name, value)?;
        self.current.set(name, value)
    }

    /// Sets a parameter until the transaction ends.
    pub(crate) fn set_local(&mut self, name: &str, value: &str) -> Result<()> {
        self.current.set(name, value)
    }

    /// Sets a parameter for good: RESET returns to this value.
    pub(crate) fn set_initial(&mut self, name: &str, value: &str) -> Result<()> {
        self.initial.set(name, value)?;
        self.set(name, value)
    }

    /// Sets a parameter back to its value at the start.
    pub(crate) fn reset(&mut self, name: &str) -> Result<()> {
        self.session.copy(name, &self.initial)?;
        self.current.copy(name, &self.initial)
    }

    /// Sets a parameter back to its value at the start until the transaction ends.
    pub(crate) fn reset_local(&mut self, name: &str) -> Result<()> {
        self.current.copy(name, &self.initial)
    }

    /// Sets all parameters back to their values at the start, but for who the session is.
    pub(crate) fn reset_all(&mut self) {
        for values in [&mut self.session, &mut self.current] {
            let who = (values.user, values.role);
            let named = [SESSION_AUTHORIZATION, ROLE].map(|name| values.facts.get(name).cloned());
            values.clone_from(&self.initial);
            (values.user, values.role) = who;
            for (name, fact) in [SESSION_AUTHORIZATION, ROLE].into_iter().zip(named) {
                values.note(name, fact.map(|fact| fact.value).as_deref().unwrap_or_default());
            }
        }
    }

    /// Ends what SET LOCAL has set.
    pub(crate) fn end_transaction(&mut self) {
        self.current = self.session.clone();
    }

    /// Whether a parameter is not as it was at the start.
    pub(crate) fn were_set(&self) -> bool {
        !Arc::ptr_eq(&self.current.facts, &self.initial.facts) && self.current.facts != self.initial.facts
    }

    /// All parameters, as they are now.
    pub(crate) fn facts(&self) -> &Arc<BTreeMap<String, SettingFacts>> {
        &self.current.facts
    }

    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        let name = name.to_lowercase();
        let fact = self.current.facts.get(&name);
        fact.map(|fact| fact.value.as_str()).ok_or_else(|| unrecognized(&name))
    }
}

impl Values {
    /// Lets SHOW give a value.
    fn note(&mut self, name: &str, value: &str) {
        if let Some(fact) = Arc::make_mut(&mut self.facts).get_mut(name) {
            value.clone_into(&mut fact.value);
        }
        self.find_path();
    }

    /// Follows the parameters on which the path depends, which hold a list already.
    fn find_path(&mut self) {
        let value = |name| self.facts.get(name).map_or("", |fact| fact.value.as_str());
        let role = match value(ROLE) {
            "none" => value(SESSION_AUTHORIZATION),
            role => role,
        };
        if let Ok(path) = search_path::search_path(value(SEARCH_PATH), role, self.temporary)
            && path != self.path
        {
            self.path = path;
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let name = name.to_lowercase();
        let value = shown(&name, value, self.style.date)?;
        let description = self.facts.get(&name).map_or("", |fact| fact.description);
        self.put(name, SettingFacts { value, description })
    }

    /// Takes the value that a parameter has elsewhere; a client's own one that is not there becomes empty.
    fn copy(&mut self, name: &str, from: &Values) -> Result<()> {
        let name = name.to_lowercase();
        match from.facts.get(&name) {
            Some(fact) => self.put(name, fact.clone()),
            None if self.facts.contains_key(&name) => {
                self.put(name, SettingFacts { value: String::new(), description: "" })
            }
            None => Err(unrecognized(&name)),
        }
    }

    fn put(&mut self, name: String, fact: SettingFacts) -> Result<()> {
        let timeout = |value: &str| {
            let milliseconds = parse_milliseconds(value).and_then(|value| u64::try_from(value).ok());
            milliseconds.filter(|value| *value > 0).map(Duration::from_millis)
        };
        match name.as_str() {
            AS_OF => {
                self.as_of = (!fact.value.is_empty()).then(|| parse_moment(&fact.value)).transpose()?;
            }
            "statement_timeout" => self.statement_timeout = timeout(&fact.value),
            "idle_in_transaction_session_timeout" => self.idle_in_transaction_timeout = timeout(&fact.value),
            "datestyle" => {
                let date = self.style.date.changed(&fact.value).unwrap_or_default();
                Arc::make_mut(&mut self.style).date = date;
            }
            "intervalstyle" => {
                let interval = IntervalStyle::named(&fact.value).unwrap_or_default();
                Arc::make_mut(&mut self.style).interval = interval;
            }
            "timezone" => {
                Arc::make_mut(&mut self.style).zone = Zone::setting(&fact.value).unwrap_or_default();
            }
            _ => {}
        }
        let is_path = name == SEARCH_PATH;
        Arc::make_mut(&mut self.facts).insert(name, fact);
        if is_path {
            self.find_path();
        }
        Ok(())
    }
}

/// A value of a parameter, whose name is in lower case, as SHOW gives it.
fn shown(name: &str, value: &str, before: DateStyle) -> Result<String> {
    match find(name) {
        Some(known) => known.shown(value, before),
        None if name.contains('.') => Ok(value.to_owned()),
        None => Err(unrecognized(name)),
    }
}

fn unrecognized(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

//! The run-time parameters whose values clients are told without asking.

use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_catalog::system::SettingFacts;

use super::Session;

/// Those of PostgreSQL 15 that a session can change, as it spells them.
const REPORTED: [&str; 8] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "IntervalStyle",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// What the client has been told.
#[derive(Default)]
pub(super) struct Reports(Arc<BTreeMap<String, SettingFacts>>);

impl Session {
    /// The parameters that the client is to be told of since this was last asked, with their values: at first all.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        self.take_requests();
        let facts = self.settings.facts();
        // Nobody changes a map that others hold.
        if Arc::ptr_eq(facts, &self.reports.0) {
            return Vec::new();
        }
        let told = std::mem::replace(&mut self.reports.0, facts.clone());
        let facts = &self.reports.0;
        let value = |facts: &BTreeMap<String, SettingFacts>, name: &str| {
            facts.get(&name.to_lowercase()).map(|fact| fact.value.clone())
        };
        let changed = REPORTED.into_iter().filter(|name| value(&told, name) != value(facts, name));
        changed.filter_map(|name| Some((name, value(facts, name)?))).collect()
    }
}

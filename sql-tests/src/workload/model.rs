use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::view::View;

/// `k`, `g` and `v` of a row; all other columns have their defaults.
pub(super) type Row = (i32, i32, i64);

/// The columns of every table. Those after the third are there so that values of many types are stored.
const COLUMNS: &str = "g int, v bigint, s text DEFAULT 'spring', z varchar(9), p numeric(10, 2) DEFAULT 1.50, \
    f float8 DEFAULT 0.1, b boolean DEFAULT true, y bytea DEFAULT '\\x00ff', \
    at timestamptz DEFAULT '2024-02-29 12:00:00+00', i interval DEFAULT '1 mon 2 days'";
/// What the columns with defaults hold, as text.
const DEFAULTS: &str = "spring|NULL|1.50|0.1|t|\\x00ff|2024-02-29 12:00:00+00|1 mon 2 days";

/// Names of tables and of views that a session uses, over and over.
const NAMES: usize = 4;

/// How a table was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `k` is the primary key.
    Keyed,
    /// No key.
    Bag,
    /// Rows are only inserted.
    AppendOnly,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) kind: Kind,
    pub(super) rows: Vec<Row>,
}

/// What a session owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The number of the session.
    pub session: usize,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) views: BTreeMap<String, View>,
    /// `k` and `amount` of its rows in the ledger.
    pub(super) ledger: Vec<(i32, i64)>,
    /// The next key of the ledger.
    pub(super) next: i32,
}

impl Table {
    pub(super) fn random(rng: &mut Rng) -> Table {
        let kind = [Kind::Keyed, Kind::Keyed, Kind::Bag, Kind::AppendOnly][rng.usize(..4)];
        Table { kind, rows: Vec::new() }
    }

    pub(super) fn create(&self, name: &str) -> String {
        let (key, options) = match self.kind {
            Kind::Keyed => (" PRIMARY KEY", ""),
            Kind::Bag => ("", ""),
            Kind::AppendOnly => ("", " WITH (append_only)"),
        };
        format!("CREATE TABLE {name} (k int{key}, {COLUMNS}){options}")
    }

    /// Rows that may be inserted.
    pub(super) fn new_rows(&self, rng: &mut Rng) -> Vec<Row> {
        let mut used = self.rows.iter().map(|row| row.0).collect::<BTreeSet<_>>();
        let mut rows = Vec::new();
        for _ in 0..rng.usize(1..6) {
            let key = rng.i32(0..100);
            if self.kind != Kind::Keyed || used.insert(key) {
                rows.push((key, rng.i32(0..6), rng.i64(-50..50)));
            }
        }
        rows
    }
}

impl Model {
    /// What a session owns at the beginning: nothing.
    pub fn new(session: usize) -> Model {
        Model { session, tables: BTreeMap::new(), views: BTreeMap::new(), ledger: Vec::new(), next: 1 }
    }

    pub(super) fn any_table(&self, rng: &mut Rng) -> Option<String> {
        let names = self.tables.keys().collect::<Vec<_>>();
        (!names.is_empty()).then(|| names[rng.usize(..names.len())].clone())
    }

    pub(super) fn any_view(&self, rng: &mut Rng) -> Option<String> {
        let names = self.views.keys().collect::<Vec<_>>();
        (!names.is_empty()).then(|| names[rng.usize(..names.len())].clone())
    }

    pub(super) fn free_table_name(&self, rng: &mut Rng) -> Option<String> {
        let name = format!("s{}_t{}", self.session, rng.usize(..NAMES));
        (!self.tables.contains_key(&name)).then_some(name)
    }

    pub(super) fn free_view_name(&self, rng: &mut Rng) -> Option<String> {
        let name = format!("s{}_v{}", self.session, rng.usize(..NAMES));
        (!self.views.contains_key(&name)).then_some(name)
    }

    /// Whether a view names this relation, which then can't be dropped.
    pub(super) fn is_read(&self, relation: &str) -> bool {
        self.views.values().any(|view| view.reads.iter().any(|read| read == relation))
    }

    /// The query for what [`Model::rows_of_ledger`] says.
    pub(super) fn query_of_ledger(&self) -> String {
        format!("SELECT k, amount FROM ledger WHERE session = {}", self.session)
    }

    pub(super) fn rows_of_ledger(&self) -> Vec<String> {
        let mut rows = self.ledger.iter().map(|(k, amount)| format!("{k}|{amount}")).collect::<Vec<_>>();
        rows.sort_unstable();
        rows
    }

    /// The rows of a table as texts, sorted; `None` if there is no such table.
    pub(super) fn rows(&self, table: &str) -> Option<Vec<String>> {
        let rows = self.tables.get(table)?.rows.iter();
        let mut rows = rows.map(|(k, g, v)| format!("{k}|{g}|{v}|{DEFAULTS}")).collect::<Vec<_>>();
        rows.sort_unstable();
        Some(rows)
    }
}

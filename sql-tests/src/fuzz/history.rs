use fastrand::Rng;

use super::case::End;
use super::expression::{Column, predicate};
use super::kind::Kind;

/// A table as random writes see it.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) not_null: Vec<bool>,
    /// How many leading columns make the primary key.
    pub(super) key: usize,
}

impl Table {
    pub(super) fn random(rng: &mut Rng, number: usize) -> Table {
        let columns = rng.usize(1..5);
        let key = if rng.bool() { rng.usize(1..3).min(columns) } else { 0 };
        let kinds = (0..columns).map(|c| if c < key { Kind::any_key(rng) } else { Kind::any(rng) }).collect();
        let not_null = (0..columns).map(|column| column >= key && rng.u8(..5) == 0).collect();
        Table { name: format!("t{number}"), kinds, not_null, key }
    }

    pub(super) fn create(&self, rng: &mut Rng) -> String {
        let mut parts = Vec::new();
        for (position, kind) in self.kinds.iter().enumerate() {
            let not_null = if self.not_null[position] { " NOT NULL" } else { "" };
            parts.push(format!("c{position} {}{not_null}", kind.declaration(rng)));
        }
        if self.key > 0 {
            let names = (0..self.key).map(|position| format!("c{position}")).collect::<Vec<_>>();
            parts.push(format!("PRIMARY KEY ({})", names.join(", ")));
        }
        format!("CREATE TABLE {} ({})", self.name, parts.join(", "))
    }

    fn columns(&self) -> Vec<Column> {
        let column = |(position, kind): (usize, &Kind)| Column { sql: format!("c{position}"), kind: *kind };
        self.kinds.iter().enumerate().map(column).collect()
    }

    fn value(&self, rng: &mut Rng, position: usize) -> String {
        let key = position < self.key;
        // Now and then a NULL where none is allowed, which must fail and leave nothing behind.
        let never_null = key || self.not_null[position];
        if never_null && rng.u8(..40) > 0 {
            return self.kinds[position].known(rng, key);
        }
        if never_null { "NULL".to_owned() } else { self.kinds[position].literal(rng, false) }
    }

    fn insert(&self, rng: &mut Rng) -> String {
        let row = |rng: &mut Rng| {
            let values = (0..self.kinds.len()).map(|position| self.value(rng, position)).collect::<Vec<_>>();
            format!("({})", values.join(", "))
        };
        let mut rows = (0..rng.usize(1..6)).map(|_| row(rng)).collect::<Vec<_>>();
        if self.key == 0 && rng.u8(..3) == 0 {
            rows.push(rows[0].clone());
        }
        format!("INSERT INTO {} VALUES {}", self.name, rows.join(", "))
    }

    fn update(&self, rng: &mut Rng) -> String {
        let mut sets = Vec::new();
        for (position, kind) in self.kinds.iter().enumerate() {
            if rng.u8(..3) > 0 && !(sets.is_empty() && position + 1 == self.kinds.len()) {
                continue;
            }
            let same = (0..self.kinds.len()).filter(|other| self.kinds[*other] == *kind).collect::<Vec<_>>();
            let value = match rng.u8(..3) {
                0 => format!("c{}", same[rng.usize(..same.len())]),
                _ => self.value(rng, position),
            };
            sets.push(format!("c{position} = {value}"));
        }
        format!("UPDATE {} SET {} WHERE {}", self.name, sets.join(", "), predicate(rng, &self.columns(), 1))
    }

    fn delete(&self, rng: &mut Rng) -> String {
        match rng.u8(..12) {
            0 => format!("DELETE FROM {}", self.name),
            _ => format!("DELETE FROM {} WHERE {}", self.name, predicate(rng, &self.columns(), 1)),
        }
    }

    /// One write, more often an insert than anything else.
    pub(super) fn write(&self, rng: &mut Rng) -> String {
        match rng.u8(..8) {
            0 | 1 => self.update(rng),
            2 | 3 => self.delete(rng),
            _ => self.insert(rng),
        }
    }
}

/// How a transaction of this many statements ends.
pub(super) fn end(rng: &mut Rng, statements: usize) -> End {
    match rng.u8(..6) {
        0 => End::Rollback,
        _ if statements == 1 && rng.bool() => End::Autocommit,
        _ => End::Commit,
    }
}

use super::expression::{Column, predicate};
use super::kind::Kind::*;
use super::query::{Generator, Query, Relation};

/// Joins stop growing at about this many rows, so that a case stays cheap to run from scratch.
const MANY_ROWS: f64 = 2_000.0;

/// What stands between FROM and WHERE.
pub(super) struct From {
    pub(super) sql: String,
    pub(super) columns: Vec<Column>,
    pub(super) conditions: Vec<String>,
    pub(super) rows: f64,
}

impl Generator<'_> {
    /// One to three relations, joined.
    pub(super) fn from(&mut self, depth: u32) -> From {
        let mut from = self.item(depth);
        for _ in 0..[0, 0, 0, 1, 1, 2][self.rng.usize(..6)] {
            let item = self.item(depth.saturating_sub(1));
            from = self.join(from, item);
        }
        from
    }

    fn item(&mut self, depth: u32) -> From {
        let alias = self.alias("r");
        if depth > 0 && self.one_in(4) {
            let Query { sql, kinds, rows, .. } = self.select(depth - 1, None);
            let relation = Relation { name: format!("({sql})"), kinds, rows, is_table: false };
            return item(&relation, &alias);
        }
        let relation = self.relations[self.rng.usize(..self.relations.len())].clone();
        item(&relation, &alias)
    }

    fn join(&mut self, left: From, right: From) -> From {
        let mut pairs = Vec::new();
        for l in &left.columns {
            pairs.extend(
                right.columns.iter().filter(|r| r.kind == l.kind && l.kind != Interval).map(|r| (l, r)),
            );
        }
        self.rng.shuffle(&mut pairs);
        let product = left.rows * right.rows;
        let columns = [&left.columns[..], &right.columns[..]].concat();
        let mut conditions = [&left.conditions[..], &right.conditions[..]].concat();
        let equal = pairs.iter().take(self.rng.usize(1..3));
        let mut equal = equal.map(|(l, r)| format!("{} = {}", l.sql, r.sql)).collect::<Vec<_>>();
        let choice = self.rng.u8(..10);
        if equal.is_empty() || (choice < 2 && product < MANY_ROWS) {
            if product > MANY_ROWS {
                return left;
            }
            let sql = match pairs.first() {
                Some((l, r)) if l.kind != Bool && choice > 0 => {
                    let operator = ["<", "<=", "<>", ">"][self.rng.usize(..4)];
                    let join = self.join_word();
                    format!("{} {join} {} ON {} {operator} {}", left.sql, right.sql, l.sql, r.sql)
                }
                _ => format!("{} CROSS JOIN {}", left.sql, right.sql),
            };
            return From { sql, columns, conditions, rows: product };
        }
        if self.one_in(4) {
            equal.push(predicate(self.rng, &columns, 0));
        }
        let sql = if choice == 9 && !left.sql.contains(" JOIN ") {
            conditions.append(&mut equal);
            format!("{}, {}", left.sql, right.sql)
        } else if left.sql.contains(", ") {
            conditions.append(&mut equal);
            format!("{} CROSS JOIN {}", left.sql, right.sql)
        } else {
            format!("{} {} {} ON {}", left.sql, self.join_word(), right.sql, equal.join(" AND "))
        };
        From { sql, columns, conditions, rows: product / 4.0 }
    }

    fn join_word(&mut self) -> &'static str {
        ["JOIN", "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"][self.rng.usize(..6)]
    }
}

/// One relation under an alias.
fn item(relation: &Relation, alias: &str) -> From {
    From {
        sql: format!("{} AS {alias}", relation.name),
        columns: relation.columns(alias),
        conditions: Vec::new(),
        rows: relation.rows,
    }
}

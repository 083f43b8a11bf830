use fastrand::Rng;

use super::expression::{Column, expression, predicate, risky};
use super::from::From;
use super::kind::Kind::{self, *};

/// A table or view that queries may read. Its columns are called c0, c1, and so on.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) kinds: Vec<Kind>,
    /// About how many rows it will hold.
    pub(super) rows: f64,
    pub(super) is_table: bool,
}

impl Relation {
    /// Its columns as seen under an alias.
    pub(super) fn columns(&self, alias: &str) -> Vec<Column> {
        let prefix = if alias.is_empty() { String::new() } else { format!("{alias}.") };
        let column =
            |(position, kind): (usize, &Kind)| Column { sql: format!("{prefix}c{position}"), kind: *kind };
        self.kinds.iter().enumerate().map(column).collect()
    }
}

const SET_OPERATORS: [&str; 8] =
    ["UNION ALL", "UNION ALL", "UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"];

/// A query and what comes out of it.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) rows: f64,
    /// Whether it is meant to fail for some rows.
    pub(super) fails: bool,
}

/// Makes queries over `relations`.
pub(super) struct Generator<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) relations: Vec<Relation>,
    aliases: usize,
}

impl<'a> Generator<'a> {
    pub(super) fn new(rng: &'a mut Rng, relations: &[Relation]) -> Generator<'a> {
        Generator { rng, relations: relations.to_vec(), aliases: 0 }
    }

    /// Any query of the maintained constructs; `depth` bounds how deeply queries nest.
    pub(super) fn query(&mut self, depth: u32) -> Query {
        match self.rng.u8(..13) {
            10 | 11 => self.windowed(depth),
            12 => self.limited(depth),
            0 | 1 if depth > 0 => self.union(depth),
            2 if depth > 0 => self.with(depth),
            3 => self.risky().unwrap_or_else(|| self.select(depth, None)),
            _ => self.select(depth, None),
        }
    }

    pub(super) fn one_in(&mut self, n: u8) -> bool {
        self.rng.u8(..n) == 0
    }

    pub(super) fn alias(&mut self, prefix: &str) -> String {
        self.aliases += 1;
        format!("{prefix}{}", self.aliases)
    }

    fn union(&mut self, depth: u32) -> Query {
        let mut query = self.select(depth - 1, None);
        for _ in 0..self.rng.usize(1..3) {
            let other = self.select(depth - 1, Some(&query.kinds.clone()));
            let operator = SET_OPERATORS[self.rng.usize(..SET_OPERATORS.len())];
            query.sql = format!("{} {operator} {}", query.sql, other.sql);
            query.rows += other.rows;
        }
        query
    }

    fn with(&mut self, depth: u32) -> Query {
        let common = self.select(depth - 1, None);
        let name = self.alias("w");
        // Several times, so that the query is likely to read it, and more than once.
        for _ in 0..3 {
            let (name, kinds, rows) = (name.clone(), common.kinds.clone(), common.rows);
            self.relations.push(Relation { name, kinds, rows, is_table: false });
        }
        let query = self.select(depth - 1, None);
        self.relations.truncate(self.relations.len() - 3);
        Query { sql: format!("WITH {name} AS ({}) {}", common.sql, query.sql), ..query }
    }

    /// Rows of one table with an expression that fails for some of them. Nothing else is in the query, so that
    /// evaluating from scratch meets exactly the same failures.
    fn risky(&mut self) -> Option<Query> {
        let tables = self.relations.iter().filter(|relation| relation.is_table).cloned().collect::<Vec<_>>();
        let table = tables.get(self.rng.usize(..tables.len()))?;
        let columns = table.columns("");
        let (expression, kind) = risky(self.rng, &columns)?;
        let filter = if self.one_in(2) {
            format!(" WHERE {}", predicate(self.rng, &columns, 0))
        } else {
            String::new()
        };
        let key = &columns[self.rng.usize(..columns.len())];
        let (sql, kinds) = if self.one_in(3) {
            let sql = format!(
                "SELECT {0} AS c0, sum({expression}) AS c1 FROM {1}{filter} GROUP BY {0}",
                key.sql, table.name
            );
            (sql, vec![key.kind, kind.of_sum()])
        } else {
            let sql = format!("SELECT {} AS c0, {expression} AS c1 FROM {}{filter}", key.sql, table.name);
            (sql, vec![key.kind, kind])
        };
        Some(Query { sql, kinds, rows: table.rows, fails: true })
    }

    /// A single SELECT; `wanted` fixes the kinds of its columns.
    pub(super) fn select(&mut self, depth: u32, wanted: Option<&[Kind]>) -> Query {
        let from = self.from(depth);
        let groupable = wanted.is_none_or(|kinds| !kinds.contains(&Bool));
        if groupable && self.rng.u8(..10) < 4 { self.grouped(from, wanted) } else { self.plain(from, wanted) }
    }

    fn plain(&mut self, mut from: From, wanted: Option<&[Kind]>) -> Query {
        let filter = self.filter(&mut from);
        let kinds = match wanted {
            Some(kinds) => kinds.to_vec(),
            None => (0..self.rng.usize(1..4)).map(|_| self.kind_of(&from.columns)).collect(),
        };
        let items =
            kinds.iter().map(|kind| expression(self.rng, &from.columns, *kind, 1)).collect::<Vec<_>>();
        let distinct = if self.one_in(4) { "DISTINCT " } else { "" };
        Query {
            sql: format!("SELECT {distinct}{} FROM {}{filter}", list(&items), from.sql),
            kinds,
            rows: from.rows,
            fails: false,
        }
    }

    fn grouped(&mut self, mut from: From, wanted: Option<&[Kind]>) -> Query {
        let filter = self.filter(&mut from);
        let kinds = wanted.map_or_else(
            || vec![None; self.rng.usize(1..5)],
            |kinds| kinds.iter().copied().map(Some).collect(),
        );
        let (mut items, mut keys, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for kind in kinds {
            if self.one_in(2) && keys.len() < 2 && !from.columns.is_empty() {
                let kind = kind.unwrap_or_else(|| self.kind_of(&from.columns));
                let depth = u32::from(self.one_in(4));
                let mut key = expression(self.rng, &from.columns, kind, depth);
                if key.parse::<i64>().is_ok() || key.parse::<bool>().is_ok() {
                    // A bare number would be a position in the select list, and another constant is refused.
                    key = format!("CAST({key} AS {})", kind.name());
                }
                items.push(key.clone());
                keys.push(key);
                found.push(kind);
            } else {
                let (item, kind) = self.aggregate(&from.columns, kind);
                items.push(item);
                found.push(kind);
            }
        }
        let sets = if self.one_in(10) { ["ROLLUP", "CUBE"][self.rng.usize(..2)] } else { "" };
        let group_by = match keys.join(", ") {
            keys if keys.is_empty() => String::new(),
            keys if sets.is_empty() => format!(" GROUP BY {keys}"),
            keys => format!(" GROUP BY {sets} ({keys})"),
        };
        let having = if self.one_in(4) { self.having(&from.columns) } else { String::new() };
        if keys.is_empty() && items.is_empty() {
            items.push("count(*)".to_owned());
            found.push(Int8);
        }
        let distinct = if self.one_in(8) { "DISTINCT " } else { "" };
        let sql = format!("SELECT {distinct}{} FROM {}{filter}{group_by}{having}", list(&items), from.sql);
        Query {
            sql,
            kinds: found,
            rows: if keys.is_empty() { 1.0 } else { from.rows.min(12.0) },
            fails: false,
        }
    }

    fn having(&mut self, columns: &[Column]) -> String {
        let condition = match self.rng.u8(..3) {
            0 => format!("count(*) > {}", self.rng.u8(1..4)),
            1 => format!("NOT (count(*) = {})", self.rng.u8(1..3)),
            _ => {
                let (aggregate, kind) = self.aggregate(columns, None);
                let operator = ["=", "<>", "IS DISTINCT FROM"][self.rng.usize(..3)];
                format!("{aggregate} {operator} {}", kind.known(self.rng, false))
            }
        };
        format!(" HAVING {condition}")
    }

    /// An aggregate that gives `wanted`, or anything.
    fn aggregate(&mut self, columns: &[Column], wanted: Option<Kind>) -> (String, Kind) {
        for _ in 0..20 {
            let argument = self.kind_of(columns);
            let distinct = if self.one_in(5) { "DISTINCT " } else { "" };
            let (function, kind) = match self.rng.u8(..10) {
                8 if argument == Bool => (["bool_and", "bool_or"][self.rng.usize(..2)], Bool),
                8 if matches!(argument, Int2 | Int4 | Int8) => {
                    (["bit_and", "bit_or", "bit_xor"][self.rng.usize(..3)], argument)
                }
                9 if argument == Text => ("string_agg", Text),
                0 => ("count", Int8),
                1 => ("count(*)", Int8),
                2 | 3 if argument.is_number() => ("sum", argument.of_sum()),
                4 if argument.is_number() => ("avg", argument.of_avg()),
                2..=5 if argument.array().is_some() && self.one_in(4) => {
                    ("array_agg", argument.array().unwrap_or(argument))
                }
                5 | 6 if argument.has_extremes() => ("min", argument),
                7 if argument.has_extremes() => ("max", argument),
                _ => continue,
            };
            if wanted.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            let text = expression(self.rng, columns, argument, 1);
            let call = if function == "count(*)" {
                function.to_owned()
            } else if function == "string_agg" {
                // In no other order it is the same each time.
                format!("string_agg({distinct}{text}, ',' ORDER BY {text})")
            } else {
                format!("{function}({distinct}{text})")
            };
            return (self.filtered(call, columns), kind);
        }
        let kind = wanted.filter(|kind| kind.has_extremes()).unwrap_or(Int8);
        let argument = expression(self.rng, columns, kind, 0);
        (self.filtered(format!("max({argument})"), columns), kind)
    }

    fn filtered(&mut self, call: String, columns: &[Column]) -> String {
        if !self.one_in(5) {
            return call;
        }
        format!("{call} FILTER (WHERE {})", predicate(self.rng, columns, 0))
    }

    /// The WHERE clause, or nothing. Conditions of comma joins always get in.
    pub(super) fn filter(&mut self, from: &mut From) -> String {
        let mut conditions = std::mem::take(&mut from.conditions);
        if self.one_in(2) {
            let depth = self.rng.u32(..3);
            conditions.push(predicate(self.rng, &from.columns, depth));
        }
        if self.one_in(5) {
            conditions.extend(self.membership(&from.columns));
        }
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
    }

    /// A condition with a subquery: `IN`, `EXISTS`, or a comparison with a single value.
    fn membership(&mut self, columns: &[Column]) -> Option<String> {
        let Column { sql, kind } = columns.get(self.rng.usize(..columns.len().max(1)))?.clone();
        let relation = self.relations[self.rng.usize(..self.relations.len())].clone();
        let alias = self.alias("s");
        let inside = relation.columns(&alias);
        let inner = inside.iter().find(|inner| inner.kind == kind)?.sql.clone();
        let from = format!("{} AS {alias}", relation.name);
        let condition = if self.one_in(2) { predicate(self.rng, &inside, 0) } else { "true".to_owned() };
        let negation = if self.one_in(2) { "NOT " } else { "" };
        let operator = match kind {
            Bool | Interval => "=",
            _ => ["=", "=", "=", "<", ">="][self.rng.usize(..5)],
        };
        let test = match self.rng.u8(..5) {
            0 | 1 => {
                format!(
                    "{negation}EXISTS (SELECT 1 FROM {from} WHERE {inner} {operator} {sql} AND {condition})"
                )
            }
            2 if kind.has_extremes() => {
                return Some(format!("{sql} {operator} (SELECT max({inner}) FROM {from} WHERE {condition})"));
            }
            // Correlated by whatever column the condition likes.
            3 => {
                let both = [columns, &inside].concat();
                let condition = predicate(self.rng, &both, 0);
                format!("{sql} {negation}IN (SELECT {inner} FROM {from} WHERE {condition})")
            }
            _ => format!("{sql} {negation}IN (SELECT {inner} FROM {from} WHERE {condition})"),
        };
        Some(match self.rng.u8(..6) {
            0 => format!("({test} OR {})", predicate(self.rng, columns, 0)),
            1 => format!("NOT ({test} AND {})", predicate(self.rng, columns, 0)),
            2 => format!("({test}) IS NOT TRUE"),
            _ => test,
        })
    }

    /// Mostly the kind of some column, so that expressions have something to work on.
    pub(super) fn kind_of(&mut self, columns: &[Column]) -> Kind {
        if columns.is_empty() || self.one_in(8) {
            return Kind::any(self.rng);
        }
        columns[self.rng.usize(..columns.len())].kind
    }
}

/// A select list whose columns are called c0, c1, and so on.
pub(super) fn list(items: &[String]) -> String {
    items
        .iter()
        .enumerate()
        .map(|(position, item)| format!("{item} AS c{position}"))
        .collect::<Vec<_>>()
        .join(", ")
}

//! Window functions, the first rows of groups, and LIMIT.

use super::expression::{Column, expression};
use super::kind::Kind::{self, *};
use super::query::{Generator, Query, list};

impl Generator<'_> {
    /// Rows and what window functions say of them, or the first rows by such a function.
    pub(super) fn windowed(&mut self, depth: u32) -> Query {
        let mut from = self.from(depth);
        let filter = self.filter(&mut from);
        let mut kinds = (0..self.rng.usize(1..4)).map(|_| self.kind_of(&from.columns)).collect::<Vec<_>>();
        let mut items =
            kinds.iter().map(|kind| expression(self.rng, &from.columns, *kind, 1)).collect::<Vec<_>>();
        if self.one_in(2) {
            let over = self.over(&from.columns, true);
            items.push(format!("row_number() OVER ({over})"));
            kinds.push(Int8);
            let inner = format!("SELECT {} FROM {}{filter}", list(&items), from.sql);
            return self.first(inner, kinds, from.rows);
        }
        for _ in 0..self.rng.usize(1..3) {
            let (function, kind) = self.function(&from.columns);
            items.push(function);
            kinds.push(kind);
        }
        let sql = format!("SELECT {} FROM {}{filter}", list(&items), from.sql);
        Query { sql, kinds, rows: from.rows, fails: false }
    }

    /// The rows of a query whose last column, a row number, is small.
    fn first(&mut self, inner: String, mut kinds: Vec<Kind>, rows: f64) -> Query {
        let alias = self.alias("r");
        let number = kinds.len() - 1;
        if self.one_in(2) {
            kinds.pop();
        }
        let columns = (0..kinds.len()).map(|column| format!("c{column}")).collect::<Vec<_>>().join(", ");
        let bound = match self.rng.u8(..4) {
            0 => format!("c{number} = 1"),
            1 => format!("c{number} < {} AND c{number} > 1", self.rng.u8(2..5)),
            _ => format!("c{number} <= {}", self.rng.u8(1..4)),
        };
        Query {
            sql: format!("SELECT {columns} FROM ({inner}) AS {alias} WHERE {bound}"),
            kinds,
            rows,
            fails: false,
        }
    }

    /// A window. SQL leaves open how rows that tie follow each other: in a `total` order only equal rows tie.
    fn over(&mut self, columns: &[Column], total: bool) -> String {
        let mut over = Vec::new();
        let keys = self.keys(columns);
        if !keys.is_empty() {
            over.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        let mut order = self.order(columns);
        if total {
            order.extend(columns.iter().map(|column| column.sql.clone()));
        }
        if !order.is_empty() {
            over.push(format!("ORDER BY {}", order.join(", ")));
        }
        over.join(" ")
    }

    /// A call of a window function.
    fn function(&mut self, columns: &[Column]) -> (String, Kind) {
        let argument = self.kind_of(columns);
        let text = expression(self.rng, columns, argument, 1);
        let (call, kind) = match self.rng.u8(..12) {
            0 => ("rank()".to_owned(), Int8),
            1 => ("dense_rank()".to_owned(), Int8),
            2 => ("row_number()".to_owned(), Int8),
            3 => (format!("lag({text})"), argument),
            4 => (format!("lead({text}, {})", self.rng.u8(..3)), argument),
            5 => (format!("first_value({text})"), argument),
            6 => (format!("last_value({text})"), argument),
            7 | 8 if argument.is_number() => (format!("sum({text})"), argument.of_sum()),
            9 if argument.has_extremes() => (format!("max({text})"), argument),
            10 => ("count(*)".to_owned(), Int8),
            _ => (format!("count({text})"), Int8),
        };
        let has_frame = ["sum", "count", "max", "first", "last"].iter().any(|name| call.starts_with(name));
        let takes_one_row = ["first", "last"].iter().any(|name| call.starts_with(name));
        let frame = if has_frame && self.one_in(2) { self.frame() } else { String::new() };
        let positional = ["row_number", "lag", "lead"].iter().any(|name| call.starts_with(name));
        let over = self.over(columns, positional || takes_one_row || frame.contains("ROWS"));
        (format!("{call} OVER ({over}{frame})"), kind)
    }

    /// Which rows around the current one count.
    fn frame(&mut self) -> String {
        let bounds = [
            "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
            "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
            "ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
            "ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
            "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "RANGE BETWEEN CURRENT ROW AND CURRENT ROW",
            "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        ];
        format!(" {}", bounds[self.rng.usize(..bounds.len())])
    }

    /// The first rows of a query in some order.
    pub(super) fn limited(&mut self, depth: u32) -> Query {
        let mut query = self.select(depth, None);
        let order = (0..query.kinds.len()).map(|column| format!("c{column}")).collect::<Vec<_>>();
        let count = self.rng.usize(1..=order.len());
        let directed = order[..count].iter().map(|column| self.directed(column.clone())).collect::<Vec<_>>();
        let offset = if self.one_in(3) { format!(" OFFSET {}", self.rng.u8(..4)) } else { String::new() };
        let limit = self.rng.u8(1..6);
        let alias = self.alias("o");
        query.sql = format!(
            "SELECT * FROM ({}) AS {alias} ORDER BY {} LIMIT {limit}{offset}",
            query.sql,
            directed.join(", ")
        );
        query.rows = query.rows.min(5.0);
        query
    }

    fn keys(&mut self, columns: &[Column]) -> Vec<String> {
        let count = self.rng.usize(..3).min(columns.len());
        (0..count).map(|_| self.column(columns)).collect()
    }

    fn order(&mut self, columns: &[Column]) -> Vec<String> {
        let count = self.rng.usize(..3).min(columns.len());
        (0..count)
            .map(|_| {
                let column = self.column(columns);
                self.directed(column)
            })
            .collect()
    }

    fn column(&mut self, columns: &[Column]) -> String {
        columns[self.rng.usize(..columns.len())].sql.clone()
    }

    fn directed(&mut self, column: String) -> String {
        let direction = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"][self.rng.usize(..4)];
        format!("{column}{direction}")
    }
}

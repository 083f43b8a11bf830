//! `TUMBLE` and `HOP` in FROM: the rows of a relation, once for every window of time that holds them. `SESSION` is in
//! [`session`].
//!
//! ```text
//! TUMBLE(t, at, INTERVAL '10 minutes')
//! (SELECT *, window_start + INTERVAL '10 minutes' AS window_end FROM (
//!     SELECT t.*, date_bin('10 minutes', t.at, '1970-01-01') AS window_start FROM t WHERE t.at IS NOT NULL
//! ) AS t) AS t
//! ```
//!
//! For HOP, the inner query has a cross join with the distances between the starts of the windows that hold a row.

mod session;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, Select, SetExpr,
    TableAlias, TableFactor, TableWithJoins, Value, VisitorMut,
};
use springtide_types::{Result, SqlError, SqlState};

use crate::desugar::interval_text;
use crate::names::{self, fold};
use crate::scope::qualifier;
use crate::walk::{Stop, flow, walk_mut};
use session::Session;
use springtide_datetime::{DAY, Style, parse_interval, write_timestamp};

pub(crate) use session::with_keys_last;

/// Puts queries in the place of window functions in FROM.
pub(crate) fn expand_windows(query: &mut Query) -> Result<()> {
    walk_mut(query, &mut Windows)
}

struct Windows;

impl VisitorMut for Windows {
    type Break = Stop;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(select.from.iter_mut().try_for_each(expand_table))
    }
}

fn expand_table(table: &mut TableWithJoins) -> Result<()> {
    expand_factor(&mut table.relation)?;
    table.joins.iter_mut().try_for_each(|join| expand_factor(&mut join.relation))
}

fn expand_factor(factor: &mut TableFactor) -> Result<()> {
    if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
        return expand_table(table_with_joins);
    }
    let Some((kind, args, alias)) = window_call(factor) else { return Ok(()) };
    *factor = match kind {
        Kind::Session => Session::read(args)?.expand(alias.cloned())?,
        Kind::Tumble | Kind::Hop => Call::read(kind, args)?.expand(alias.cloned())?,
    };
    Ok(())
}

/// The arguments of a window function, if the item of FROM is one: `TUMBLE(...)` or `TABLE(TUMBLE(...))`.
fn window_call(factor: &TableFactor) -> Option<(Kind, &[FunctionArg], Option<&TableAlias>)> {
    let (name, args, alias) = match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => (name, args.args.as_slice(), alias),
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => match &function.args {
            FunctionArguments::List(list) => (&function.name, list.args.as_slice(), alias),
            _ => return None,
        },
        _ => return None,
    };
    let [name] = name.0.as_slice() else { return None };
    let kind = match fold(name.as_ident()?).as_str() {
        "tumble" => Kind::Tumble,
        "hop" => Kind::Hop,
        "session" => Kind::Session,
        _ => return None,
    };
    Some((kind, args, alias.as_ref()))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tumble,
    Hop,
    Session,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Tumble => "tumble",
            Kind::Hop => "hop",
            Kind::Session => "session",
        }
    }

    fn usage(self) -> &'static str {
        match self {
            Kind::Tumble => "Write TUMBLE(table, time_column, INTERVAL '10 minutes' [, offset]).",
            Kind::Hop => {
                "Write HOP(table, time_column, INTERVAL '1 minute', INTERVAL '10 minutes' [, offset])."
            }
            Kind::Session => "Write SESSION(table, time_column, INTERVAL '10 minutes' [, key_column, ...]).",
        }
    }

    fn error(self, state: SqlState, message: String) -> SqlError {
        SqlError::new(state, message).with_hint(self.usage())
    }
}

/// Fewer windows than this may hold a row.
const MOST_STEPS: i64 = 1000;

/// A call of a window function. Times are in microseconds.
struct Call {
    relation: TableFactor,
    /// The name by which the relation's columns are qualified.
    table: String,
    time: String,
    /// From the start of a window to the start of the next.
    slide: i64,
    size: i64,
    offset: i64,
}

impl Call {
    fn read(kind: Kind, args: &[FunctionArg]) -> Result<Call> {
        let exprs = arguments(kind, args)?;
        let intervals = if kind == Kind::Tumble { 1 } else { 2 };
        if !(intervals + 2..=intervals + 3).contains(&exprs.len()) {
            let message = format!("{}() does not take {} arguments", kind.name(), exprs.len());
            return Err(kind.error(SqlState::UNDEFINED_FUNCTION, message));
        }
        let relation = relation(kind, exprs[0])?;
        let table = qualifier(&relation).unwrap_or_else(|| kind.name().to_owned());
        let time = time_column(kind, exprs[1], &table)?;
        let (slide, size) = (length(kind, exprs[2])?, length(kind, exprs[intervals + 1])?);
        let offset = exprs.get(intervals + 2).map_or(Ok(0), |offset| micros(kind, offset))?;
        if size / slide >= MOST_STEPS {
            let message = format!("hop() would put each row into {MOST_STEPS} windows or more");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                .with_hint("Let the windows start less often, or be shorter."));
        }
        Ok(Call { relation, table, time, slide, size, offset })
    }

    fn expand(self, alias: Option<TableAlias>) -> Result<TableFactor> {
        let (table, time) = (names::quoted(&self.table), names::quoted(&self.time));
        let (slide, size) = (interval(self.slide), interval(self.size));
        let mut origin = String::new();
        write_timestamp(self.offset.rem_euclid(self.slide), &Style::default(), &mut origin);
        let start = format!("date_bin({slide}, {table}.{time}, '{origin}')");
        // Of the windows that start no later than the row, those further back than this are over.
        let steps = self.size / self.slide + i64::from(self.size % self.slide != 0);
        let (start, steps) = match steps {
            1 => (start, String::new()),
            steps => {
                let back = (0..steps).map(|step| format!("({})", interval(step * self.slide)));
                let back = back.collect::<Vec<_>>().join(", ");
                let join = format!(r#" CROSS JOIN (VALUES {back}) AS "$steps" ("$back")"#);
                (format!(r#"{start} - "$steps"."$back""#), join)
            }
        };
        let holds = match self.size % self.slide {
            0 => String::new(),
            _ => format!(" WHERE window_start + {size} > {table}.{time}"),
        };
        let text = format!(
            "SELECT *, window_start + {size} AS window_end FROM (\
                SELECT {table}.*, {start} AS window_start FROM {table}{steps} WHERE {table}.{time} IS NOT NULL\
             ) AS {table}{holds}"
        );
        derived(&text, self.relation, alias.unwrap_or_else(|| names::alias(&self.table)))
    }
}

fn arguments(kind: Kind, args: &[FunctionArg]) -> Result<Vec<&Expr>> {
    let exprs = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err(kind.error(SqlState::SYNTAX_ERROR, format!("{}() takes no such argument", kind.name()))),
    });
    exprs.collect()
}

/// A query in FROM, by its text, with this relation in its innermost place.
fn derived(text: &str, relation: TableFactor, alias: TableAlias) -> Result<TableFactor> {
    let mut query = crate::parser(text)?.parse_query().map_err(|error| internal(&error.to_string()))?;
    *innermost(&mut query).ok_or_else(|| internal("no relation"))? = relation;
    Ok(TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None })
}

fn internal(what: &str) -> SqlError {
    SqlError::internal(format!("expanding a window function: {what}"))
}

/// The place of the relation in the query that a call becomes.
pub(crate) fn innermost(query: &mut Query) -> Option<&mut TableFactor> {
    let mut query = query;
    loop {
        let SetExpr::Select(select) = query.body.as_mut() else { return None };
        match &mut select.from.first_mut()?.relation {
            TableFactor::Derived { subquery, .. } => query = subquery,
            relation => return Some(relation),
        }
    }
}

/// A table, view or query of WITH by its name, or a subquery.
fn relation(kind: Kind, expr: &Expr) -> Result<TableFactor> {
    let idents = match expr {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        Expr::Subquery(query) => {
            return Ok(TableFactor::Derived {
                lateral: false,
                subquery: query.clone(),
                alias: Some(names::alias(kind.name())),
                sample: None,
            });
        }
        Expr::Nested(inner) => return relation(kind, inner),
        _ => {
            let message = format!("the first argument of {}() must be a table or a subquery", kind.name());
            return Err(kind.error(SqlState::WRONG_OBJECT_TYPE, message));
        }
    };
    Ok(TableFactor::Table {
        name: ObjectName::from(idents),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    })
}

/// The name of a column: `at`, `t.at`, or Flink's `DESCRIPTOR(at)`.
fn time_column(kind: Kind, expr: &Expr, table: &str) -> Result<String> {
    if let Expr::Function(function) = expr
        && function.name.to_string().eq_ignore_ascii_case("descriptor")
        && let FunctionArguments::List(list) = &function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] = list.args.as_slice()
    {
        return time_column(kind, column, table);
    }
    if let Some(column) = column(expr, table) {
        return Ok(column);
    }
    let message =
        format!("the second argument of {}() must be the name of a column of \"{table}\"", kind.name());
    Err(kind.error(SqlState::INVALID_COLUMN_REFERENCE, message))
}

/// The name of a column: `at` or `t.at`; `None` if it is something else.
fn column(expr: &Expr, table: &str) -> Option<String> {
    match expr {
        Expr::Identifier(column) => Some(fold(column)),
        Expr::CompoundIdentifier(idents) => match idents.as_slice() {
            [qualifier, column] if fold(qualifier) == table => Some(fold(column)),
            _ => None,
        },
        _ => None,
    }
}

/// An interval that is longer than nothing.
fn length(kind: Kind, expr: &Expr) -> Result<i64> {
    let length = micros(kind, expr)?;
    if length > 0 {
        return Ok(length);
    }
    let message = format!("the intervals of {}() must be positive", kind.name());
    Err(kind.error(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// A constant interval without months.
fn micros(kind: Kind, expr: &Expr) -> Result<i64> {
    let Some(text) = constant_interval(expr) else {
        let message = format!("the intervals of {}() must be constants", kind.name());
        return Err(kind.error(SqlState::FEATURE_NOT_SUPPORTED, message));
    };
    let interval = parse_interval(&text)?;
    if interval.months != 0 {
        let message = format!("the intervals of {}() cannot contain months or years", kind.name());
        return Err(kind.error(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(i64::from(interval.days) * DAY + interval.micros)
}

fn constant_interval(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Interval(interval) => interval_text(interval),
        Expr::Nested(inner) => constant_interval(inner),
        Expr::Cast { expr, data_type: DataType::Interval { .. }, .. } => constant_interval(expr),
        Expr::TypedString(typed) if matches!(typed.data_type, DataType::Interval { .. }) => {
            typed.value.value.clone().into_string()
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn interval(micros: i64) -> String {
    format!("INTERVAL '{micros} microseconds'")
}

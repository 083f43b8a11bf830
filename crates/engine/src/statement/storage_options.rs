//! `WITH (append_only, history = '7 days')` of a CREATE, and `SET (history = ...)` of an ALTER.

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::IntervalMonthDayNanoType;
use springtide_catalog::{Relation, Retention};
use springtide_sql::sqlparser::ast::{CreateTableOptions, Expr, SqlOption, Value, ValueWithSpan};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::ast;

/// Microseconds of a day, and of a month as intervals compare.
const DAY: i64 = 86_400_000_000;
const MONTH: i64 = 30 * DAY;

/// The options that were given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct StorageOptions {
    pub(super) append_only: Option<bool>,
    pub(super) history: Option<Retention>,
}

impl StorageOptions {
    /// Those of a CREATE TABLE.
    pub(super) fn of_table(options: &CreateTableOptions) -> Result<StorageOptions> {
        match options {
            CreateTableOptions::With(options) => StorageOptions::parse(options),
            _ => Ok(StorageOptions::default()),
        }
    }

    /// Those of a CREATE MATERIALIZED VIEW, or of an ALTER.
    pub(super) fn of_history(options: &[SqlOption]) -> Result<StorageOptions> {
        let parsed = StorageOptions::parse(options)?;
        if parsed.append_only.is_some() {
            return Err(SqlError::unsupported("append_only, other than for a new table,"));
        }
        Ok(parsed)
    }

    fn parse(options: &[SqlOption]) -> Result<StorageOptions> {
        let mut parsed = StorageOptions::default();
        for option in options {
            let (key, value) = match option {
                SqlOption::Ident(key) => (key, None),
                SqlOption::KeyValue { key, value } => (key, Some(value)),
                _ => return Err(SqlError::unsupported(format!("the option {option}"))),
            };
            match ast::fold(key).as_str() {
                "append_only" => parsed.append_only = Some(boolean("append_only", value)?),
                "history" => parsed.history = Some(retention(value)?),
                other if is_of_postgres(other) => {}
                other => {
                    let message = format!("unrecognized parameter \"{other}\"");
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                        .with_hint("There are append_only, for tables, and history."));
                }
            }
        }
        Ok(parsed)
    }
}

/// Whether it is a parameter by which PostgreSQL's files are tuned, and which has nothing to tune here.
fn is_of_postgres(name: &str) -> bool {
    matches!(name, "fillfactor" | "parallel_workers" | "toast_tuple_target" | "vacuum_truncate")
        || name.starts_with("autovacuum_")
}

fn boolean(name: &str, value: Option<&Expr>) -> Result<bool> {
    match value {
        None => Ok(true),
        Some(Expr::Value(ValueWithSpan { value: Value::Boolean(value), .. })) => Ok(*value),
        Some(other) => {
            let message = format!("invalid value for boolean option \"{name}\": {other}");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// `'forever'`, `'none'`, or an interval.
fn retention(value: Option<&Expr>) -> Result<Retention> {
    let text = match value {
        Some(Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. })) => text.trim(),
        _ => return Err(invalid_history("it must be a text")),
    };
    match text.to_ascii_lowercase().as_str() {
        "forever" => return Ok(Retention::Forever),
        "none" => return Ok(Retention::For(0)),
        _ => {}
    }
    let parsed = springtide_sql::parse_text(&StringArray::from(vec![text]), SqlType::Interval)?;
    let interval = parsed.as_primitive::<IntervalMonthDayNanoType>().value(0);
    let microseconds =
        i64::from(interval.months) * MONTH + i64::from(interval.days) * DAY + interval.nanoseconds / 1000;
    u64::try_from(microseconds).map(Retention::For).map_err(|_| invalid_history("it must not be negative"))
}

fn invalid_history(detail: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "invalid value for option \"history\"")
        .with_detail(format!("For how long history is kept: {detail}."))
        .with_hint("Available values: 'forever', 'none', or an interval such as '7 days'.")
}

/// A relation after ALTER ... SET (history = ...).
pub(super) fn altered(relation: &Relation, options: &[SqlOption]) -> Result<Relation> {
    let options = StorageOptions::of_history(options)?;
    if !relation.is_stored() {
        let message = format!("\"{}\" is not a table or materialized view", relation.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    Ok(Relation { history: options.history.unwrap_or(relation.history), ..relation.clone() })
}

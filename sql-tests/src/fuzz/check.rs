use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use springtide_engine::{Database, Options};
use springtide_types::{Result, SqlError, SqlState};

use super::case::{Case, End, Step};
use crate::client::Client;

/// A case that takes longer hangs.
const HANG: Duration = Duration::from_secs(60);

/// What a run has seen.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Views that were created.
    pub views: usize,
    /// Views refused with 0A000.
    pub refused: usize,
    /// Views whose query cannot be planned at all, neither in a view nor ad hoc.
    pub invalid: usize,
    /// Comparisons of a view with its query.
    pub checks: usize,
    /// Comparisons in which both failed with the same SQLSTATE.
    pub errors: usize,
    /// Why views could not be created: how many for that reason, and the first of them.
    pub reasons: BTreeMap<String, (usize, String)>,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.views += other.views;
        self.refused += other.refused;
        self.invalid += other.invalid;
        self.checks += other.checks;
        self.errors += other.errors;
        for (reason, (count, example)) in other.reasons {
            self.reasons.entry(reason).or_insert((0, example)).0 += count;
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { views, refused, invalid, checks, errors, .. } = self;
        let rate = 100.0 * *refused as f64 / (views + refused).max(1) as f64;
        write!(
            f,
            "{views} views, {refused} refused ({rate:.1} %), {invalid} invalid queries, \
             {checks} checks, of which {errors} agreed on an error"
        )
    }
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure {
    /// The step after which it showed.
    pub step: usize,
    /// What is wrong.
    pub message: String,
}

/// Runs a case against a fresh database of its own.
pub async fn run(case: &Case) -> Result<Stats, Failure> {
    let database = Database::open(Options::new(case.workers))
        .map_err(|error| Failure { step: 0, message: format!("the database does not open: {error}") })?;
    let mut run = Run {
        writer: Client::new(&database),
        reader: Client::new(&database),
        views: Vec::new(),
        stats: Stats::default(),
    };
    for (step, content) in case.steps.iter().enumerate() {
        let outcome = tokio::time::timeout(HANG, run.step(content)).await;
        let message = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(message)) => message,
            Err(_) => format!("no answer within {} s", HANG.as_secs()),
        };
        // The database is left to itself: after a hang its shutdown would hang as well.
        return Err(Failure { step, message });
    }
    let Run { stats, .. } = run;
    database.shutdown().await;
    Ok(stats)
}

struct Run<'a> {
    writer: Client,
    reader: Client,
    views: Vec<(&'a str, &'a str)>,
    stats: Stats,
}

impl<'a> Run<'a> {
    async fn step(&mut self, step: &'a Step) -> Result<(), String> {
        match step {
            Step::Table(sql) => self.write(sql).await?,
            Step::View { name, query, .. } => self.create(step, name, query).await?,
            Step::Transaction { end, .. } => self.transaction(&step.sql(), *end).await?,
        }
        for (name, query) in self.views.clone() {
            self.check(name, query).await?;
        }
        Ok(())
    }

    async fn write(&mut self, sql: &str) -> Result<(), String> {
        self.writer.run(sql).await.map(drop).map_err(|error| unexpected(sql, &error))
    }

    /// Creates a view. A query that cannot be planned in a view must not be plannable ad hoc either, unless the
    /// view says that it is not maintained.
    async fn create(&mut self, step: &'a Step, name: &'a str, query: &'a str) -> Result<(), String> {
        let sql = step.sql().remove(0);
        let Err(error) = self.writer.run(&sql).await else {
            self.stats.views += 1;
            self.views.extend(step.checked());
            return Ok(());
        };
        self.stats.reasons.entry(show(&error)).or_insert((0, query.to_owned())).0 += 1;
        if error.sqlstate == SqlState::FEATURE_NOT_SUPPORTED {
            self.stats.refused += 1;
            return Ok(());
        }
        if error.sqlstate == SqlState::INTERNAL_ERROR {
            return Err(unexpected(&sql, &error));
        }
        match self.reader.query(query).await {
            Err(other) if other.sqlstate == error.sqlstate => {
                self.stats.invalid += 1;
                Ok(())
            }
            Err(other) => Err(format!("{name} fails with {}, its query with {}", show(&error), show(&other))),
            Ok(_) => Err(format!("{name} fails with {}, its query does not", show(&error))),
        }
    }

    /// Runs a transaction; a statement that violates a constraint ends it early.
    async fn transaction(&mut self, statements: &[String], end: End) -> Result<(), String> {
        for sql in statements {
            let Err(error) = self.writer.run(sql).await else { continue };
            if !is_violation(&error) {
                return Err(unexpected(sql, &error));
            }
            if end != End::Autocommit {
                return self.write("ROLLBACK").await;
            }
        }
        Ok(())
    }

    async fn check(&mut self, name: &str, query: &str) -> Result<(), String> {
        let maintained = self.reader.query(&format!("SELECT * FROM {name}")).await;
        let scratch = self.reader.query(query).await;
        self.stats.checks += 1;
        match (maintained, scratch) {
            (Ok((_, maintained)), Ok((_, scratch))) => {
                let (maintained, scratch) = (rows(&maintained), rows(&scratch));
                if maintained == scratch {
                    return Ok(());
                }
                Err(format!("{name} is not its query\n{}\n{query}", difference(&maintained, &scratch)))
            }
            (Err(maintained), Err(scratch)) if maintained.sqlstate == scratch.sqlstate => {
                self.stats.errors += 1;
                match maintained.sqlstate == SqlState::INTERNAL_ERROR {
                    true => Err(unexpected(query, &scratch)),
                    false => Ok(()),
                }
            }
            (maintained, scratch) => {
                let [maintained, scratch] = [maintained, scratch].map(|result| match result {
                    Ok((_, batches)) => format!("{} rows", rows(&batches).len()),
                    Err(error) => show(&error),
                });
                Err(format!("{name} gives {maintained}, its query {scratch}\n{query}"))
            }
        }
    }
}

/// Random writes run into these, and PostgreSQL would say the same.
fn is_violation(error: &SqlError) -> bool {
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::NOT_NULL_VIOLATION,
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
    ]
    .contains(&error.sqlstate)
}

fn show(error: &SqlError) -> String {
    format!("{} ({error})", error.sqlstate.code())
}

fn unexpected(sql: &str, error: &SqlError) -> String {
    format!("unexpected {}: {sql}", show(error))
}

/// The rows as sorted texts. Values that SQL calls equal have one text.
fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("every type has a text"))
            .collect::<Vec<_>>();
        for row in 0..batch.num_rows() {
            let values = formatters.iter().zip(batch.columns()).map(|(formatter, column)| {
                let text = formatter.value(row).to_string();
                let negative_zero =
                    matches!(column.data_type(), DataType::Float32 | DataType::Float64) && text == "-0.0";
                if negative_zero { "0.0".to_owned() } else { text }
            });
            rows.push(values.collect::<Vec<_>>().join(" | "));
        }
    }
    rows.sort_unstable();
    rows
}

/// The first rows that only one side has.
fn difference(maintained: &[String], scratch: &[String]) -> String {
    let only = |these: &[String], those: &[String]| {
        let mut those = those.to_vec();
        let mut extra = Vec::new();
        for row in these {
            match those.iter().position(|other| other == row) {
                Some(position) => drop(those.swap_remove(position)),
                None => extra.push(row.clone()),
            }
        }
        extra.truncate(10);
        extra
    };
    let lines = |sign: &str, rows: Vec<String>| {
        rows.into_iter().map(|row| format!("{sign} {row}")).collect::<Vec<_>>()
    };
    let mut text = lines("view only: ", only(maintained, scratch));
    text.extend(lines("query only:", only(scratch, maintained)));
    text.join("\n")
}

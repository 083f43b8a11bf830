//! Sends ticks to the server, and measures how soon the views show them.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::try_join_all;
use hdrhistogram::Histogram;
use indicatif::HumanCount;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::Result;
use crate::data::Flight;
use crate::timeline::{Change, Tick, Timeline};

const INSERT: &str = "INSERT INTO flights (id, carrier, flight, tailnum, origin, dest, distance, time_hour, \
    sched_dep, dep_time, dep_delay, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const LAND: &str = "UPDATE flights SET arr_time = $2, arr_delay = $3, status = 'landed' WHERE id = $1";
const DIVERT: &str = "UPDATE flights SET status = 'diverted' WHERE id = $1";
const CANCEL: &str = "DELETE FROM flights WHERE id = $1";
/// A join and an aggregate have to be up to date for this to be right.
const LANDED: &str = "SELECT sum(flights)::bigint FROM delay_by_airline";
/// Every so many commits, one is timed.
const SAMPLE: u64 = 20;
const HOUR: i64 = 3_600_000;

/// One session that writes, one that watches.
pub(crate) struct Replay<'a> {
    writer: &'a Client,
    insert: Statement,
    land: Statement,
    divert: Statement,
    cancel: Statement,
    watcher: Client,
    landed: Statement,
    /// What `watcher` has to see.
    expected: i64,
    changes: u64,
    commits: u64,
    /// Microseconds.
    latency: Histogram<u64>,
}

/// What the replay came to.
pub(crate) struct Totals {
    changes: u64,
    commits: u64,
    took: Duration,
    latency: Histogram<u64>,
}

impl<'a> Replay<'a> {
    /// Prepares the statements.
    pub(crate) async fn prepare(writer: &'a Client, watcher: Client) -> Result<Replay<'a>> {
        Ok(Replay {
            writer,
            insert: writer.prepare(INSERT).await?,
            land: writer.prepare(LAND).await?,
            divert: writer.prepare(DIVERT).await?,
            cancel: writer.prepare(CANCEL).await?,
            landed: watcher.prepare(LANDED).await?,
            watcher,
            expected: 0,
            changes: 0,
            commits: 0,
            latency: Histogram::new(3)?,
        })
    }

    /// One transaction: first the flights that appear, then what happens to flights that are there.
    /// The statements of each part are sent without waiting for one another.
    pub(crate) async fn commit(&mut self, timeline: &Timeline, tick: &Tick<'_>) -> Result<()> {
        let changes = tick.changes.iter().map(|(_, change)| *change);
        let (appear, others): (Vec<_>, Vec<_>) =
            changes.partition(|change| matches!(change, Change::Announce(_) | Change::Depart(_)));
        self.writer.batch_execute("BEGIN").await?;
        for part in [appear, others] {
            let statements = part.iter().map(|change| self.execute(&timeline.flights, *change));
            try_join_all(statements).await?;
            self.expected +=
                part.iter().filter(|change| is_counted(&timeline.flights, **change)).count() as i64;
        }
        let sent = Instant::now();
        self.writer.batch_execute("COMMIT").await?;
        self.changes += tick.changes.len() as u64;
        self.commits += 1;
        if self.commits.is_multiple_of(SAMPLE) {
            self.watch(sent).await?;
        }
        Ok(())
    }

    /// What all commits so far came to.
    pub(crate) fn totals(self, took: Duration) -> Totals {
        Totals { changes: self.changes, commits: self.commits, took, latency: self.latency }
    }

    /// A commit that was acknowledged is in the views, for every session: no second look is allowed.
    async fn watch(&mut self, sent: Instant) -> Result<()> {
        let landed: Option<i64> = self.watcher.query_one(&self.landed, &[]).await?.get(0);
        if landed.unwrap_or(0) != self.expected {
            return Err(format!("after a commit a view shows {landed:?} instead of {}", self.expected).into());
        }
        self.latency.record(sent.elapsed().as_micros() as u64)?;
        Ok(())
    }

    async fn execute(&self, flights: &[Flight], change: Change) -> Result<()> {
        let changed = match change {
            Change::Announce(index) => self.appear(&flights[index], "scheduled").await?,
            Change::Depart(index) => self.appear(&flights[index], "departed").await?,
            Change::Land(index) => {
                let flight = &flights[index];
                let parameters: [&(dyn ToSql + Sync); 3] =
                    [&flight.id, &flight.arr_time.map(timestamp), &flight.arr_delay];
                self.writer.execute(&self.land, &parameters).await?
            }
            Change::Divert(index) => self.writer.execute(&self.divert, &[&flights[index].id]).await?,
            Change::Cancel(index) => self.writer.execute(&self.cancel, &[&flights[index].id]).await?,
        };
        if changed == 1 { Ok(()) } else { Err(format!("{change:?} changed {changed} rows").into()) }
    }

    async fn appear(&self, flight: &Flight, status: &str) -> Result<u64> {
        let parameters: [&(dyn ToSql + Sync); 12] = [
            &flight.id,
            &flight.carrier,
            &flight.flight,
            &flight.tailnum,
            &flight.origin,
            &flight.dest,
            &flight.distance,
            &timestamp(flight.sched_dep / HOUR * HOUR),
            &timestamp(flight.sched_dep),
            &flight.dep_time.map(timestamp),
            &flight.dep_delay,
            &status,
        ];
        Ok(self.writer.execute(&self.insert, &parameters).await?)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.changes as f64 / self.took.as_secs_f64();
        writeln!(
            f,
            "{} rows inserted, updated or deleted in {} transactions, {:.1} s: {} rows/s",
            HumanCount(self.changes),
            HumanCount(self.commits),
            self.took.as_secs_f64(),
            HumanCount(per_second as u64),
        )?;
        let quantile = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1e3;
        write!(
            f,
            "from COMMIT to the answer of a view in another session: p50 {:.1} ms, p99 {:.1} ms ({} samples)",
            quantile(0.5),
            quantile(0.99),
            HumanCount(self.latency.len()),
        )
    }
}

/// Whether `delay_by_airline` counts the flight from this change on.
fn is_counted(flights: &[Flight], change: Change) -> bool {
    matches!(change, Change::Land(index) if flights[index].arr_delay.is_some())
}

fn timestamp(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds.unsigned_abs())
}

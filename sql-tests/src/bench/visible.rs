//! How long it takes from a commit until views show it: one-row commits at a fixed rate through the embedded API, in memory,
//! the events of Nexmark one after the other, over tables that hold some already, with q3, q4 and q9 live.
//!
//! The load is open: a commit begins at its time, whether or not those before it are done, and its latency counts from that
//! time until each of the views is complete up to its epoch, so that a SELECT would answer. Milliseconds.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use springtide_engine::{Database, Options};
use springtide_types::{Result, SqlError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::unbounded_channel;

use super::Latencies;
use super::nexmark::{self, EVENTS_PER_SECOND, Events, QUERIES};
use crate::client::Client;

/// The views.
const VIEWS: [&str; 3] = ["q3", "q4", "q9"];
/// Commits a second.
const RATES: [u64; 2] = [1_000, 10_000];
/// Events in the tables before.
const PRELOADED: u64 = 200_000;
/// Events that are committed together before: of one round of the generator.
const ROUND: u64 = 50;
/// For how long commits are made.
const SECONDS: u64 = 10;

/// Measures each rate with each number of workers, and prints the run in the middle by p99.
pub async fn report(workers: &[usize], runs: usize) -> Result<()> {
    println!(
        "One-row commits until q3, q4 and q9 show them, over {PRELOADED} events, {SECONDS} s, median of {runs}"
    );
    println!("workers  commits/s  p50 ms   p99 ms   max ms");
    for workers in workers {
        for rate in RATES {
            let mut measured = Vec::new();
            for _ in 0..runs {
                measured.push(measure(rate, *workers).await?);
            }
            measured.sort_by_key(|latencies| latencies.percentile(99));
            let middle = &measured[(runs - 1) / 2];
            let [half, most, all] =
                [50, 99, 100].map(|percent| 1e3 * middle.percentile(percent).as_secs_f64());
            println!("{workers:<8} {rate:<10} {half:<8.3} {most:<8.3} {all:.3}");
        }
    }
    Ok(())
}

async fn measure(rate: u64, workers: usize) -> Result<Latencies> {
    let database = Database::open(Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(nexmark::SCHEMA).await?;
    for (_, definition) in QUERIES.iter().filter(|(name, _)| VIEWS.contains(name)) {
        client.run(definition).await?;
    }
    let commits = rate * SECONDS;
    let events = nexmark::generate(PRELOADED + commits, ROUND, EVENTS_PER_SECOND);
    let (before, after) = events.split_at((PRELOADED / ROUND) as usize);
    for epoch in before {
        nexmark::append(&database, epoch).await?;
    }
    database.wait_until_current().await?;

    let rows = after.iter().flat_map(rows).collect::<Vec<_>>();
    let (committed, mut commits) = unbounded_channel();
    let (runtime, beginner) = (Handle::current(), database.clone());
    let start = Instant::now();
    // A thread of its own: timers of the runtime are of a millisecond.
    let pace = std::thread::spawn(move || {
        for (number, (table, row)) in (0..).zip(rows) {
            let intended = start + Duration::from_nanos(number * 1_000_000_000 / rate);
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            let (database, committed) = (beginner.clone(), committed.clone());
            runtime.spawn(async move {
                // If nobody receives, an earlier commit has failed.
                let _ = committed.send((intended, database.append(table, row).await));
            });
        }
    });
    let mut latencies = Vec::new();
    while let Some((intended, epoch)) = commits.recv().await {
        database.wait_until_complete(epoch?).await?;
        latencies.push(intended.elapsed());
    }
    pace.join().map_err(|_| SqlError::internal("the pace ended by a panic"))?;
    database.shutdown().await;
    Ok(Latencies::new(latencies))
}

/// The rows of a round, each by itself.
fn rows(epoch: &Events) -> impl Iterator<Item = (&'static str, RecordBatch)> {
    nexmark::TABLES.into_iter().flat_map(|(table, rows)| {
        let rows = rows(epoch);
        (0..rows.num_rows()).map(move |row| (table, rows.slice(row, 1)))
    })
}

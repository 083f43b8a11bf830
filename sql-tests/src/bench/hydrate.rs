//! How long each Nexmark view takes to be there when all events are in the tables already: seconds from CREATE MATERIALIZED VIEW
//! until a SELECT sees it, and the peak of memory, events included.
//!
//! The events can be written out, for another system to answer the same queries over them: a file per table, in the text format of
//! COPY, which is CSV with tabs and without quotes.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use springtide_engine::{Database, Options};
use springtide_types::{Result, SqlError};

use super::nexmark::{self, EVENTS_PER_SECOND, Events, QUERIES};
use super::{copy_data, median, memory};
use crate::client::Client;

/// Events that are committed together while loading.
const EPOCH: u64 = 40_000;

/// Measures the queries, all if none is named, and prints the median of several runs.
pub async fn report(
    events: u64,
    queries: &[String],
    workers: &[usize],
    runs: usize,
    dump: Option<&Path>,
) -> Result<()> {
    let epochs = nexmark::generate(events, EPOCH, EVENTS_PER_SECOND);
    if let Some(directory) = dump {
        write_out(&epochs, directory)?;
    }
    println!("CREATE MATERIALIZED VIEW over {events} events until it is seen, median of {runs}");
    println!("query  workers  seconds  peak MB");
    for (name, definition) in
        QUERIES.iter().filter(|(name, _)| queries.is_empty() || queries.iter().any(|query| query == name))
    {
        for workers in workers {
            let (mut times, mut peak) = (Vec::new(), 0);
            for _ in 0..runs {
                memory::forget_peak();
                times.push(measure(name, definition, &epochs, *workers).await?);
                peak = peak.max(memory::peak());
            }
            println!("{name:<6} {workers:<8} {:<8.3} {}", median(times).as_secs_f64(), peak >> 20);
        }
    }
    Ok(())
}

async fn measure(name: &str, definition: &str, epochs: &[Events], workers: usize) -> Result<Duration> {
    let database = Database::open(Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(nexmark::SCHEMA).await?;
    for epoch in epochs {
        nexmark::append(&database, epoch).await?;
    }
    let start = Instant::now();
    client.run(definition).await?;
    client.query(&format!("SELECT * FROM {name} LIMIT 1")).await?;
    let elapsed = start.elapsed();
    database.shutdown().await;
    Ok(elapsed)
}

fn write_out(epochs: &[Events], directory: &Path) -> Result<()> {
    let failed = |error: std::io::Error| SqlError::internal(format!("cannot write the events: {error}"));
    for (table, rows) in nexmark::TABLES {
        let mut file = std::fs::File::create(directory.join(format!("{table}.tsv"))).map_err(failed)?;
        for epoch in epochs {
            file.write_all(&copy_data::text(rows(epoch))?).map_err(failed)?;
        }
    }
    Ok(())
}

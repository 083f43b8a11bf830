use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use springtide_connectors::nexmark::Events;
use springtide_engine::{Database, Options};
use springtide_types::Result;

use crate::bench::{cpu, median, memory};
use crate::client::Client;

/// The three streams.
pub const SCHEMA: &str = include_str!("../../../../examples/nexmark/schema.sql");

macro_rules! queries {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../examples/nexmark/", $name, ".sql")))),*]
    };
}

/// Name and definition of each view, with whatever else it needs.
pub const QUERIES: [(&str, &str); 23] = queries!(
    "q0" "q1" "q2" "q3" "q4" "q5" "q6" "q7" "q8" "q9" "q10" "q11" "q12" "q13" "q14" "q15" "q16" "q17" "q18" "q19"
    "q20" "q21" "q22"
);

/// Of event time, as in the reference generator.
pub const EVENTS_PER_SECOND: u64 = 10_000_000;

/// Takes the rows of one table out of an epoch.
pub type Rows = fn(&Events) -> &RecordBatch;

/// The tables, and what an epoch has for them.
pub const TABLES: [(&str, Rows); 3] =
    [("person", |epoch| &epoch.person), ("auction", |epoch| &epoch.auction), ("bid", |epoch| &epoch.bid)];

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Events, of all three streams.
    pub events: u64,
    /// From the first event until the view shows the last.
    pub wall: Duration,
    /// CPU time of the process meanwhile.
    pub cpu: Duration,
    /// Rows of the view at the end.
    pub rows: usize,
    /// The most bytes of memory that the process held meanwhile, the events included.
    pub peak: u64,
}

impl Sample {
    /// Events per second of wall-clock time.
    pub fn per_second(&self) -> f64 {
        self.events as f64 / self.wall.as_secs_f64()
    }

    /// Events per second of CPU time.
    pub fn per_cpu_second(&self) -> f64 {
        self.events as f64 / self.cpu.as_secs_f64().max(0.01)
    }
}

/// The sample in the middle, by wall-clock time.
pub fn median_of(samples: &[Sample]) -> Sample {
    let wall = median(samples.iter().map(|sample| sample.wall).collect());
    *samples.iter().find(|sample| sample.wall == wall).expect("the median is one of them")
}

/// Maintains one view over all `epochs`. Each epoch is readable as soon as it is there; the clock stops when a
/// SELECT has seen the last one.
pub async fn run(name: &str, definition: &str, epochs: &[Events], workers: usize) -> Result<Sample> {
    let database = Database::open(Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(SCHEMA).await?;
    client.run(definition).await?;
    memory::forget_peak();
    let (cpu, start) = (cpu::time(), Instant::now());
    for epoch in epochs {
        append(&database, epoch).await?;
    }
    // Any row will do: a SELECT waits until the view is complete.
    client.query(&format!("SELECT * FROM {name} LIMIT 1")).await?;
    let (wall, cpu, peak) = (start.elapsed(), cpu::time() - cpu, memory::peak());
    let (_, batches) = client.query(&format!("SELECT * FROM {name}")).await?;
    let rows = batches.iter().map(|batch| batch.num_rows()).sum();
    database.shutdown().await;
    Ok(Sample { events: epochs.iter().map(|epoch| epoch.events).sum(), wall, cpu, rows, peak })
}

/// Commits the events of an epoch.
pub async fn append(database: &Database, epoch: &Events) -> Result<()> {
    let Events { person, auction, bid, .. } = epoch.clone();
    // Appends that wait together are committed together.
    futures::try_join!(
        database.append("person", person),
        database.append("auction", auction),
        database.append("bid", bid),
    )?;
    Ok(())
}

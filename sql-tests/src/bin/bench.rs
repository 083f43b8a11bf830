//! Prints how fast views are maintained.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use springtide_sql_tests::bench::commits::{self, Springtide};
use springtide_sql_tests::bench::nexmark::{self, EVENTS_PER_SECOND, QUERIES, Sample};
use springtide_sql_tests::bench::{change, copy, hydrate, past, points, restart, views, visible};
use springtide_sql_tests::crash::server_binary;
use springtide_types::{Result, SqlError};

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Maintains Nexmark views over pre-generated events, and measures one-row commits over tables of several sizes.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Nexmark events.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Events that are committed together.
    #[arg(long, value_delimiter = ',', default_value = "40000,1000")]
    epochs: Vec<u64>,
    /// Numbers of worker threads.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,
    /// Nexmark queries; all by default.
    #[arg(long, value_delimiter = ',')]
    queries: Vec<String>,
    /// Sizes of the table under the one-row commits.
    #[arg(long, value_delimiter = ',', default_value = "10000,10000000")]
    rows: Vec<i64>,
    /// One-row commits to measure.
    #[arg(long, default_value_t = 300)]
    commits: i64,
    /// Runs of each measurement, of which the median is printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Writes the events that views are created over into this directory, a file per table.
    #[arg(long)]
    dump: Option<PathBuf>,
    /// A PostgreSQL server to compare durable commits and point reads with, such as "host=/tmp user=postgres dbname=postgres". Its data should lie on
    /// the same disk as the directory for temporary files, where ours is.
    #[arg(long)]
    postgres: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    Nexmark,
    Change,
    Visible,
    Points,
    Copy,
    Hydrate,
    Views,
    Restart,
    Past,
    Commits,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let measures = |what| arguments.what == What::All || arguments.what == what;
    if measures(What::Nexmark) {
        measure_nexmark(&arguments).await?;
    }
    if measures(What::Change) {
        measure_change(&arguments).await?;
    }
    let Arguments { events, epochs, workers, queries, runs, .. } = &arguments;
    if measures(What::Visible) {
        visible::report(workers, *runs).await?;
    }
    if measures(What::Points) {
        points::report(arguments.postgres.as_deref(), *runs).await.map_err(of_client)?;
    }
    if measures(What::Copy) {
        copy::report(*events, epochs, queries, *runs).await.map_err(of_client)?;
    }
    if measures(What::Hydrate) {
        hydrate::report(*events, queries, workers, *runs, arguments.dump.as_deref()).await?;
    }
    if measures(What::Views) {
        views::report(workers, arguments.commits as usize).await?;
    }
    if measures(What::Restart) {
        measure_restart(&arguments).await?;
    }
    if measures(What::Past) {
        measure_past(&arguments).await?;
    }
    if measures(What::Commits) {
        measure_commits(&arguments).await.map_err(of_client)?;
    }
    Ok(())
}

/// What a client of a server says went wrong.
fn of_client(error: Box<dyn std::error::Error + Send + Sync>) -> SqlError {
    SqlError::internal(error.to_string())
}

async fn measure_nexmark(arguments: &Arguments) -> Result<()> {
    println!("Nexmark, {} events, held in memory, median of {}", arguments.events, arguments.runs);
    println!("query  epoch    workers  events/s    events/cpu-s  wall s  cpu s  peak MB  rows");
    for size in &arguments.epochs {
        let epochs = nexmark::generate(arguments.events, *size, EVENTS_PER_SECOND);
        for (name, definition) in QUERIES {
            if !arguments.queries.is_empty() && !arguments.queries.iter().any(|query| query == name) {
                continue;
            }
            for workers in &arguments.workers {
                let mut samples = Vec::new();
                for _ in 0..arguments.runs {
                    samples.push(nexmark::run(name, definition, &epochs, *workers).await?);
                }
                print_sample(name, *size, *workers, nexmark::median_of(&samples));
            }
        }
    }
    Ok(())
}

fn print_sample(name: &str, size: u64, workers: usize, sample: Sample) {
    println!(
        "{name:<6} {size:<8} {workers:<8} {:<11.0} {:<13.0} {:<7.3} {:<6.2} {:<8} {}",
        sample.per_second(),
        sample.per_cpu_second(),
        sample.wall.as_secs_f64(),
        sample.cpu.as_secs_f64(),
        sample.peak >> 20,
        sample.rows
    );
}

async fn measure_change(arguments: &Arguments) -> Result<()> {
    println!("One-row commits until a SELECT from the view shows them, median of {}", arguments.runs);
    println!("workers  rows       load s  insert µs  update µs");
    for workers in &arguments.workers {
        let mut first = None;
        for rows in &arguments.rows {
            let mut runs = Vec::new();
            for _ in 0..arguments.runs {
                runs.push(change::measure(*rows, arguments.commits, *workers).await?);
            }
            let latency = change::median_of(&runs);
            let (insert, update) = (latency.insert.as_micros(), latency.update.as_micros());
            println!("{workers:<8} {rows:<10} {:<7.2} {insert:<10} {update}", latency.load.as_secs_f64());
            let (few_insert, few_update) = *first.get_or_insert((insert, update));
            if *rows == arguments.rows[arguments.rows.len() - 1] && arguments.rows.len() > 1 {
                let ratio = |many, few| many as f64 / few as f64;
                println!(
                    "{workers:<8} ratio              {:<10.2} {:.2}",
                    ratio(insert, few_insert),
                    ratio(update, few_update)
                );
            }
        }
    }
    Ok(())
}

async fn measure_restart(arguments: &Arguments) -> Result<()> {
    println!("Starts on a directory with five views");
    println!("workers  rows       rounds  ready s  views s  fresh s  MB on disk");
    for workers in &arguments.workers {
        for rows in &arguments.rows {
            for rounds in [0, 3] {
                let restart = restart::measure(*rows, rounds, *workers).await?;
                let [ready, views, fresh] =
                    [restart.ready, restart.views, restart.fresh].map(|time| time.as_secs_f64());
                println!(
                    "{workers:<8} {rows:<10} {rounds:<7} {ready:<8.2} {views:<8.2} {fresh:<8.2} {}",
                    restart.bytes >> 20
                );
            }
        }
    }
    Ok(())
}

/// Rows of the table whose past is read, and how often two in five are changed: 10 million changes in all.
const STOCK: i64 = 1_000_000;
const ROUNDS: i64 = 11;

async fn measure_past(arguments: &Arguments) -> Result<()> {
    println!(
        "The sum over a table of {STOCK} rows, as it is and as of moments, median of {}",
        arguments.runs
    );
    println!("workers  changes until then  present s  past s  ratio  again s  ratio");
    for workers in &arguments.workers {
        for past in past::measure(STOCK, ROUNDS, arguments.runs, *workers).await? {
            let [present, then, again] = [past.present, past.past, past.again].map(|time| time.as_secs_f64());
            println!(
                "{workers:<8} {:<19} {present:<10.3} {then:<7.3} {:<6.1} {again:<8.3} {:.1}",
                past.changes,
                then / present,
                again / present
            );
        }
    }
    Ok(())
}

/// How long commits are counted.
const PERIOD: Duration = Duration::from_secs(5);
/// Rows of the COPY, and of the table whose checkpoint is written.
const COPIED: usize = 1_000_000;
const CHECKPOINTED: i64 = 10_000_000;

async fn measure_commits(
    arguments: &Arguments,
) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    println!(
        "Durable single-row INSERTs of {} sessions, and a COPY of {COPIED} rows, median of {}",
        commits::SESSIONS,
        arguments.runs
    );
    println!("server      inserts/s  copied rows/s");
    let mut rounds = Vec::new();
    for _ in 0..arguments.runs {
        let ours = Springtide::start(&server_binary()?)?;
        let ours = commits::throughput(&ours.url(), PERIOD, COPIED).await?;
        let theirs = match &arguments.postgres {
            Some(url) => Some(commits::throughput(url, PERIOD, COPIED).await?),
            None => None,
        };
        rounds.push((ours, theirs));
    }
    let ours = commits::median_of(rounds.iter().map(|round| round.0));
    println!("springtide  {:<10.0} {:.0}", ours.inserts, ours.copied);
    if arguments.postgres.is_some() {
        let theirs = commits::median_of(rounds.iter().filter_map(|round| round.1));
        println!("postgres    {:<10.0} {:.0}", theirs.inserts, theirs.copied);
        println!("ratio       {:<10.2} {:.2}", ours.inserts / theirs.inserts, ours.copied / theirs.copied);
    }
    let ours = Springtide::start(&server_binary()?)?;
    let measured = commits::during_checkpoint(&ours.url(), CHECKPOINTED, PERIOD).await?;
    println!(
        "Commits of {} sessions, idle and while the checkpoint of a table of {CHECKPOINTED} rows runs for {:.1} s",
        commits::SESSIONS,
        measured.checkpoint.as_secs_f64()
    );
    println!("          p50 ms  p99 ms");
    for (name, latencies) in [("idle", &measured.idle), ("beside", &measured.during)] {
        let [half, most] = [50, 99].map(|percent| 1e3 * latencies.percentile(percent).as_secs_f64());
        println!("{name:<9} {half:<7.2} {most:.2}");
    }
    let ratio = |percent| {
        measured.during.percentile(percent).as_secs_f64() / measured.idle.percentile(percent).as_secs_f64()
    };
    println!("ratio     {:<7.2} {:.2}", ratio(50), ratio(99));
    Ok(())
}

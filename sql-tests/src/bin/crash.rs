//! Kills a server over and over, or lets disks fail, and checks what is left and what its clients saw.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures::StreamExt;
use springtide_sql_tests::crash::{self, Crash, server_binary};
use springtide_sql_tests::faults::{self, Stats};
use springtide_sql_tests::histories::{self, Histories};

/// Checks that a database holds what it has acknowledged, whatever happens to it.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kill the server that was built beside this binary, over and over.
    Kill {
        /// How often.
        #[arg(long, default_value_t = 100)]
        rounds: u64,
        /// Sessions that work at a time.
        #[arg(long, default_value_t = 4)]
        sessions: usize,
        /// What the random choices begin with; a random number unless given.
        #[arg(long)]
        seed: Option<u64>,
        /// Keep all but the log in a bucket, that of an S3 server in this process.
        #[arg(long)]
        bucket: bool,
    },
    /// Record what sessions see while the server is killed, and look for an order that explains it.
    Histories {
        /// Operations until the end.
        #[arg(long, default_value_t = 100_000)]
        operations: usize,
        /// Sessions that work at a time.
        #[arg(long, default_value_t = 10)]
        sessions: usize,
        /// How often the server is killed.
        #[arg(long, default_value_t = 3)]
        crashes: usize,
        /// What the random choices begin with; a random number unless given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Let disks fail, lose and flip bits.
    Faults {
        /// How many cases to run.
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// The first seed; a random one unless given.
        #[arg(long)]
        from: Option<u64>,
        /// Cases that run at a time.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
    },
}

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    let random = || fastrand::u64(..1 << 32);
    let is_well = match Arguments::parse().command {
        Command::Kill { rounds, sessions, seed, bucket } => {
            let (server, seed) = (server_binary()?, seed.unwrap_or_else(random));
            kill(&Crash { server, rounds, sessions, seed, bucket }).await?
        }
        Command::Histories { operations, sessions, crashes, seed } => {
            let (server, seed) = (server_binary()?, seed.unwrap_or_else(random));
            explain(&Histories { server, sessions, operations, crashes, seed }).await?
        }
        Command::Faults { seeds, from, jobs } => let_fail(from.unwrap_or_else(random), seeds, jobs).await,
    };
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn kill(crash: &Crash) -> io::Result<bool> {
    println!("seed {}", crash.seed);
    let report = crash::run(crash).await?;
    println!("{report}");
    report.violations.iter().for_each(|violation| println!("  {violation}"));
    Ok(report.violations.is_empty())
}

async fn explain(recorded: &Histories) -> io::Result<bool> {
    println!("seed {}", recorded.seed);
    let verdict = histories::check(&histories::record(recorded).await?);
    println!("{verdict}");
    verdict.anomalies.iter().take(10).for_each(|anomaly| println!("  {anomaly}"));
    Ok(verdict.anomalies.is_empty())
}

async fn let_fail(from: u64, seeds: u64, jobs: usize) -> bool {
    println!("{seeds} seeds from {from}");
    let mut cases = futures::stream::iter(from..from + seeds)
        .map(|seed| tokio::spawn(faults::run(seed)))
        .buffer_unordered(jobs);
    let (mut stats, mut failed) = (Stats::default(), 0);
    while let Some(case) = cases.next().await {
        match case {
            Ok(Ok(seen)) => stats += seen,
            Ok(Err(message)) => {
                failed += 1;
                println!("{message}\n");
            }
            Err(panic) => {
                failed += 1;
                println!("a case panicked: {panic}");
            }
        }
    }
    println!("{failed} of {seeds} failed: {stats:?}");
    failed == 0
}

//! Runs the bank at 1, 2 and 3 workers.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use springtide_sql_tests::bank::{Bank, run};

/// Moves money between accounts over the wire while readers check every total.
#[derive(Parser)]
struct Arguments {
    /// For how long to run at each number of workers.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Numbers of worker threads to run with.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    workers: Vec<usize>,
    /// Sessions that move money.
    #[arg(long, default_value_t = 8)]
    tellers: usize,
    /// Sessions that check.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// Number of accounts, a multiple of ten.
    #[arg(long, default_value_t = 1_000)]
    accounts: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { seconds, workers, tellers, readers, accounts } = Arguments::parse();
    let mut failed = false;
    for workers in workers {
        let time = Duration::from_secs(seconds);
        let report = run(Bank { accounts, tellers, readers, workers, time }).await;
        println!("{report}");
        report.violations.iter().take(20).for_each(|violation| println!("  {violation}"));
        failed |= !report.violations.is_empty();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

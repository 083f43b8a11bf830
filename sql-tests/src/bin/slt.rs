//! Runs sqllogictest files and prints how each fared.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use springtide_sql_tests::slt::{Restarts, SuiteReport, Transport, files, run_file};

/// Runs sqllogictest files, each against a fresh database, over the wire, in-process, or with crashes between records.
#[derive(Parser)]
struct Arguments {
    /// Files, or folders that are searched for .slt files.
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// Use the embedded API instead of the wire.
    #[arg(long)]
    in_process: bool,
    /// Use the embedded API, of a database in a directory that crashes and starts again between records.
    #[arg(long, conflicts_with = "in_process")]
    restart: bool,
    /// With --restart: records between two crashes or checkpoints, on average.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// With --restart: what the random choices begin with.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print every failed record.
    #[arg(long)]
    verbose: bool,
    /// Worker threads of each database.
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[tokio::main]
async fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let transport = match (arguments.in_process, arguments.restart) {
        (true, _) => Transport::InProcess,
        (_, true) => Transport::Restarting(Restarts { every: arguments.every, seed: arguments.seed }),
        _ => Transport::Wire,
    };
    let mut suite = SuiteReport::default();
    for path in &arguments.suites {
        for file in files(path)? {
            let report = run_file(&file, transport, arguments.workers).await;
            println!("{report}");
            if arguments.verbose {
                report.failures.iter().for_each(|failure| println!("{failure}\n"));
            }
            suite.files.push(report);
        }
    }
    println!("{suite}");
    Ok(if suite.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

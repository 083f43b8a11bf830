//! Runs sqllogictest files and prints how each fared.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use springtide_sql_tests::slt::{SuiteReport, Transport, files, run_file};

/// Runs sqllogictest files, each against a fresh database, over the wire or in-process.
#[derive(Parser)]
struct Arguments {
    /// Files, or folders that are searched for .slt files.
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// Use the embedded API instead of the wire.
    #[arg(long)]
    in_process: bool,
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
    let transport = if arguments.in_process { Transport::InProcess } else { Transport::Wire };
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

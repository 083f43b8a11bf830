//! Compares what statements do with what they do in PostgreSQL.

use std::process::ExitCode;

use clap::Parser;
use springtide_sql_tests::differential::{Differential, compare};

/// Runs random statements on PostgreSQL and on Springtide, and lists what differs.
#[derive(Parser)]
struct Arguments {
    /// Where PostgreSQL is: `host=127.0.0.1 user=postgres`, or a `postgresql://` URL.
    #[arg(long)]
    postgres: String,
    /// How many statements.
    #[arg(long, default_value_t = 5000)]
    statements: usize,
    /// What the random choices begin with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { postgres, statements, seed } = Arguments::parse();
    match compare(&Differential { postgres, statements, seed }).await {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let message = error.as_db_error().map_or(error.to_string(), |error| error.message().to_owned());
            println!("could not compare: {message}");
            ExitCode::FAILURE
        }
    }
}

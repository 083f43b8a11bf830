//! Runs random cases for as long as one likes, or one case again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::StreamExt;
use springtide_sql_tests::fuzz::{Case, Stats, run, shrink};

/// Compares maintained views with their queries over random databases.
#[derive(Parser)]
struct Arguments {
    /// For how long to go on.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run only the case of this seed, and print its script.
    #[arg(long)]
    seed: Option<u64>,
    /// Start from this seed instead of a random one.
    #[arg(long)]
    from: Option<u64>,
    /// Cases that run at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Go on after a failure, without shrinking.
    #[arg(long)]
    keep_going: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(seed).await,
        None => many(&arguments).await,
    }
}

async fn one(seed: u64) -> ExitCode {
    let case = Case::generate(seed);
    println!("{}\n", case.script());
    match run(&case).await {
        Ok(stats) => {
            println!("{stats}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            report(case, &failure.message).await;
            ExitCode::FAILURE
        }
    }
}

async fn many(arguments: &Arguments) -> ExitCode {
    let first = arguments.from.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    println!("from seed {first}, for {} s", arguments.seconds);
    let (mut cases, mut failures, mut stats) = (0, 0, Stats::default());
    let mut outcomes = futures::stream::iter(first..)
        .take_while(|_| std::future::ready(Instant::now() < end))
        .map(|seed| tokio::spawn(async move { (seed, run(&Case::generate(seed)).await) }))
        .buffer_unordered(arguments.jobs);
    while let Some(outcome) = outcomes.next().await {
        cases += 1;
        match outcome {
            Ok((_, Ok(seen))) => stats += seen,
            Ok((seed, Err(failure))) if arguments.keep_going => {
                failures += 1;
                println!("seed {seed}: {}\n", failure.message);
            }
            Ok((seed, Err(failure))) => {
                report(Case::generate(seed), &failure.message).await;
                return ExitCode::FAILURE;
            }
            Err(panic) => {
                failures += 1;
                println!("a case panicked: {panic}");
            }
        }
    }
    println!("{cases} cases, {failures} failed: {stats}");
    stats.reasons.iter().for_each(|(reason, (count, example))| println!("{count:>6} {reason}: {example}"));
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn report(case: Case, message: &str) {
    println!("seed {}: {message}\n", case.seed);
    let small = shrink(case, Duration::from_secs(60)).await;
    println!("smaller:\n{}", small.script());
    if let Err(failure) = run(&small).await {
        println!("{}", failure.message);
    }
}

//! Every view equals its query run from scratch, after every commit, for a thousand random databases.

use std::time::Duration;

use futures::StreamExt;
use springtide_sql_tests::fuzz::{Case, Stats, run, shrink};

const CASES: u64 = 1_000;

/// As many cases at a time as the machine of the tests has cores.
const AT_ONCE: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn views_equal_their_queries() {
    let mut stats = Stats::default();
    let mut outcomes = futures::stream::iter(0..CASES)
        .map(|seed| tokio::spawn(async move { (seed, run(&Case::generate(seed)).await) }))
        .buffer_unordered(AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        match outcome.expect("no case panics") {
            (_, Ok(seen)) => stats += seen,
            (seed, Err(failure)) => {
                let case = shrink(Case::generate(seed), Duration::from_secs(60)).await;
                panic!("seed {seed}: {}\n\nsmaller:\n{}\n", failure.message, case.script());
            }
        }
    }
    println!("{CASES} cases: {stats}");
    assert!(stats.refused * 20 <= stats.views, "too many views are refused: {stats}");
    assert!(stats.errors * 5 <= stats.checks, "too many checks only compare errors: {stats}");
}

//! What was acknowledged outlives the server and the failures of the disk. `make crash`, `make histories` and `make faults` run the same
//! for longer.

use futures::StreamExt;
use springtide_sql_tests::crash::{Crash, run, server_binary};
use springtide_sql_tests::faults::{self, Stats};
use springtide_sql_tests::histories::{self, Histories};

async fn kill(rounds: u64, bucket: bool) {
    let server = server_binary().expect("cargo builds the server with the tests");
    let crash = Crash { server, rounds, sessions: 4, seed: 11, bucket };
    let report = run(&crash).await.expect("the server starts");
    println!("{report}");
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.commits > 0 && report.checkpoints > 0, "nothing happened: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    kill(150, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_history_is_in_a_bucket() {
    kill(50, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sessions_see_is_strictly_serializable_when_the_server_is_killed() {
    let server = server_binary().expect("cargo builds the server with the tests");
    let recorded = Histories { server, sessions: 10, operations: 10_000, crashes: 2, seed: 5 };
    let verdict = histories::check(&histories::record(&recorded).await.expect("the server starts"));
    println!("{verdict}");
    assert!(verdict.anomalies.is_empty(), "{:#?}", verdict.anomalies);
    assert!(verdict.committed > 1000, "little happened: {verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_disk_fails() {
    let mut cases =
        futures::stream::iter(0..60).map(|seed| tokio::spawn(faults::run(seed))).buffer_unordered(2);
    let mut stats = Stats::default();
    while let Some(case) = cases.next().await {
        stats += case.expect("no case panics").expect("no case fails");
    }
    println!("{stats:?}");
    assert!(stats.failures > 0 && stats.refused > 0 && stats.flips.0 > 0 && stats.flips.1 > 0, "{stats:?}");
}

//! Money neither appears nor disappears, however one looks at it. `make bank` runs the same for longer.

use std::time::Duration;

use springtide_sql_tests::bank::{Bank, run};

#[tokio::test(flavor = "multi_thread")]
async fn every_observed_total_is_exact() {
    for workers in 1..=3 {
        let report = run(Bank { workers, time: Duration::from_secs(4), ..Bank::default() }).await;
        println!("{report}");
        assert!(report.violations.is_empty(), "{report}\n{:#?}", report.violations);
        assert!(report.transfers > 0 && report.reads > 0, "nothing happened: {report}");
    }
}

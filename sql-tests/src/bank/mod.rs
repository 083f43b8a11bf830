//! The bank: sessions move money between accounts while readers check that no observation ever shows a
//! total other than the one that was there at the start.

mod reader;
mod report;
mod schema;
mod teller;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::server::Server;

pub use report::Report;

/// Every account starts with this much.
const OPENING_BALANCE: i64 = 1_000;

/// How a run is set up.
#[derive(Clone, Copy, Debug)]
pub struct Bank {
    /// Number of accounts.
    pub accounts: usize,
    /// Sessions that move money.
    pub tellers: usize,
    /// Sessions that check the totals.
    pub readers: usize,
    /// Worker threads of the database.
    pub workers: usize,
    /// For how long money moves.
    pub time: Duration,
}

impl Default for Bank {
    fn default() -> Bank {
        Bank { accounts: 1_000, tellers: 8, readers: 2, workers: 1, time: Duration::from_secs(60) }
    }
}

/// What tellers and readers of one run share.
struct Shared {
    accounts: usize,
    closing: AtomicBool,
    /// The balance that each account must have, by all acknowledged transfers.
    balances: Vec<AtomicI64>,
}

impl Shared {
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn total(&self) -> i64 {
        self.accounts as i64 * OPENING_BALANCE
    }
}

/// Runs the bank over the wire.
pub async fn run(bank: Bank) -> Report {
    let server = Server::start(bank.workers).await;
    let shared = Arc::new(Shared {
        accounts: bank.accounts,
        closing: AtomicBool::new(false),
        balances: (0..bank.accounts).map(|_| AtomicI64::new(OPENING_BALANCE)).collect(),
    });
    schema::create(&server.connect().await, &shared).await;

    let start = Instant::now();
    let mut tellers = Vec::new();
    for number in 0..bank.tellers {
        let client = server.connect().await;
        tellers.push(tokio::spawn(teller::work(client, shared.clone(), number as u64)));
    }
    let mut readers = Vec::new();
    for _ in 0..bank.readers {
        let client = server.connect().await;
        readers.push(tokio::spawn(reader::watch(client, shared.clone())));
    }
    tokio::time::sleep(bank.time).await;
    shared.closing.store(true, Ordering::Relaxed);

    let mut report = Report::new(bank);
    for teller in join_all(tellers).await {
        report.add_teller(teller.expect("no teller panics"));
    }
    for reader in join_all(readers).await {
        report.add_reader(reader.expect("no reader panics"));
    }
    report.time = start.elapsed();
    report.violations.extend(reader::audit(&server.connect().await, &shared).await);
    server.stop().await;
    report
}

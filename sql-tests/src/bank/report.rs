use std::fmt;
use std::time::Duration;

use super::Bank;
use super::reader::Observations;
use super::teller::Work;

/// How a run went.
#[derive(Debug)]
pub struct Report {
    bank: Bank,
    /// How long it took.
    pub time: Duration,
    /// Transfers that were acknowledged.
    pub transfers: u64,
    /// Transactions that were tried again after a 40001.
    pub retries: u64,
    /// Observations.
    pub reads: u64,
    /// Everything that must not happen: wrong totals, wrong balances, failed statements.
    pub violations: Vec<String>,
}

impl Report {
    pub(super) fn new(bank: Bank) -> Report {
        Report { bank, time: bank.time, transfers: 0, retries: 0, reads: 0, violations: Vec::new() }
    }

    pub(super) fn add_teller(&mut self, work: Work) {
        self.transfers += work.transfers;
        self.retries += work.retries;
        self.violations.extend(work.failures);
    }

    pub(super) fn add_reader(&mut self, seen: Observations) {
        self.reads += seen.reads;
        self.violations.extend(seen.violations);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        write!(
            f,
            "{} workers: {} transfers ({:.0} tx/s), {} retries, {} reads ({:.0}/s), {} violations",
            self.bank.workers,
            self.transfers,
            self.transfers as f64 / seconds,
            self.retries,
            self.reads,
            self.reads as f64 / seconds,
            self.violations.len()
        )
    }
}

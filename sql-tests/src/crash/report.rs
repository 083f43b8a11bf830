use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// What a run has seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Starts of the server that were followed by work.
    pub rounds: u64,
    /// Transactions that were acknowledged.
    pub commits: u64,
    /// Transactions that were refused because others had overtaken them.
    pub conflicts: u64,
    /// Transactions of which nobody was told how they ended.
    pub in_doubt: u64,
    /// Checkpoints that the server wrote.
    pub checkpoints: u64,
    /// What is wrong.
    pub violations: Vec<String>,
}

/// What the log of a server must not say.
const ALARMS: [&str; 4] = [" ERROR ", "panicked", "damaged", "begins anew"];

impl Report {
    /// Takes in what a server has logged, and empties the log.
    pub(super) fn read_log(&mut self, log: &Path) -> io::Result<()> {
        for line in fs::read_to_string(log)?.lines() {
            self.checkpoints += u64::from(line.contains("checkpoint at epoch"));
            if ALARMS.iter().any(|alarm| line.contains(alarm)) {
                self.violations.push(format!("the server says: {line}"));
            }
        }
        fs::write(log, "")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { rounds, commits, conflicts, in_doubt, checkpoints, violations } = self;
        write!(
            f,
            "{rounds} rounds, {commits} commits, {conflicts} conflicts, {in_doubt} in doubt, \
             {checkpoints} checkpoints: {} violations",
            violations.len()
        )
    }
}

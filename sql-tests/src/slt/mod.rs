//! Runs sqllogictest files against a fresh database each, in-process, over the wire, or in-process with crashes between
//! the records, and goes on after a record that fails.

mod in_process;
mod report;
mod restarting;
mod rounding;
mod runner;
mod wire;

pub use report::{FileReport, SuiteReport};
pub use restarting::Restarts;
pub use runner::{Transport, files, run_file};

/// A value as sqllogictest files write it.
fn value(text: Option<&str>) -> String {
    match text {
        None => "NULL",
        Some("") => "(empty)",
        Some(text) => text,
    }
    .to_owned()
}

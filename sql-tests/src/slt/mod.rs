//! Runs sqllogictest files against a fresh database each, in-process or over the wire, and goes on after a
//! record that fails.

mod in_process;
mod report;
mod rounding;
mod runner;
mod wire;

pub use report::{FileReport, SuiteReport};
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

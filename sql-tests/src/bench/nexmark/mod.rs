//! Nexmark q0–q22 through the embedded API, from batches made beforehand.

mod epochs;
mod run;

pub use epochs::generate;
pub use run::{QUERIES, SCHEMA, Sample, append, median_of, run};

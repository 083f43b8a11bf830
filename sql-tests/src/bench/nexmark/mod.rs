//! Nexmark q0–q22 through the embedded API, from batches made beforehand.

mod epochs;
mod run;

pub use epochs::generate;
pub use run::{EVENTS_PER_SECOND, QUERIES, Rows, SCHEMA, Sample, TABLES, append, median_of, run};
pub use springtide_connectors::nexmark::Events;

//! Nexmark q0–q22 through the embedded API, from batches made beforehand.

mod clock;
mod generator;
mod run;
mod text;

pub use generator::{Epoch, generate};
pub use run::{EVENTS_PER_SECOND, QUERIES, Rows, SCHEMA, Sample, TABLES, append, median_of, run};

//! Nexmark q0–q4 and q8 through the embedded API, from batches made beforehand.

mod clock;
mod generator;
mod run;
mod text;

pub use generator::{Epoch, generate};
pub use run::{QUERIES, Sample, median_of, run};

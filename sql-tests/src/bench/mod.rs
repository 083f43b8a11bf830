//! The benches: how many Nexmark events a second the views keep up with, also when they come over the wire, and how long a view over
//! events that are there already takes; whether the cost of a commit follows the change rather than the size of the tables, when
//! views show it, and what it costs under many views; how many point reads and durable commits there are in a second; how
//! long a start takes, and what reading the past costs.

pub mod change;
pub mod commits;
pub mod copy;
mod copy_data;
mod cpu;
pub mod hydrate;
mod latencies;
mod memory;
pub mod nexmark;
pub mod past;
pub mod points;
pub mod restart;
pub mod views;
pub mod visible;

pub use latencies::Latencies;

/// The value in the middle of an odd number of measurements; of an even number, the lower of the two.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|left, right| left.partial_cmp(right).expect("measurements are comparable"));
    values[(values.len() - 1) / 2]
}

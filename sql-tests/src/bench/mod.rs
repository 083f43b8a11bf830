//! The benches: how many Nexmark events a second the views keep up with, whether the cost of a commit
//! follows the change rather than the size of the tables, how long a start takes, and what
//! reading the past costs, and how many durable commits there are in a second.

pub mod change;
pub mod commits;
mod cpu;
pub mod nexmark;
pub mod past;
pub mod restart;

/// The value in the middle of an odd number of measurements; of an even number, the lower of the two.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|left, right| left.partial_cmp(right).expect("measurements are comparable"));
    values[(values.len() - 1) / 2]
}

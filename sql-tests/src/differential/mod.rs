//! The same statements to PostgreSQL and to us: the results, their types and the errors have to be the same.
//!
//! What there is to call, and with what, is read from the catalogue of the PostgreSQL that is compared with; statements are then
//! drawn at random from that, so that nobody has to think of them.

mod compare;
mod generator;
mod outcome;
mod report;
mod shapes;
mod values;

pub use compare::{Differential, compare};
pub use report::Report;

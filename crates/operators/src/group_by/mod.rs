//! GROUP BY: the operator, and one file per kind of aggregate.

mod accumulator;
mod collected;
mod count;
mod distinct;
mod extremum;
mod inputs;
mod operator;
mod order_key;
mod sum;

pub(crate) use accumulator::Evaluation;
pub use operator::GroupByOperator;
pub(crate) use sum::{decimal_sums, integer_sums};

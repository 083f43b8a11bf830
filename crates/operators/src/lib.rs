//! The operators: synchronous functions from the deltas of an epoch to the delta of its result.
//!
//! Invariant: no runtime, no I/O, no clock. The same operator gives the same result whatever the number
//! of workers, the order of rows within an epoch, or the way the rows are cut into batches.

mod distinct;
mod evaluate;
mod exact_sum;
mod expand;
mod filter;
mod group_by;
mod join;
mod operator;
mod outer_join;
mod project;
mod render;
mod semi_join;
mod set_operation;
mod slots;
mod top_k;
mod touched;
mod unnest;
mod window;

pub use distinct::DistinctOperator;
pub use exact_sum::ExactSum;
pub use expand::ExpandOperator;
pub use filter::FilterOperator;
pub use group_by::GroupByOperator;
pub use join::JoinOperator;
pub use operator::{Input, Operator, Output, Status};
pub use outer_join::OuterJoinOperator;
pub use project::ProjectOperator;
pub use semi_join::SemiJoinOperator;
pub use set_operation::SetOperationOperator;
pub use top_k::TopKOperator;
pub use unnest::UnnestOperator;
pub use window::WindowOperator;

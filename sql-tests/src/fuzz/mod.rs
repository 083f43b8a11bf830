//! Random schemas, views and histories; after each commit every view must equal its query run from scratch.

mod case;
mod check;
mod expression;
mod from;
mod history;
mod kind;
mod query;
mod shrink;
mod window;

pub use case::{Case, End, Step};
pub use check::{Failure, Stats, run};
pub use shrink::shrink;

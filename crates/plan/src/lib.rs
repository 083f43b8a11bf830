//! The incremental plan as data: what the SQL layer decides and the dataflow layer renders.
//!
//! Everything is decided here, so that rendering is one dull `match`. Invariant: no timely, no storage,
//! no SQL text; expressions are DataFusion physical expressions over the columns of the input.

mod aggregate;
mod error;
mod explain;
mod fingerprint;
mod node;
mod properties;
mod window_function;

pub use aggregate::{Aggregate, AggregateFunction, Computed};
pub use error::{arrow_error, sql_error};
pub use explain::{PlanLine, explain, lines};
pub use fingerprint::fingerprint;
pub use node::{
    Expand, Filter, GroupBy, Join, JoinKind, Node, Project, ScalarExpr, SetOperation, SetOperator, Source,
    TopK, Unnest, UnnestColumn, ViewPlan, Window,
};
pub use properties::{CostClass, Properties};
pub use window_function::{Bound, Frame, Ranking, Reach, WindowFunction};

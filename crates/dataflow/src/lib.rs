//! Renders plans to timely dataflows and runs them on worker threads.
//!
//! [`Workers`] is the whole interface: views come and go, commits come in, and the contents of the views
//! follow. Every worker receives the same commands in the same order and runs every view; rows are dealt
//! to workers by the stable hash of the columns on which an operator needs them together.
//!
//! Invariants: no other crate knows timely. A view's relation is advanced to a frontier only after every
//! delta and every error of the epochs before it has been applied. Nothing here knows SQL.

mod adapter;
mod budget;
mod command;
mod container;
mod errors;
mod freeze;
mod guard;
mod hub;
mod import;
mod meters;
mod partitioning;
mod render;
mod route;
mod sink;
mod snapshot;
mod worker;
mod workers;

pub use command::{Beginning, CreateView};
pub use freeze::{Freeze, OperatorState};
pub use meters::{Meters, Reading};
pub use partitioning::place;
pub use render::operators_with_state;
pub use workers::Workers;

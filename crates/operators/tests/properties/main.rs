//! Every operator against a naive recomputation, over random histories cut into random batches.

mod group_by;
mod history;
mod join;
mod linear;
mod set_operation;
mod top_k;
mod window;

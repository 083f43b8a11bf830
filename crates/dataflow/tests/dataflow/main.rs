//! Views on workers. One binary, since linking each costs more than its tests.

mod common;
mod errors;
mod random;
mod views;

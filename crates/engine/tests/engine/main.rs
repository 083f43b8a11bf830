//! The embedded API, in memory and on disk. One binary, since linking each costs more than its tests.

mod asof_model;
mod common;
mod durability;
mod operators;
mod past_model;
mod replacing;
mod rules;
mod session_windows;
mod sessions;
mod sources;
mod time_travel;
mod versions;

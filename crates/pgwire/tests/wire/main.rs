//! The protocol as clients see it. One binary, since linking each costs more than its tests.

mod common;
mod copy;
mod driver;
mod extended_query;
mod point_reads;
mod robustness;
mod security;
mod sessions;
mod simple_query;

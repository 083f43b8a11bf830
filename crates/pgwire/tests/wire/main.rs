//! The protocol as clients see it. One binary, since linking each costs more than its tests.

mod common;
mod copy;
mod driver;
mod extended_query;
mod robustness;
mod simple_query;

//! The PostgreSQL wire protocol, version 3, over an [`springtide_engine::Database`].
//!
//! The crate `pgwire` supplies messages, codec and TLS negotiation; this crate supplies what happens when a
//! message arrives. It does not build on that crate's handler traits: each of their defaults would have to be
//! overridden (portals that stream, implicit transactions, status bytes that come from the session), behind
//! a lock, while one `Connection` that owns its socket and its session needs none.
//!
//! Invariant: the only crate that knows the wire; it calls nothing below `engine` and `types`.

mod connection;
mod copy;
mod describe;
mod encode;
mod extended;
mod parameters;
mod report;
mod rows;
mod server;
mod simple;
mod startup;

pub use encode::texts;
pub use server::serve;

//! The PostgreSQL wire protocol, version 3, over an [`springtide_engine::Database`].
//!
//! The crate `pgwire` supplies messages, codec and TLS negotiation; this crate supplies what happens when a
//! message arrives. It does not build on that crate's handler traits: each of their defaults would have to be
//! overridden (portals that stream, implicit transactions, status bytes that come from the session), behind
//! a lock, while one `Connection` that owns its socket and its session needs none.
//!
//! Invariant: the only crate that knows the wire; it calls nothing below `engine` and `types`.

mod authentication;
mod connection;
mod copy;
mod describe;
mod encode;
mod errors;
mod extended;
mod limited;
mod options;
mod parameters;
mod report;
mod rows;
mod rules;
mod scram;
mod server;
mod simple;
mod startup;
mod tls;

pub use encode::texts;
pub use options::ServeOptions;
pub use rules::{AuthRules, Method};
pub use server::{serve, serve_with};
pub use tls::Tls;

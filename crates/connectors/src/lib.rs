//! Where rows come from besides clients: the connectors of `CREATE SOURCE`.
//!
//! A [`Connector`] says which tables a source with some options fills, and opens it at a position. A [`Source`] is then
//! asked for one batch after the other; each says the position after it.
//!
//! Exactly once: whoever asks commits the rows of a batch together with the position after it, and opens the source at the
//! position that was committed last. So a source must bring the same rows after the same position whenever it is opened
//! there, though it may cut them into other batches.
//!
//! Invariant: nothing here knows of SQL, of the catalog, or of commits.

pub mod nexmark;
mod options;
mod source;

pub use options::{OptionReader, Options};
pub use source::{Batch, Connector, Next, Source, Table};

/// All connectors.
static CONNECTORS: [&dyn Connector; 1] = [&nexmark::Nexmark];

/// The connector of this name, which is in lower case.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    CONNECTORS.into_iter().find(|connector| connector.name() == name)
}

/// The names of all connectors.
pub fn names() -> impl Iterator<Item = &'static str> {
    CONNECTORS.into_iter().map(Connector::name)
}

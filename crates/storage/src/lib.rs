//! What is on disk.
//!
//! The write-ahead log holds every commit, in the order of epochs: input changes as Arrow, changes to the catalog
//! as bytes that this crate does not read. `docs/formats/wal.md` describes the bytes. Invariant: what [`Wal::append`]
//! returned `Ok` for is there after a crash. All access to files goes through [`FileSystem`], so that tests can
//! break it on purpose. This crate knows nothing of plans or SQL.

mod error;
mod file_system;
mod frame;
mod record;
mod wal;

pub use error::StorageError;
pub use file_system::{FileSystem, LocalFileSystem, LogFile};
pub use record::Record;
pub use wal::{Replayed, Wal};

//! What is on disk.
//!
//! The write-ahead log holds every commit, in the order of epochs: input changes as Arrow, changes to the catalog
//! as bytes that this crate does not read. The history holds the same changes by relation, and those of views, as Parquet,
//! from which the past is read and a start begins. `docs/formats/` describes the bytes. Invariant: what [`Wal::append`]
//! or [`History::install`] returned `Ok` for is there after a crash. All access to files goes through [`Files`] and
//! [`FileSystem`], so that tests can break it on purpose and the history can lie in a bucket ([`ObjectFiles`]). This crate knows nothing of plans or SQL.

mod error;
mod file_system;
mod frame;
mod history;
mod object_files;
mod record;
mod segment;
mod wal;

pub use error::StorageError;
pub use file_system::{FileSystem, Files, LocalFileSystem, LogFile};
pub use history::{
    Base, CatalogEntry, DataFile, ErrorChange, FILE_ROWS, History, Manifest, RelationHistory, Snapshot,
    StateFile, StateFiles, StateSection,
};
pub use object_files::{ClaimError, ObjectFiles, Owner};
pub use record::Record;
pub use wal::{Replayed, Wal};

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The file system refused. After a failed write nothing more is written until the database is opened again.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Bytes are not what was written. They are left as they are, for whoever repairs them.
    #[error("{} is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A data file can't be written or read as Parquet.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: ParquetError,
    },
    /// A state file can't be written or read as Arrow.
    #[error("{}: {source}", path.display())]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: ArrowError,
    },
    /// A commit that no record can hold. Nothing was written, and nothing more is until the database is opened again.
    #[error("{0}")]
    Record(ArrowError),
    /// An earlier write failed, so the end of the log is not known.
    #[error("an earlier write to the log failed")]
    Poisoned,
}

impl StorageError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StorageError {
        let path = path.into();
        move |source| StorageError::Io { path, source }
    }

    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, StorageError::Io { source, .. } if full.contains(&source.kind()))
    }
}

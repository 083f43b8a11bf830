//! The database's directory, as the sequencer writes it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use springtide_catalog::CatalogChange;
use springtide_storage::{Record, Replayed, StorageError, Wal};
use springtide_types::{Epoch, RelationId, Result, SqlError, SqlState, ZBatch};

use crate::commit::Acknowledged;
use crate::location::Location;

/// What to do after a failed write.
const NO_MORE_WRITES: &str = "The database answers queries but takes no writes until it is started again. \
    See to the disk first; what was acknowledged is safe.";

/// How long a commit that is not waited for may take to get to disk, but for the time that it takes to write it.
const SOON: Duration = Duration::from_millis(100);

/// The log of commits. Holds the lock on its directory.
pub(crate) struct Log {
    wal: Wal,
    /// When what was written last is to be durable, if it is not yet.
    sync_by: Option<Instant>,
    _lock: File,
}

impl Log {
    /// Opens the log at a location whose lock is held, and gives `replay` each record later than `after`.
    pub(crate) fn open(
        location: &Location,
        lock: File,
        after: Epoch,
        replay: impl FnMut(Record) -> std::result::Result<(), String>,
    ) -> Result<(Log, Replayed)> {
        let opened =
            Wal::open(location.log_files.clone(), &location.log_directory.join("wal"), after, replay);
        let (wal, replayed) = opened.map_err(storage_error)?;
        Ok((Log { wal, sync_by: None, _lock: lock }, replayed))
    }

    /// What comes next goes into another file than what came before, which is durable then.
    pub(crate) fn rotate(&mut self) -> Result<()> {
        self.sync_by = None;
        self.wal.rotate().map_err(|error| self.failed(error))
    }

    /// When [`Log::sync`] is due, if it is.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        self.sync_by
    }

    /// Makes everything durable that was written. A failure shows to whoever commits next.
    pub(crate) fn sync(&mut self) {
        if self.sync_by.take().is_some()
            && let Err(error) = self.wal.sync()
        {
            tracing::error!("commits that were not waited for may be lost: {error}");
        }
    }

    /// Drops the files with nothing later than an epoch.
    pub(crate) fn forget(&mut self, epoch: Epoch) -> Result<()> {
        self.wal.forget(epoch).map_err(storage_error)
    }

    /// Fails if nothing can be written any more.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.wal.is_poisoned() {
            return Ok(());
        }
        Err(storage_error(StorageError::Poisoned).with_hint(NO_MORE_WRITES))
    }

    /// Writes what an epoch did, and makes it durable if somebody waits for that.
    pub(crate) fn append(
        &mut self,
        epoch: Epoch,
        catalog: Option<&CatalogChange>,
        deltas: Vec<(RelationId, ZBatch)>,
        acknowledged: Acknowledged,
    ) -> Result<()> {
        let catalog = catalog.map(CatalogChange::encode).unwrap_or_default();
        let record = Record { epoch, catalog, deltas };
        let written = match acknowledged {
            Acknowledged::Durable => self.wal.append(&record),
            Acknowledged::Visible => self.wal.write(&record),
        };
        written.map_err(|error| self.failed(error))?;
        match acknowledged {
            Acknowledged::Durable => self.sync_by = None,
            Acknowledged::Visible => self.sync_by = self.sync_by.or_else(|| Some(Instant::now() + SOON)),
        }
        Ok(())
    }

    fn failed(&self, error: StorageError) -> SqlError {
        tracing::error!("the log could not be written: {error}");
        let error = storage_error(error);
        if self.wal.is_poisoned() { error.with_hint(NO_MORE_WRITES) } else { error }
    }
}

/// Two processes that write one log would destroy it.
pub(crate) fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("LOCK");
    let failed = |source| storage_error(StorageError::Io { path: path.clone(), source });
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("the data directory {} is in use by another process", directory.display());
            Err(SqlError::new(SqlState::OBJECT_IN_USE, message)
                .with_hint("Stop the other server, or give this one a directory of its own."))
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What a client is told.
pub(crate) fn storage_error(error: StorageError) -> SqlError {
    match &error {
        StorageError::Io { .. } if error.is_disk_full() => {
            SqlError::new(SqlState::DISK_FULL, format!("could not write: {error}"))
        }
        StorageError::Io { .. } => {
            SqlError::new(SqlState::IO_ERROR, format!("could not read or write: {error}"))
        }
        StorageError::Poisoned => SqlError::new(SqlState::IO_ERROR, error.to_string()),
        StorageError::Parquet { .. } | StorageError::Arrow { .. } => SqlError::internal(error.to_string()),
        StorageError::Record(_) => SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, error.to_string()),
        StorageError::Corrupt { .. } => SqlError::new(SqlState::DATA_CORRUPTED, error.to_string())
            .with_hint("Nothing was changed. Put the file back from a copy, or move the directory away."),
    }
}

//! Where a database is kept.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use springtide_storage::{
    ClaimError, FileSystem, Files, History, LocalFileSystem, Manifest, ObjectFiles, Owner, StorageError,
};
use springtide_types::{Result, SqlError, SqlState};
use uuid::Uuid;

use crate::log::{lock, storage_error};

/// In the directory of a log whose history lies elsewhere, the file with what tells it from all others.
const IDENTITY: &str = "identity";

/// Where a database is kept: the directory of its log, and that of its history and checkpoints, which may be in a bucket.
#[derive(Clone, Debug)]
pub struct Location {
    pub(crate) log_files: Arc<dyn FileSystem>,
    pub(crate) log_directory: PathBuf,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) directory: PathBuf,
    bucket: Option<Bucket>,
}

/// A history that is not in the directory of its log.
#[derive(Clone, Debug)]
struct Bucket {
    files: Arc<ObjectFiles>,
    take_over: bool,
}

impl Location {
    /// Everything in one directory.
    pub fn directory(directory: &Path) -> Location {
        Location::on(Arc::new(LocalFileSystem), directory)
    }

    /// Everything in one directory of a file system.
    pub fn on(files: Arc<dyn FileSystem>, directory: &Path) -> Location {
        Location {
            log_files: files.clone(),
            log_directory: directory.to_owned(),
            files,
            directory: directory.to_owned(),
            bucket: None,
        }
    }

    /// The log in a directory of a file system, the rest in a bucket, which belongs to that log from then on. One that belongs to
    /// another log is refused, unless it is to `take_over`: then what only the other log holds is lost.
    pub fn bucket(
        files: Arc<ObjectFiles>,
        take_over: bool,
        log_files: Arc<dyn FileSystem>,
        log_directory: &Path,
    ) -> Location {
        Location {
            log_files,
            log_directory: log_directory.to_owned(),
            files: files.clone(),
            directory: files.root().to_owned(),
            bucket: Some(Bucket { files, take_over }),
        }
    }

    /// Keeps other processes away until what this returns is dropped.
    ///
    /// Fails with `55006` if another process has the directory open, or the bucket belongs to another log.
    pub(crate) fn lock(&self) -> Result<File> {
        let lock = lock(&self.log_directory)?;
        if let Some(bucket) = &self.bucket {
            self.claim(bucket)?;
        }
        Ok(lock)
    }

    /// The history, with the newest manifest if there ever was one.
    pub(crate) fn history(&self) -> Result<(History, Option<Manifest>)> {
        History::open(self.files.clone(), &self.directory).map_err(storage_error)
    }

    fn claim(&self, bucket: &Bucket) -> Result<()> {
        let owner = Owner { log: self.identity()?, place: place(&self.log_directory) };
        bucket.files.claim(&owner, bucket.take_over).map_err(|error| match error {
            ClaimError::Io(source) => io_error(&self.directory, source),
            ClaimError::Owned(_) => {
                let message = format!("{} is in use: {error}", self.directory.display());
                let hint = "Start the server with that log. If it is lost, --take-over goes on from the newest checkpoint.";
                SqlError::new(SqlState::OBJECT_IN_USE, message).with_hint(hint)
            }
        })
    }

    /// What tells the log from all others.
    fn identity(&self) -> Result<String> {
        let path = self.log_directory.join(IDENTITY);
        match self.log_files.read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Uuid::new_v4().to_string();
                self.log_files.put(&path, identity.as_bytes()).map_err(|source| io_error(&path, source))?;
                Ok(identity)
            }
            Err(error) => Err(io_error(&path, error)),
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> SqlError {
    storage_error(StorageError::Io { path: path.to_owned(), source })
}

/// A directory as whoever is on another machine finds it.
fn place(directory: &Path) -> String {
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    match host.trim() {
        "" => directory.display().to_string(),
        host => format!("{} on {host}", directory.display()),
    }
}

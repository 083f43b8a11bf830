//! History: the change log of every relation as Parquet files, and the manifests that list them.
//!
//! ```text
//! manifest/<epoch>.json               what there is up to that epoch; the newest one counts
//! history/<relation>/<epoch>.parquet  changes, named by the epoch of the manifest that first listed them
//! ```

mod data_file;
mod manifest;
mod state_file;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::errors::ParquetError;
use springtide_types::{Changes, Epoch};
use xxhash_rust::xxh3::xxh3_64;

pub use manifest::{
    Base, CatalogEntry, DataFile, ErrorChange, Manifest, RelationHistory, Snapshot, StateFile, StateFiles,
};
pub use state_file::StateSection;

use self::manifest::Unreadable;
use crate::error::StorageError;
use crate::file_system::{Files, UNFINISHED};

/// Rows of a data file, at most.
pub const FILE_ROWS: usize = 1 << 20;
/// How many manifests are kept: should the newest be damaged, the one before it serves.
const MANIFESTS: usize = 2;

/// The history below one directory.
#[derive(Debug)]
pub struct History {
    files: Arc<dyn Files>,
    manifests: PathBuf,
    directory: PathBuf,
}

impl History {
    /// Whether there is a history in a directory. To look for one makes none.
    pub fn is_in(files: &dyn Files, directory: &Path) -> Result<bool, StorageError> {
        let manifests = directory.join("manifest");
        match files.list(&manifests) {
            Ok(names) => Ok(!names.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io(manifests)(error)),
        }
    }

    /// Opens the history in a directory, with the newest manifest that is intact, if there ever was one. A damaged
    /// one before which none is left is an error.
    pub fn open(
        files: Arc<dyn Files>,
        directory: &Path,
    ) -> Result<(History, Option<Manifest>), StorageError> {
        let (manifests, directory) = (directory.join("manifest"), directory.join("history"));
        for directory in [&manifests, &directory] {
            files.create_directory(directory).map_err(StorageError::io(directory))?;
        }
        let history = History { files, manifests, directory };
        let mut damaged = None;
        for name in history.manifest_names()?.iter().rev() {
            let (path, manifest) = history.read_manifest(name)?;
            match manifest {
                Ok(manifest) => return Ok((history, Some(manifest))),
                Err(Unreadable::Format(format)) => {
                    let reason = format!("its format is {format}, which this version does not know");
                    return Err(StorageError::Corrupt { path, offset: 0, reason });
                }
                Err(Unreadable::Damaged(reason)) => {
                    tracing::warn!("{} is damaged and is passed over: {reason}", path.display());
                    damaged.get_or_insert(StorageError::Corrupt { path, offset: 0, reason });
                }
            }
        }
        damaged.map_or(Ok((history, None)), Err)
    }

    /// Writes changes, none if there are none, into files of the directory of a relation. `label` makes their names
    /// unlike those of all others there.
    pub fn write(
        &self,
        directory: &str,
        label: &str,
        changes: &Changes,
    ) -> Result<Vec<DataFile>, StorageError> {
        let path = self.directory.join(directory);
        self.files.create_directory(&path).map_err(StorageError::io(&path))?;
        let starts = (0..changes.len()).step_by(FILE_ROWS);
        let parts = starts.map(|start| changes.slice(start..changes.len().min(start + FILE_ROWS)));
        let mut written = Vec::new();
        for (number, part) in parts.enumerate() {
            let name = format!("{label}-{number}.parquet");
            let path = path.join(&name);
            let bytes = data_file::encode(&part).map_err(StorageError::parquet(&path))?;
            self.files.put(&path, &bytes).map_err(StorageError::io(&path))?;
            let (first, last) = part.span().expect("no part is empty");
            let checksum = xxh3_64(&bytes);
            let (rows, bytes) = (part.len() as u64, bytes.len() as u64);
            written.push(DataFile { name, rows, bytes, checksum, first, last });
        }
        Ok(written)
    }

    /// The changes in a file of a relation whose rows have this schema, in pieces.
    pub fn read(
        &self,
        directory: &str,
        file: &DataFile,
        schema: &SchemaRef,
    ) -> Result<Vec<Changes>, StorageError> {
        self.read_between(directory, file, schema, 0, Epoch::MAX)
    }

    /// Those of them that are later than `after` and not later than `until`.
    pub fn read_between(
        &self,
        directory: &str,
        file: &DataFile,
        schema: &SchemaRef,
        after: Epoch,
        until: Epoch,
    ) -> Result<Vec<Changes>, StorageError> {
        let path = self.directory.join(directory).join(&file.name);
        let bytes = Bytes::from(self.read_intact(&path, file.checksum)?);
        data_file::decode(&bytes, schema, after, until).map_err(StorageError::parquet(&path))
    }

    /// Writes the state of a view into files of its directory. `label` makes their names unlike those of all others there.
    pub fn write_state(
        &self,
        directory: &str,
        label: &str,
        sections: &[StateSection],
    ) -> Result<Vec<StateFile>, StorageError> {
        let path = self.directory.join(directory);
        self.files.create_directory(&path).map_err(StorageError::io(&path))?;
        let mut written = Vec::new();
        state_file::encode(sections, StorageError::arrow(&path), |bytes| {
            let name = format!("{label}-{}.arrow", written.len());
            let path = path.join(&name);
            self.files.put(&path, &bytes).map_err(StorageError::io(&path))?;
            written.push(StateFile { name, bytes: bytes.len() as u64, checksum: xxh3_64(&bytes) });
            Ok(())
        })?;
        Ok(written)
    }

    /// What is in one file of the state of a view.
    pub fn read_state(&self, directory: &str, file: &StateFile) -> Result<Vec<StateSection>, StorageError> {
        let path = self.directory.join(directory).join(&file.name);
        let bytes = self.read_intact(&path, file.checksum)?;
        state_file::decode(&bytes).map_err(StorageError::arrow(&path))
    }

    fn read_intact(&self, path: &Path, checksum: u64) -> Result<Vec<u8>, StorageError> {
        let bytes = self.files.read(path).map_err(StorageError::io(path))?;
        if xxh3_64(&bytes) == checksum {
            return Ok(bytes);
        }
        let reason = "its checksum is wrong".to_owned();
        Err(StorageError::Corrupt { path: path.to_owned(), offset: 0, reason })
    }

    /// Copies a file of a relation into another history.
    pub fn copy(&self, directory: &str, file: &DataFile, to: &History) -> Result<(), StorageError> {
        let bytes = self.read_intact(&self.directory.join(directory).join(&file.name), file.checksum)?;
        let directory = to.directory.join(directory);
        to.files.create_directory(&directory).map_err(StorageError::io(&directory))?;
        let path = directory.join(&file.name);
        to.files.put(&path, &bytes).map_err(StorageError::io(&path))
    }

    /// Makes a manifest the one that counts, and removes those that are damaged or too old, but none of another version. Returns the epoch of the
    /// oldest that is kept: what the log holds up to there is no longer needed.
    pub fn install(&self, manifest: &Manifest) -> Result<Epoch, StorageError> {
        let path = self.manifests.join(format!("{:020}.json", manifest.epoch));
        self.files.put(&path, &manifest.encode()).map_err(StorageError::io(&path))?;
        let mut kept = Vec::new();
        for name in self.manifest_names()?.into_iter().rev() {
            match self.read_manifest(&name)? {
                (_, Ok(manifest)) if kept.len() < MANIFESTS => kept.push(manifest.epoch),
                (_, Err(Unreadable::Format(_))) => {}
                (path, _) => self.files.remove(&path).map_err(StorageError::io(path))?,
            }
        }
        Ok(kept.get(MANIFESTS - 1).copied().unwrap_or(0))
    }

    /// Removes the files that none of `manifests` lists, nor a manifest that is kept for want of a better one.
    pub fn collect_garbage(&self, manifests: &[Arc<Manifest>]) -> Result<(), StorageError> {
        let mut listed = HashSet::new();
        for manifest in manifests {
            self.list_files(manifest, &mut listed);
        }
        for name in self.manifest_names()? {
            if let (_, Ok(manifest)) = self.read_manifest(&name)? {
                self.list_files(&manifest, &mut listed);
            }
        }
        for name in self.names_of_manifests(|name| name.ends_with(UNFINISHED))? {
            let path = self.manifests.join(name);
            self.files.remove(&path).map_err(StorageError::io(path))?;
        }
        let directories = self.files.list(&self.directory).map_err(StorageError::io(&self.directory))?;
        for directory in directories {
            let directory = self.directory.join(directory);
            for name in self.files.list(&directory).map_err(StorageError::io(&directory))? {
                let path = directory.join(name);
                if !listed.contains(&path) {
                    self.files.remove(&path).map_err(StorageError::io(&path))?;
                }
            }
        }
        Ok(())
    }

    fn list_files(&self, manifest: &Manifest, listed: &mut HashSet<PathBuf>) {
        for relation in &manifest.relations {
            let directory = self.directory.join(&relation.directory);
            listed.extend(relation.files().map(|name| directory.join(name)));
        }
    }

    /// In ascending order of their epochs.
    fn manifest_names(&self) -> Result<Vec<String>, StorageError> {
        self.names_of_manifests(|name| !name.ends_with(UNFINISHED))
    }

    fn names_of_manifests(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, StorageError> {
        let mut names = self.files.list(&self.manifests).map_err(StorageError::io(&self.manifests))?;
        names.retain(|name| wanted(name));
        Ok(names)
    }

    /// Where a manifest is, and the manifest or what is wrong with it.
    fn read_manifest(&self, name: &str) -> Result<(PathBuf, Result<Manifest, Unreadable>), StorageError> {
        let path = self.manifests.join(name);
        let bytes = self.files.read(&path).map_err(StorageError::io(&path))?;
        Ok((path, Manifest::decode(&bytes)))
    }
}

impl StorageError {
    fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> StorageError {
        let path = path.to_owned();
        move |source| StorageError::Parquet { path, source }
    }

    fn arrow(path: &Path) -> impl Fn(ArrowError) -> StorageError {
        let path = path.to_owned();
        move |source| StorageError::Arrow { path: path.clone(), source }
    }
}

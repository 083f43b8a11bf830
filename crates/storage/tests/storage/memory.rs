//! A file system in memory that loses, cuts and flips what it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use springtide_storage::{FileSystem, Files, LogFile};

/// Files in memory. What was not synced is lost by [`Memory::crash`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Contents>,
    /// Writes and syncs that still succeed; `None` is any number.
    operations_left: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    synced: usize,
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Memory {
    pub(crate) fn fail_after(&self, operations: Option<usize>) {
        self.0.lock().operations_left = operations;
    }

    /// Keeps `torn` bytes of what was not synced.
    pub(crate) fn crash(&self, torn: usize) {
        for file in self.0.lock().files.values_mut() {
            let kept = (file.synced + torn).min(file.bytes.len());
            file.bytes.truncate(kept);
        }
    }

    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        edit(&mut state.files.values_mut().next_back().expect("there is a segment").bytes);
    }

    /// Removes a file behind everybody's back.
    pub(crate) fn lose(&self, path: &Path) {
        self.0.lock().files.remove(path).expect("the file is there");
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().files.keys().cloned().collect()
    }

    /// Flips a bit in a file.
    pub(crate) fn flip(&self, path: &Path, offset: usize) {
        self.0.lock().files.get_mut(path).expect("the file is there").bytes[offset] ^= 0x10;
    }

    pub(crate) fn length(&self) -> usize {
        self.0.lock().files.values().map(|file| file.bytes.len()).sum()
    }
}

struct Handle(Memory, PathBuf);

impl Files for Memory {
    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        let below = state.files.keys().filter_map(|path| path.strip_prefix(directory).ok()?.iter().next());
        let names = below.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>();
        Ok(names.into_iter().collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock();
        state.files.get(path).map(|file| file.bytes.clone()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let result = state.operate();
        let (path, length) = match result {
            Ok(()) => (path.to_owned(), bytes.len()),
            // What a full disk leaves behind.
            Err(_) => (path.with_added_extension("unfinished"), bytes.len() / 2),
        };
        state.files.insert(path, Contents { bytes: bytes[..length].to_vec(), synced: length });
        result
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operate()?;
        state.files.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl FileSystem for Memory {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.0.lock().files.entry(path.to_owned()).or_default();
        Ok(Box::new(Handle(self.clone(), path.to_owned())))
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        self.0.lock().operate()
    }
}

impl LogFile for Handle {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.0.lock();
        state.operate()?;
        state.files.get_mut(&self.1).expect("it is open").bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.0.lock();
        state.operate()?;
        let file = state.files.get_mut(&self.1).expect("it is open");
        file.synced = file.bytes.len();
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.0.lock().files.get_mut(&self.1).expect("it is open").bytes.truncate(length as usize);
        Ok(())
    }
}

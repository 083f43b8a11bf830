//! A disk in memory that fails as it is told to, and forgets at a power cut what it was not made to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use springtide_engine::{FileSystem, Files, LogFile};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// One operation fails, having done a part of its work.
    Once,
    /// From then on there is no room, for so many operations.
    Full(u64),
    /// One operation does a part of its work, and nothing works from then on.
    PowerCut,
}

/// A disk. Clones share it.
#[derive(Clone)]
pub(super) struct Disk {
    /// Where it seems to be.
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

struct State {
    random: Rng,
    /// What one reads.
    now: BTreeMap<PathBuf, Vec<u8>>,
    /// What was synced of each file, whether or not its name was.
    synced: BTreeMap<PathBuf, Vec<u8>>,
    /// The names that a power cut leaves.
    named: BTreeSet<PathBuf>,
    /// Operations so far.
    operations: u64,
    /// The operation that fails, and how.
    fault: Option<(u64, Fault)>,
    failed: bool,
}

/// How an operation goes.
enum Outcome {
    Done,
    /// It fails, and has done some of its work or none.
    Fails(io::Error),
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk at {}", self.root.display())
    }
}

impl Disk {
    /// An empty disk that seems to be at `root`.
    pub(super) fn new(root: &Path, seed: u64) -> Disk {
        let state = State {
            random: Rng::with_seed(seed),
            now: BTreeMap::new(),
            synced: BTreeMap::new(),
            named: BTreeSet::new(),
            operations: 0,
            fault: None,
            failed: false,
        };
        Disk { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    /// The disk after a power cut. It seems to be at another place; this one is of no use any more.
    pub(super) fn after_power_cut(&self, root: &Path) -> Disk {
        let mut state = self.lock();
        let kept = state.power_cut();
        let seed = state.random.u64(..);
        (state.failed, state.fault) = (true, Some((0, Fault::PowerCut)));
        drop(state);
        Disk::with_files(root, seed, kept)
    }

    /// Another disk with the same files.
    pub(super) fn copy(&self, root: &Path, seed: u64) -> Disk {
        Disk::with_files(root, seed, self.lock().now.clone())
    }

    fn with_files(root: &Path, seed: u64, files: BTreeMap<PathBuf, Vec<u8>>) -> Disk {
        let disk = Disk::new(root, seed);
        let mut state = disk.lock();
        state.named = files.keys().cloned().collect();
        state.synced = files.clone();
        state.now = files;
        drop(state);
        disk
    }

    /// Lets an operation fail: the one after so many others from now on.
    pub(super) fn arm(&self, after: u64, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some((state.operations + after, fault));
    }

    /// Whether an operation has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// The paths of all files.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.lock().now.keys().cloned().collect()
    }

    /// Flips a bit of a file, which is not empty.
    pub(super) fn flip(&self, path: &Path, random: &mut Rng) -> usize {
        let mut state = self.lock();
        let bytes = state.now.get_mut(path).expect("the file is there");
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
        let bytes = bytes.clone();
        state.synced.insert(path.to_owned(), bytes);
        at
    }

    /// Length of a file.
    pub(super) fn length(&self, path: &Path) -> usize {
        self.lock().now.get(path).map_or(0, Vec::len)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).expect("the database stays in its directory").to_owned()
    }
}

impl State {
    /// Counts an operation, and says how it goes. `needs_room`: a full disk refuses it.
    fn operate(&mut self, needs_room: bool) -> Outcome {
        let number = self.operations;
        self.operations += 1;
        let error = match self.fault {
            Some((at, Fault::Once)) if number == at => io::Error::other("the disk failed"),
            Some((at, Fault::Full(count))) if needs_room && (at..at + count).contains(&number) => {
                io::ErrorKind::StorageFull.into()
            }
            Some((at, Fault::PowerCut)) if number >= at => io::Error::other("the power is cut"),
            _ => return Outcome::Done,
        };
        self.failed = true;
        Outcome::Fails(error)
    }

    /// Whether the operation that was counted last has done nothing at all.
    fn is_without_power(&self) -> bool {
        matches!(self.fault, Some((at, Fault::PowerCut)) if self.operations > at + 1)
    }

    /// What a power cut leaves: of files that were not synced a random part, of names that were not synced some.
    fn power_cut(&mut self) -> BTreeMap<PathBuf, Vec<u8>> {
        let paths = self.now.keys().chain(&self.named).cloned().collect::<BTreeSet<_>>();
        let mut kept = BTreeMap::new();
        for path in paths {
            let synced = self.synced.get(&path).cloned().unwrap_or_default();
            let is_certain = self.named.contains(&path) && self.now.contains_key(&path);
            if !is_certain && self.random.bool() {
                continue;
            }
            let mut bytes = match self.now.get(&path) {
                Some(now) => tear(&mut self.random, &synced, now),
                None => synced,
            };
            if path.starts_with("wal") && self.random.bool() {
                // Room for what was to come.
                bytes.resize(bytes.len() + self.random.usize(..200), 0);
            }
            kept.insert(path, bytes);
        }
        kept
    }

    fn sync_directory(&mut self, directory: &Path) {
        let is_in = |path: &PathBuf| path.parent() == Some(directory);
        self.named.retain(|path| !is_in(path));
        self.named.extend(self.now.keys().filter(|path| is_in(path)).cloned());
        let State { now, synced, .. } = self;
        synced.retain(|path, _| !is_in(path) || now.contains_key(path));
    }
}

/// What becomes of a file of which only `synced` is safe.
fn tear(random: &mut Rng, synced: &[u8], now: &[u8]) -> Vec<u8> {
    if !now.starts_with(synced) {
        return if random.bool() { synced.to_vec() } else { now.to_vec() };
    }
    let length = random.usize(synced.len()..=now.len());
    let mut bytes = now[..length].to_vec();
    if length > synced.len() && random.u8(..3) == 0 {
        // The length was written, but not all of what lies before it.
        let from = random.usize(synced.len()..length);
        let to = random.usize(from..length);
        bytes[from..=to].fill(0);
    }
    bytes
}

impl Files for Disk {
    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        match self.lock().operate(true) {
            Outcome::Done => Ok(()),
            Outcome::Fails(error) => Err(error),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let directory = self.below(directory);
        let mut state = self.lock();
        if let Outcome::Fails(error) = state.operate(false) {
            return Err(error);
        }
        let names = state.now.keys().filter_map(|path| path.strip_prefix(&directory).ok()?.iter().next());
        let names = names.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>();
        Ok(names.into_iter().collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = self.below(path);
        let mut state = self.lock();
        if let Outcome::Fails(error) = state.operate(false) {
            return Err(error);
        }
        state.now.get(&path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = self.below(path);
        let mut state = self.lock();
        let outcome = state.operate(true);
        let Outcome::Fails(error) = outcome else {
            state.now.insert(path.clone(), bytes.to_vec());
            state.synced.insert(path.clone(), bytes.to_vec());
            state.sync_directory(path.parent().unwrap_or(Path::new("")));
            return Ok(());
        };
        if !state.is_without_power() {
            if error.kind() != io::ErrorKind::StorageFull && state.random.bool() {
                // It is in its place, but nobody knows for how long.
                state.now.insert(path.clone(), bytes.to_vec());
                if !state.named.contains(&path) {
                    state.synced.insert(path, bytes.to_vec());
                }
            } else {
                let unfinished = path.with_added_extension("unfinished");
                state.now.insert(unfinished, bytes[..bytes.len() / 2].to_vec());
            }
        }
        Err(error)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = self.below(path);
        let mut state = self.lock();
        if let Outcome::Fails(error) = state.operate(false) {
            return Err(error);
        }
        state.now.remove(&path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl FileSystem for Disk {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let path = self.below(path);
        let mut state = self.lock();
        let outcome = state.operate(true);
        if !state.is_without_power() {
            state.now.entry(path.clone()).or_default();
        }
        match outcome {
            Outcome::Done => Ok(Box::new(Handle { disk: self.clone(), path })),
            Outcome::Fails(error) => Err(error),
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = self.below(path);
        let mut state = self.lock();
        match state.operate(false) {
            Outcome::Done => {
                state.sync_directory(&path);
                Ok(())
            }
            Outcome::Fails(error) => Err(error),
        }
    }
}

struct Handle {
    disk: Disk,
    path: PathBuf,
}

impl LogFile for Handle {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        let outcome = state.operate(true);
        let length = match outcome {
            Outcome::Done => bytes.len(),
            Outcome::Fails(_) if state.is_without_power() => 0,
            Outcome::Fails(_) => state.random.usize(..=bytes.len()),
        };
        state.now.entry(self.path.clone()).or_default().extend_from_slice(&bytes[..length]);
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Fails(error) => Err(error),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        if let Outcome::Fails(error) = state.operate(false) {
            return Err(error);
        }
        let bytes = state.now.get(&self.path).cloned().unwrap_or_default();
        state.synced.insert(self.path.clone(), bytes);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if let Outcome::Fails(error) = state.operate(false) {
            return Err(error);
        }
        if let Some(bytes) = state.now.get_mut(&self.path) {
            bytes.truncate(length as usize);
        }
        Ok(())
    }
}

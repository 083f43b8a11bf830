use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use springtide_types::Epoch;

use crate::error::StorageError;
use crate::file_system::{FileSystem, LogFile};
use crate::frame::{self, Frame};
use crate::record::Record;
use crate::segment::{self, Header};

/// A segment that has grown to so many bytes is followed by another.
const SEGMENT: u64 = 64 << 20;

/// The write-ahead log: segments of frames in one directory, named by the first epoch that they hold.
pub struct Wal {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    /// The segment that is written to; `None` until the next record.
    segment: Option<Segment>,
    /// The segments before it, oldest first, with the last epoch of each.
    closed: VecDeque<(PathBuf, Epoch)>,
    /// The newest epoch in the log, or that from which on it was opened.
    last: Epoch,
    /// Whether a write has failed: what the last segment ends with is then not known.
    poisoned: bool,
}

struct Segment {
    path: PathBuf,
    file: Box<dyn LogFile>,
    length: u64,
}

/// What [`Wal::open`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Number of records that were replayed.
    pub records: u64,
    /// The newest epoch; that from which on the log was opened if there is none after it.
    pub epoch: Epoch,
    /// Bytes of a record at the end that was never acknowledged because it was not written to its end.
    pub torn_bytes: u64,
}

impl Wal {
    /// Opens the log in a directory, which is created if need be, and gives `replay` every record later than
    /// `after` in order; what it says against a record makes that record count as damaged. A torn
    /// end is cut off; damage anywhere else, or a record missing between `after` and the end, is an error, and
    /// leaves everything as it is.
    pub fn open(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        after: Epoch,
        mut replay: impl FnMut(Record) -> Result<(), String>,
    ) -> Result<(Wal, Replayed), StorageError> {
        files.create_directory(directory).map_err(StorageError::io(directory))?;
        let names = files.list(directory).map_err(StorageError::io(directory))?;
        let paths = names.iter().filter(|name| name.ends_with(".wal")).map(|name| directory.join(name));
        let paths = paths.collect::<Vec<_>>();
        let directory = directory.to_owned();
        let mut wal =
            Wal { files, directory, segment: None, closed: VecDeque::new(), last: 0, poisoned: false };
        let mut replayed = Replayed { records: 0, epoch: after, torn_bytes: 0 };
        for (position, path) in paths.iter().enumerate() {
            let is_last = position + 1 == paths.len();
            let before = wal.last;
            let (whole, intact) = wal.replay_segment(path, is_last, &mut replayed, &mut replay)?;
            if is_last {
                replayed.torn_bytes = whole - intact;
                // The name of a segment is the epoch of its first record: without one it goes.
                let kept = if wal.last == before { 0 } else { intact };
                wal.reopen(path, whole, kept)?;
            } else {
                wal.closed.push_back((path.clone(), wal.last));
            }
        }
        wal.last = wal.last.max(after);
        Ok((wal, replayed))
    }

    /// Makes a record durable. After a failure nothing more is accepted: whether the record survives is then not known,
    /// or it is missing, and those after it may build on it.
    pub fn append(&mut self, record: &Record) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let payload = record.encode().map_err(StorageError::Record);
        let result = payload.and_then(|payload| self.write(record.epoch, &payload));
        self.poisoned = result.is_err();
        result
    }

    /// Whether a write has failed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Closes the segment at hand: the next record begins another.
    pub fn rotate(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.closed.push_back((segment.path, self.last));
        }
    }

    /// Removes the closed segments that hold nothing later than `epoch`.
    pub fn forget(&mut self, epoch: Epoch) -> Result<(), StorageError> {
        while let Some((path, _)) = self.closed.front().filter(|(_, last)| *last <= epoch) {
            self.files.remove(path).map_err(StorageError::io(path))?;
            self.closed.pop_front();
        }
        Ok(())
    }

    fn write(&mut self, epoch: Epoch, payload: &[u8]) -> Result<(), StorageError> {
        if self.segment.as_ref().is_some_and(|segment| segment.length >= SEGMENT) {
            self.rotate();
        }
        if self.segment.is_none() {
            self.segment = Some(self.create(epoch)?);
        }
        let segment = self.segment.as_mut().expect("there is a segment");
        let mut bytes = Vec::with_capacity(payload.len() + 16);
        frame::write(payload, segment.length, &mut bytes);
        segment
            .file
            .write_all(&bytes)
            .and_then(|()| segment.file.sync())
            .map_err(StorageError::io(&segment.path))?;
        segment.length += bytes.len() as u64;
        self.last = epoch;
        Ok(())
    }

    fn create(&self, first: Epoch) -> Result<Segment, StorageError> {
        let path = self.directory.join(format!("{first:020}.wal"));
        let header = segment::header(self.last);
        let create = || {
            let mut file = self.files.append_to(&path)?;
            file.write_all(&header)?;
            file.sync()?;
            self.files.sync_directory(&self.directory)?;
            Ok(file)
        };
        let file = create().map_err(StorageError::io(&path))?;
        Ok(Segment { path, file, length: header.len() as u64 })
    }

    /// Opens the last segment for writing, without the torn record at its end; removes it if nothing is intact.
    fn reopen(&mut self, path: &Path, whole: u64, intact: u64) -> Result<(), StorageError> {
        if intact == 0 {
            return self.files.remove(path).map_err(StorageError::io(path));
        }
        let open = || {
            let mut file = self.files.append_to(path)?;
            if whole != intact {
                file.truncate(intact)?;
                file.sync()?;
            }
            Ok(file)
        };
        let file = open().map_err(StorageError::io(path))?;
        self.segment = Some(Segment { path: path.to_owned(), file, length: intact });
        Ok(())
    }

    /// Returns the length of the segment, and how much of it is intact.
    fn replay_segment(
        &mut self,
        path: &Path,
        is_last: bool,
        replayed: &mut Replayed,
        replay: &mut impl FnMut(Record) -> Result<(), String>,
    ) -> Result<(u64, u64), StorageError> {
        let corrupt = |offset: usize, reason: String| StorageError::Corrupt {
            path: path.to_owned(),
            offset: offset as u64,
            reason,
        };
        let bytes = self.files.read(path).map_err(StorageError::io(path))?;
        let whole = bytes.len() as u64;
        let mut offset = match segment::read_header(&bytes) {
            Header::Whole { previous, length } => {
                if previous.is_some_and(|previous| previous > self.last.max(replayed.epoch)) {
                    let reason = "the segment before it is missing";
                    return Err(corrupt(0, reason.to_owned()));
                }
                length
            }
            Header::Torn if is_last => return Ok((whole, 0)),
            Header::Torn | Header::Other => {
                return Err(corrupt(0, "it is not a segment of a log in a known format".to_owned()));
            }
        };
        loop {
            match frame::read(&bytes, offset) {
                Frame::End => return Ok((whole, whole)),
                Frame::Intact(payload, next) => {
                    let record = Record::decode(payload).map_err(|reason| corrupt(offset, reason))?;
                    if record.epoch <= self.last {
                        return Err(corrupt(offset, "epochs do not ascend".to_owned()));
                    }
                    self.last = record.epoch;
                    if record.epoch > replayed.epoch {
                        (replayed.epoch, replayed.records) = (record.epoch, replayed.records + 1);
                        replay(record).map_err(|reason| corrupt(offset, reason))?;
                    }
                    offset = next;
                }
                // Each record is durable before the next is written, so nothing intact can follow a torn one.
                Frame::Broken(_) if is_last && !frame::any_after(&bytes, offset) => {
                    return Ok((whole, offset as u64));
                }
                Frame::Broken(reason) => return Err(corrupt(offset, reason.to_owned())),
            }
        }
    }
}

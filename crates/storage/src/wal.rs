use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use springtide_types::Epoch;

use crate::error::StorageError;
use crate::file_system::{FileSystem, LogFile};
use crate::frame::{self, Frame, Intact, Layout};
use crate::record::Record;
use crate::segment::{self, Header};

/// A segment that has grown to so many bytes is followed by another.
const SEGMENT: u64 = 64 << 20;

/// The write-ahead log: segments of frames in one directory, named by the first epoch that they hold. All but the last are
/// durable.
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
    /// What is known to be durable of it.
    durable: u64,
}

impl Segment {
    fn sync(&mut self) -> Result<(), StorageError> {
        if self.durable < self.length {
            self.file.sync().map_err(StorageError::io(&self.path))?;
            self.durable = self.length;
        }
        Ok(())
    }
}

/// How much of a segment there is.
struct Extent {
    /// Its length.
    whole: u64,
    /// Of that, what is intact.
    intact: u64,
    /// What a crash has left after that, but for the zeros at the end.
    torn: u64,
    layout: Layout,
}

/// What [`Wal::open`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Number of records that were replayed.
    pub records: u64,
    /// The newest epoch; that from which on the log was opened if there is none after it.
    pub epoch: Epoch,
    /// Bytes at the end that a crash has left of records that were never known to be durable.
    pub torn_bytes: u64,
}

impl Wal {
    /// Opens the log in a directory, which is created if need be, and gives `replay` every record later than
    /// `after` in order; what it says against a record makes that record count as damaged. An end that was not durable is
    /// cut off where it is broken; damage anywhere else, or a record missing between `after` and the end, is an error,
    /// and leaves everything as it is.
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
            let mut extent = wal.replay_segment(path, is_last, &mut replayed, &mut replay)?;
            if is_last {
                replayed.torn_bytes = extent.torn;
                // The name of a segment is the epoch of its first record: without one it goes.
                if wal.last == before {
                    extent.intact = 0;
                }
                wal.reopen(path, extent)?;
            } else {
                wal.closed.push_back((path.clone(), wal.last));
            }
        }
        wal.last = wal.last.max(after);
        Ok((wal, replayed))
    }

    /// Makes a record durable, and with it all those before.
    pub fn append(&mut self, record: &Record) -> Result<(), StorageError> {
        self.write(record)?;
        self.sync()
    }

    /// Writes a record that is durable only after the next [`Wal::sync`]. A crash before that leaves a beginning of the
    /// records written since the last one. After a failure nothing more is accepted: whether the record survives is then
    /// not known, or it is missing, and those after it may build on it.
    pub fn write(&mut self, record: &Record) -> Result<(), StorageError> {
        self.poisoning(|wal| {
            let payload = record.encode().map_err(StorageError::Record)?;
            wal.write_frame(record.epoch, &payload)
        })
    }

    /// Makes all that was written durable. After a failure nothing more is accepted.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.poisoning(|wal| wal.segment.as_mut().map_or(Ok(()), Segment::sync))
    }

    fn poisoning(
        &mut self,
        operate: impl FnOnce(&mut Wal) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let result = operate(self);
        self.poisoned = result.is_err();
        result
    }

    /// Whether everything that was written is durable.
    pub fn is_durable(&self) -> bool {
        self.segment.as_ref().is_none_or(|segment| segment.durable == segment.length)
    }

    /// Whether a write has failed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Closes the segment at hand, once it is durable: the next record begins another. If it can't be made durable,
    /// there is no next record.
    pub fn rotate(&mut self) -> Result<(), StorageError> {
        let result = if self.is_durable() { Ok(()) } else { self.sync() };
        if let Some(segment) = self.segment.take() {
            self.closed.push_back((segment.path, self.last));
        }
        result
    }

    /// Removes the closed segments that hold nothing later than `epoch`.
    pub fn forget(&mut self, epoch: Epoch) -> Result<(), StorageError> {
        while let Some((path, _)) = self.closed.front().filter(|(_, last)| *last <= epoch) {
            self.files.remove(path).map_err(StorageError::io(path))?;
            self.closed.pop_front();
        }
        Ok(())
    }

    fn write_frame(&mut self, epoch: Epoch, payload: &[u8]) -> Result<(), StorageError> {
        if self.segment.as_ref().is_some_and(|segment| segment.length >= SEGMENT) {
            self.rotate()?;
        }
        if self.segment.is_none() {
            self.segment = Some(self.create(epoch)?);
        }
        let segment = self.segment.as_mut().expect("there is a segment");
        let mut bytes = Vec::with_capacity(payload.len() + frame::HEADER);
        frame::write(payload, segment.length, segment.durable, &mut bytes);
        segment.file.write_all(&bytes).map_err(StorageError::io(&segment.path))?;
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
        let length = header.len() as u64;
        Ok(Segment { path, file, length, durable: length })
    }

    /// Opens the last segment for writing, without what is broken at its end; removes it if nothing is intact. One of
    /// another format is closed instead.
    fn reopen(&mut self, path: &Path, extent: Extent) -> Result<(), StorageError> {
        let Extent { whole, intact, layout, .. } = extent;
        if intact == 0 {
            return self.files.remove(path).map_err(StorageError::io(path));
        }
        let open = || {
            let mut file = self.files.append_to(path)?;
            if whole != intact {
                file.truncate(intact)?;
            }
            // What was read may be in the cache of the system only: nobody knows whether it was synced before the crash.
            file.sync()?;
            Ok(file)
        };
        let file = open().map_err(StorageError::io(path))?;
        match layout {
            Layout::WithDurable => {
                self.segment = Some(Segment { path: path.to_owned(), file, length: intact, durable: intact });
            }
            Layout::WithoutDurable => self.closed.push_back((path.to_owned(), self.last)),
        }
        Ok(())
    }

    fn replay_segment(
        &mut self,
        path: &Path,
        is_last: bool,
        replayed: &mut Replayed,
        replay: &mut impl FnMut(Record) -> Result<(), String>,
    ) -> Result<Extent, StorageError> {
        let corrupt = |offset: usize, reason: String| StorageError::Corrupt {
            path: path.to_owned(),
            offset: offset as u64,
            reason,
        };
        let bytes = self.files.read(path).map_err(StorageError::io(path))?;
        let whole = bytes.len() as u64;
        let (mut offset, layout) = match segment::read_header(&bytes) {
            Header::Whole { previous, length, layout } => {
                if previous.is_some_and(|previous| previous > self.last.max(replayed.epoch)) {
                    let reason = "the segment before it is missing";
                    return Err(corrupt(0, reason.to_owned()));
                }
                (length, layout)
            }
            Header::Torn if is_last => {
                let torn = without_room(&bytes);
                return Ok(Extent { whole, intact: 0, torn, layout: Layout::WithDurable });
            }
            Header::Torn | Header::Other => {
                return Err(corrupt(0, "it is not a segment of a log in a known format".to_owned()));
            }
        };
        loop {
            match frame::read(&bytes, offset, layout) {
                Frame::End => return Ok(Extent { whole, intact: offset as u64, torn: 0, layout }),
                Frame::Intact(Intact { payload, next, .. }) => {
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
                // A crash breaks only what was not durable. Intact frames may follow that: the parts of a file that were not
                // synced reach the disk in any order.
                Frame::Broken(_) if is_last && !frame::was_durable(&bytes, offset, layout) => {
                    let torn = without_room(&bytes[offset..]);
                    return Ok(Extent { whole, intact: offset as u64, torn, layout });
                }
                Frame::Broken(reason) => return Err(corrupt(offset, reason.to_owned())),
            }
        }
    }
}

/// Bytes up to the last one that is not zero.
fn without_room(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

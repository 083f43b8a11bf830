use std::path::{Path, PathBuf};
use std::sync::Arc;

use springtide_types::Epoch;

use crate::error::StorageError;
use crate::file_system::{FileSystem, LogFile};
use crate::frame::{self, Frame};
use crate::record::Record;

/// The first bytes of each segment; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"tidewal1";
/// A segment that has grown to so many bytes is followed by another.
const SEGMENT: u64 = 64 << 20;

/// The write-ahead log: segments of frames in one directory, named by the first epoch that they hold.
pub struct Wal {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    /// The segment that is written to; `None` until the first record.
    segment: Option<Segment>,
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
    /// Number of records.
    pub records: u64,
    /// The newest epoch; 0 if there is none.
    pub epoch: Epoch,
    /// Bytes of a record at the end that was never acknowledged because it was not written to its end.
    pub torn_bytes: u64,
}

impl Wal {
    /// Opens the log in a directory, which is created if need be, and gives `replay` every record in order; what it
    /// says against a record makes that record count as damaged. A torn
    /// end is cut off; damage anywhere else is an error, and leaves everything as it is.
    pub fn open(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        mut replay: impl FnMut(Record) -> Result<(), String>,
    ) -> Result<(Wal, Replayed), StorageError> {
        files.create_directory(directory).map_err(StorageError::io(directory))?;
        let names = files.list(directory).map_err(StorageError::io(directory))?;
        let segments = names.iter().filter(|name| name.ends_with(".wal")).collect::<Vec<_>>();
        let mut wal = Wal { files, directory: directory.to_owned(), segment: None, poisoned: false };
        let mut replayed = Replayed::default();
        for (position, name) in segments.iter().enumerate() {
            let path = directory.join(name);
            let is_last = position + 1 == segments.len();
            let (whole, intact) = wal.replay_segment(&path, is_last, &mut replayed, &mut replay)?;
            if is_last {
                replayed.torn_bytes = whole - intact;
                wal.segment = Some(wal.reopen(path, whole, intact)?);
            }
        }
        Ok((wal, replayed))
    }

    /// Makes a record durable. After a failed write nothing more is accepted: whether the record survives is then
    /// not known.
    pub fn append(&mut self, record: &Record) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned);
        }
        let payload = record.encode().map_err(StorageError::Record)?;
        let result = self.write(record.epoch, &payload);
        self.poisoned = result.is_err();
        result
    }

    /// Whether a write has failed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    fn write(&mut self, epoch: Epoch, payload: &[u8]) -> Result<(), StorageError> {
        if self.segment.as_ref().is_none_or(|segment| segment.length >= SEGMENT) {
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
        Ok(())
    }

    fn create(&self, first: Epoch) -> Result<Segment, StorageError> {
        let path = self.directory.join(format!("{first:020}.wal"));
        let create = || {
            let mut file = self.files.append_to(&path)?;
            file.write_all(MAGIC)?;
            file.sync()?;
            self.files.sync_directory(&self.directory)?;
            Ok(file)
        };
        let file = create().map_err(StorageError::io(&path))?;
        Ok(Segment { path, file, length: MAGIC.len() as u64 })
    }

    /// Opens the last segment for writing, without the torn record at its end.
    fn reopen(&self, path: PathBuf, whole: u64, intact: u64) -> Result<Segment, StorageError> {
        let open = || {
            let mut file = self.files.append_to(&path)?;
            let mut length = intact;
            if whole != intact {
                file.truncate(intact)?;
                file.sync()?;
            }
            if intact < MAGIC.len() as u64 {
                file.truncate(0)?;
                file.write_all(MAGIC)?;
                file.sync()?;
                length = MAGIC.len() as u64;
            }
            Ok((file, length))
        };
        let (file, length) = open().map_err(StorageError::io(&path))?;
        Ok(Segment { path, file, length })
    }

    /// Returns the length of the segment, and how much of it is intact.
    fn replay_segment(
        &self,
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
        if !bytes.starts_with(MAGIC) {
            return match is_last && MAGIC.starts_with(&bytes) {
                true => Ok((whole, 0)),
                false => Err(corrupt(0, "it is not a segment of a log in format 1".to_owned())),
            };
        }
        let mut offset = MAGIC.len();
        loop {
            match frame::read(&bytes, offset) {
                Frame::End => return Ok((whole, whole)),
                Frame::Intact(payload, next) => {
                    let record = Record::decode(payload).map_err(|reason| corrupt(offset, reason))?;
                    if record.epoch <= replayed.epoch {
                        return Err(corrupt(offset, "epochs do not ascend".to_owned()));
                    }
                    (replayed.epoch, replayed.records) = (record.epoch, replayed.records + 1);
                    replay(record).map_err(|reason| corrupt(offset, reason))?;
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

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What the name of a file ends with while it is written by [`Files::put`]. After a crash it is garbage.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Zeros that are written at a time behind the end of a log.
const ROOM: usize = 1 << 20;

/// Whole files in directories: what the history asks of where it is kept.
pub trait Files: Debug + Send + Sync {
    /// Makes a directory and those above it, durably, unless they are there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in ascending order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Puts a whole file in its place, durably: after a crash there is all of it, or what was there before.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Files that can grow: what the log asks besides.
pub trait FileSystem: Files {
    /// Opens a file for appending, and creates it if it is not there.
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// A file that only grows, but for [`LogFile::truncate`]. Where it ends may be followed by zeros when it is read: room for what
/// comes next.
pub trait LogFile: Send {
    /// Appends all of the bytes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file off at a length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFileSystem;

impl Files for LocalFileSystem {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.create_directory(parent)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.sync_directory(parent),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(directory)?.map(|entry| {
            let name: PathBuf = entry?.file_name().into();
            Ok(name.to_string_lossy().into_owned())
        });
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_added_extension(UNFINISHED);
        if let Err(error) = write_whole(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path)) {
            // A full disk needs the room. If it can't be removed either, the first error says more.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        path.parent().map_or(Ok(()), |directory| self.sync_directory(directory))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

impl FileSystem for LocalFileSystem {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let end = file.metadata()?.len();
        Ok(Box::new(RoomyFile { file, end, room: end }))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

/// A file with zeros after its end that are overwritten as it grows. A sync of bytes that are on disk already need not make a new
/// length durable, for which a journaling file system takes several times as long.
struct RoomyFile {
    file: File,
    /// Where the next bytes go.
    end: u64,
    /// Where the zeros end.
    room: u64,
}

impl LogFile for RoomyFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        if self.end > self.room {
            let zeros = vec![0; ROOM];
            // Without room all goes on, only slower, and a disk that is full says so to whoever needs it.
            self.room = match self.file.write_all_at(&zeros, self.end) {
                Ok(()) => self.end + ROOM as u64,
                Err(_) => self.end,
            };
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        (self.end, self.room) = (length, length);
        Ok(())
    }
}

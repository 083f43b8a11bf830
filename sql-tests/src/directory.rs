//! Directories for databases that are made to be thrown away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the directories of this process.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A new, empty directory among the temporary files, which goes when this is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes one.
    pub fn new() -> io::Result<Directory> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("springtide-{}-{number}", std::process::id()));
        // What another process of the same number left behind.
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Directory { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory with what is in this one now, as a `kill -9` would leave it.
    pub fn copy(&self) -> io::Result<Directory> {
        let copied = Directory::new()?;
        copy_below(&self.path, &copied.path)?;
        Ok(copied)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A database that is being closed may still write; what stays is small and lies among temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&to)?;
            copy_below(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

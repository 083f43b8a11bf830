//! What is on disk, against a file system in memory that loses, cuts and flips what it is told to.

mod history;
mod memory;
mod object_files;
mod wal;

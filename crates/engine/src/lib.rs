//! The database as a library: [`Database::open`], sessions, statements, transactions.
//!
//! The API boundary: everything above (the wire, the console, tests) only calls this crate.
//!
//! Guarantees: commits are strictly serializable; all relations of a statement, and all statements of a
//! transaction, are read at one epoch, which covers every commit acknowledged before the transaction
//! began; a transaction's writes become visible together or not at all.

mod activity;
mod binary_format;
mod checkpoint;
mod commit;
mod constraints;
mod control;
mod copy_format;
mod database;
mod foreign_keys;
mod history;
mod key_index;
mod live;
mod location;
mod log;
mod login;
mod moment;
mod notice;
mod objects;
mod overlay;
mod password;
mod past;
mod prepared;
mod reads;
mod recent;
mod recovery;
mod replacing;
mod response;
mod restore;
mod row_index;
mod sequence_rows;
mod sequencer;
mod session;
mod settings;
mod sources;
mod statement;
mod transaction;
mod turns;
mod versions;
mod view_state;
mod write_set;

pub use activity::{Client, Interrupt};
pub use binary_format::from_binary;
pub use copy_format::{Encoding, Format, Header};
pub use database::{Database, Options};
pub use datafusion::common::ScalarValue;
pub use location::Location;
pub use notice::Notice;
pub use password::Verifier;
pub use prepared::Prepared;
pub use response::{Column, ColumnOrigin, Response, RowsTag};
pub use restore::{RestorePoint, restore};
pub use session::{Session, TransactionStatus};
pub use springtide_sql::Statement;
pub use springtide_storage::{FileSystem, Files, LocalFileSystem, LogFile, ObjectFiles};

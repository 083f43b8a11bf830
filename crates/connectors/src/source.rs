use std::time::Duration;

use arrow::array::RecordBatch;
use springtide_types::{Result, SqlType};

use crate::Options;

/// A kind of source.
pub trait Connector: Sync {
    /// Its name in `CREATE SOURCE ... FROM`, in lower case.
    fn name(&self) -> &'static str;

    /// The tables that a source with these options fills. Fails with `22023` if it can't have these options.
    fn tables(&self, options: &Options) -> Result<Vec<Table>>;

    /// Opens a source at a position that a batch of it gave, or at its beginning.
    fn open(&self, options: &Options, position: Option<&str>) -> Result<Box<dyn Source>>;
}

/// A table that a source fills. No column of it holds NULL.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The names and types of its columns.
    pub columns: Vec<(&'static str, SqlType)>,
}

/// An open source. It may wait for what it reads from, but not for its next event: that is for whoever asks.
pub trait Source: Send {
    /// What comes next.
    fn next(&mut self) -> Result<Next>;
}

/// What a source has to give.
#[derive(Debug)]
pub enum Next {
    /// Rows.
    Batch(Batch),
    /// Nothing yet: ask again after a while.
    Wait(Duration),
    /// Nothing any more.
    End,
}

/// Some events of a source.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How many.
    pub events: u64,
    /// The rows that they are, for each of [`Connector::tables`] in order.
    pub rows: Vec<RecordBatch>,
    /// Where the source goes on after them.
    pub position: String,
}

use std::time::Duration;

/// What a transaction does to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Puts a number, which no other transaction has, at the end of the list of a key.
    Append {
        /// Of the list.
        key: i32,
        /// What is appended.
        number: i32,
    },
    /// Reads the list of a key.
    Read {
        /// Of the list.
        key: i32,
        /// What was in it.
        list: Vec<i32>,
    },
}

/// What the client knows of the end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took place.
    Committed,
    /// It did not.
    Aborted,
    /// The connection broke before the answer came.
    Unknown,
}

/// A transaction as its client saw it.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What it did, as far as it came.
    pub operations: Vec<Operation>,
    /// How it ended.
    pub outcome: Outcome,
    /// When its first operation was asked for, since the beginning of the history.
    pub began: Duration,
    /// When the client learned how it ended.
    pub ended: Duration,
}

impl Transaction {
    /// What it appended, in its order.
    pub(super) fn appends(&self) -> impl Iterator<Item = (i32, i32)> {
        self.operations.iter().filter_map(|operation| match operation {
            Operation::Append { key, number } => Some((*key, *number)),
            Operation::Read { .. } => None,
        })
    }
}

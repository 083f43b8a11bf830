use std::fmt;

use serde::{Deserialize, Serialize};

/// Identifies a table or view for as long as the database lives; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationId(pub u64);

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Position of a worker among its peers, from 0.
pub type WorkerIndex = usize;

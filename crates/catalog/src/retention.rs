use std::fmt;

use serde::{Deserialize, Serialize};
use springtide_types::Epoch;

/// How long the past of a table or view is kept, at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retention {
    /// Always.
    #[default]
    Forever,
    /// For so many microseconds; 0 keeps nothing but what is there now.
    For(u64),
}

impl Retention {
    /// The oldest epoch that is kept at an epoch.
    pub fn oldest(self, now: Epoch) -> Epoch {
        match self {
            Retention::Forever => 0,
            Retention::For(microseconds) => now.saturating_sub(microseconds),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retention::Forever => f.write_str("forever"),
            Retention::For(0) => f.write_str("none"),
            Retention::For(microseconds) => write!(f, "{} seconds", *microseconds as f64 / 1e6),
        }
    }
}

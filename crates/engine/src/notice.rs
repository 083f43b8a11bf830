use springtide_types::{SqlError, SqlState};

/// A message that goes to the client beside the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// `NOTICE` or `WARNING`.
    pub severity: &'static str,
    /// Its fields; success carries SQLSTATE 00000.
    pub error: SqlError,
}

impl Notice {
    pub(crate) fn new(message: impl Into<String>) -> Notice {
        Notice { severity: "NOTICE", error: SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message) }
    }

    pub(crate) fn warning(sqlstate: SqlState, message: impl Into<String>) -> Notice {
        Notice { severity: "WARNING", error: SqlError::new(sqlstate, message) }
    }
}

use springtide_types::{SqlError, SqlState};

/// `42501`: the current role may not do that.
pub fn denied(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::from_code("42501"), message)
}

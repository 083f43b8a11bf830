use springtide_types::{SqlError, SqlState};

/// Why a path could not be followed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub error: SqlError,
    /// Whether neither a filter nor `silent` keeps it back.
    pub fatal: bool,
}

pub(super) type Outcome<T> = Result<T, Failure>;

pub(super) const MEMBER_NOT_FOUND: &str = "2203A";
pub(super) const ARRAY_NOT_FOUND: &str = "22039";
pub(super) const OBJECT_NOT_FOUND: &str = "2203C";
pub(super) const NUMBER_NOT_FOUND: &str = "2203B";
pub(super) const INVALID_SUBSCRIPT: &str = "22033";
pub(super) const NON_NUMERIC: &str = "22036";
pub(super) const NOT_SINGLE: &str = "22038";
pub(super) const INVALID_DATETIME: &str = "22031";

/// A failure that filters and `silent` keep back.
pub(super) fn failure(state: &str, message: impl Into<String>) -> Failure {
    Failure { error: SqlError::new(SqlState::from_code(state), message), fatal: false }
}

pub(super) fn fatal(error: SqlError) -> Failure {
    Failure { error, fatal: true }
}

use std::borrow::Cow;
use std::fmt;

/// The result of anything that a client may have caused to fail.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// A five-character SQLSTATE, as listed in appendix A of the PostgreSQL 15 manual.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState(Cow<'static, str>);

macro_rules! sql_states {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs)]
        impl SqlState {
            $(pub const $name: SqlState = SqlState(Cow::Borrowed($code));)*
        }
    };
}

sql_states! {
    SUCCESSFUL_COMPLETION = "00000";
    FEATURE_NOT_SUPPORTED = "0A000";
    PROTOCOL_VIOLATION = "08P01";
    CARDINALITY_VIOLATION = "21000";
    STRING_DATA_RIGHT_TRUNCATION = "22001";
    NUMERIC_VALUE_OUT_OF_RANGE = "22003";
    INVALID_DATETIME_FORMAT = "22007";
    DATETIME_FIELD_OVERFLOW = "22008";
    DIVISION_BY_ZERO = "22012";
    INVALID_PARAMETER_VALUE = "22023";
    INVALID_REGULAR_EXPRESSION = "2201B";
    INVALID_TEXT_REPRESENTATION = "22P02";
    BAD_COPY_FILE_FORMAT = "22P04";
    DATA_EXCEPTION = "22000";
    NOT_NULL_VIOLATION = "23502";
    UNIQUE_VIOLATION = "23505";
    ACTIVE_SQL_TRANSACTION = "25001";
    NO_ACTIVE_SQL_TRANSACTION = "25P01";
    IN_FAILED_SQL_TRANSACTION = "25P02";
    READ_ONLY_SQL_TRANSACTION = "25006";
    INVALID_SQL_STATEMENT_NAME = "26000";
    DEPENDENT_OBJECTS_STILL_EXIST = "2BP01";
    INVALID_CURSOR_NAME = "34000";
    INVALID_CATALOG_NAME = "3D000";
    INVALID_SCHEMA_NAME = "3F000";
    SERIALIZATION_FAILURE = "40001";
    SYNTAX_ERROR_OR_ACCESS_RULE = "42000";
    SYNTAX_ERROR = "42601";
    UNDEFINED_COLUMN = "42703";
    UNDEFINED_FUNCTION = "42883";
    UNDEFINED_TABLE = "42P01";
    UNDEFINED_PARAMETER = "42P02";
    UNDEFINED_OBJECT = "42704";
    DUPLICATE_COLUMN = "42701";
    DUPLICATE_ALIAS = "42712";
    DUPLICATE_TABLE = "42P07";
    DUPLICATE_PREPARED_STATEMENT = "42P05";
    DUPLICATE_OBJECT = "42710";
    AMBIGUOUS_COLUMN = "42702";
    AMBIGUOUS_FUNCTION = "42725";
    GROUPING_ERROR = "42803";
    DATATYPE_MISMATCH = "42804";
    WRONG_OBJECT_TYPE = "42809";
    CANNOT_COERCE = "42846";
    INDETERMINATE_DATATYPE = "42P18";
    INVALID_TABLE_DEFINITION = "42P16";
    INVALID_COLUMN_REFERENCE = "42P10";
    INVALID_COLUMN_DEFINITION = "42611";
    OUT_OF_MEMORY = "53200";
    PROGRAM_LIMIT_EXCEEDED = "54000";
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
    QUERY_CANCELED = "57014";
    ADMIN_SHUTDOWN = "57P01";
    INTERNAL_ERROR = "XX000";
}

impl SqlState {
    /// The five characters.
    pub fn code(&self) -> &str {
        &self.0
    }

    /// A state from its five characters, for codes that arrive as text.
    pub fn from_code(code: &str) -> SqlState {
        SqlState(Cow::Owned(code.to_owned()))
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client is told when a statement fails: the fields of PostgreSQL's `ErrorResponse`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// The SQLSTATE that PostgreSQL 15 gives for the same mistake.
    pub sqlstate: SqlState,
    /// One line, lower case, no full stop, as PostgreSQL words it.
    pub message: String,
    /// More about this occurrence, such as the offending row.
    pub detail: Option<String>,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl SqlError {
    /// An error with neither detail nor hint.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> SqlError {
        SqlError { sqlstate, message: message.into(), detail: None, hint: None }
    }

    /// A construct that Springtide does not (yet) support: SQLSTATE 0A000.
    pub fn unsupported(what: impl fmt::Display) -> SqlError {
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// A broken invariant of ours, never the user's fault: SQLSTATE XX000.
    pub fn internal(message: impl Into<String>) -> SqlError {
        SqlError::new(SqlState::INTERNAL_ERROR, message)
    }

    /// The same error with a DETAIL line.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> SqlError {
        self.detail = Some(detail.into());
        self
    }

    /// The same error with a HINT line.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.hint = Some(hint.into());
        self
    }
}

/// A change to the multiset of errors of a view: an error appears with the row that causes it
/// (weight +1) and goes away with that row (weight −1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDelta {
    /// The error, its DETAIL naming the row.
    pub error: SqlError,
    /// How many rows cause it, more (+) or fewer (−).
    pub weight: i64,
}

use std::collections::BTreeMap;
use std::fmt;

/// The result of anything that a client may have caused to fail.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// A five-character SQLSTATE, as listed in appendix A of the PostgreSQL 15 manual.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState([u8; 5]);

macro_rules! sql_states {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs)]
        impl SqlState {
            $(pub const $name: SqlState = SqlState(*$code);)*
        }
    };
}

sql_states! {
    SUCCESSFUL_COMPLETION = b"00000";
    FEATURE_NOT_SUPPORTED = b"0A000";
    PROTOCOL_VIOLATION = b"08P01";
    CARDINALITY_VIOLATION = b"21000";
    STRING_DATA_RIGHT_TRUNCATION = b"22001";
    NUMERIC_VALUE_OUT_OF_RANGE = b"22003";
    INVALID_DATETIME_FORMAT = b"22007";
    INTERVAL_FIELD_OVERFLOW = b"22015";
    DATETIME_FIELD_OVERFLOW = b"22008";
    NULL_VALUE_NOT_ALLOWED = b"22004";
    DIVISION_BY_ZERO = b"22012";
    INVALID_PARAMETER_VALUE = b"22023";
    SUBSTRING_ERROR = b"22011";
    ARRAY_SUBSCRIPT_ERROR = b"2202E";
    INVALID_REGULAR_EXPRESSION = b"2201B";
    INVALID_TEXT_REPRESENTATION = b"22P02";
    INVALID_BINARY_REPRESENTATION = b"22P03";
    BAD_COPY_FILE_FORMAT = b"22P04";
    DATA_EXCEPTION = b"22000";
    CHARACTER_NOT_IN_REPERTOIRE = b"22021";
    UNTRANSLATABLE_CHARACTER = b"22P05";
    SEQUENCE_GENERATOR_LIMIT_EXCEEDED = b"2200H";
    NOT_NULL_VIOLATION = b"23502";
    FOREIGN_KEY_VIOLATION = b"23503";
    CHECK_VIOLATION = b"23514";
    INVALID_FOREIGN_KEY = b"42830";
    GENERATED_ALWAYS = b"428C9";
    UNIQUE_VIOLATION = b"23505";
    ACTIVE_SQL_TRANSACTION = b"25001";
    NO_ACTIVE_SQL_TRANSACTION = b"25P01";
    IN_FAILED_SQL_TRANSACTION = b"25P02";
    READ_ONLY_SQL_TRANSACTION = b"25006";
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = b"25P03";
    INVALID_SQL_STATEMENT_NAME = b"26000";
    DEPENDENT_OBJECTS_STILL_EXIST = b"2BP01";
    INVALID_CURSOR_NAME = b"34000";
    INVALID_CATALOG_NAME = b"3D000";
    INVALID_SCHEMA_NAME = b"3F000";
    INVALID_SAVEPOINT = b"3B001";
    SERIALIZATION_FAILURE = b"40001";
    SYNTAX_ERROR_OR_ACCESS_RULE = b"42000";
    SYNTAX_ERROR = b"42601";
    UNDEFINED_COLUMN = b"42703";
    UNDEFINED_FUNCTION = b"42883";
    DUPLICATE_FUNCTION = b"42723";
    INVALID_FUNCTION_DEFINITION = b"42P13";
    UNDEFINED_TABLE = b"42P01";
    UNDEFINED_PARAMETER = b"42P02";
    UNDEFINED_OBJECT = b"42704";
    DUPLICATE_COLUMN = b"42701";
    DUPLICATE_ALIAS = b"42712";
    DUPLICATE_TABLE = b"42P07";
    DUPLICATE_PREPARED_STATEMENT = b"42P05";
    DUPLICATE_CURSOR = b"42P03";
    DUPLICATE_OBJECT = b"42710";
    INVALID_NAME = b"42602";
    AMBIGUOUS_COLUMN = b"42702";
    AMBIGUOUS_FUNCTION = b"42725";
    GROUPING_ERROR = b"42803";
    WINDOWING_ERROR = b"42P20";
    DATATYPE_MISMATCH = b"42804";
    WRONG_OBJECT_TYPE = b"42809";
    CANNOT_COERCE = b"42846";
    INDETERMINATE_DATATYPE = b"42P18";
    INVALID_TABLE_DEFINITION = b"42P16";
    INVALID_COLUMN_REFERENCE = b"42P10";
    INVALID_OBJECT_DEFINITION = b"42P17";
    INVALID_COLUMN_DEFINITION = b"42611";
    DISK_FULL = b"53100";
    OUT_OF_MEMORY = b"53200";
    PROGRAM_LIMIT_EXCEEDED = b"54000";
    STATEMENT_TOO_COMPLEX = b"54001";
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000";
    OBJECT_IN_USE = b"55006";
    CANT_CHANGE_RUNTIME_PARAM = b"55P02";
    IO_ERROR = b"58030";
    DATA_CORRUPTED = b"XX001";
    QUERY_CANCELED = b"57014";
    ADMIN_SHUTDOWN = b"57P01";
    INTERNAL_ERROR = b"XX000";
}

impl SqlState {
    /// The five characters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a SQLSTATE is ASCII")
    }

    /// A state from its five characters, for codes that arrive as text; `XX000` for anything else.
    pub fn from_code(code: &str) -> SqlState {
        match <[u8; 5]>::try_from(code.as_bytes()) {
            Ok(code) if code.is_ascii() => SqlState(code),
            _ => SqlState::INTERNAL_ERROR,
        }
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
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
    /// What it is about, for programs that would rather not read the message.
    pub about: Option<Box<ErrorSubject>>,
}

/// The table, column or constraint that an error is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorSubject {
    /// The schema of the table.
    pub schema: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// A column of it.
    pub column: Option<String>,
    /// A constraint of it.
    pub constraint: Option<String>,
    /// The function in PostgreSQL's source that reports it, where drivers go by that.
    pub routine: Option<&'static str>,
}

impl SqlError {
    /// An error with neither detail nor hint.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> SqlError {
        SqlError { sqlstate, message: message.into(), detail: None, hint: None, about: None }
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

    /// The same error, about this.
    #[must_use]
    pub fn about(mut self, subject: ErrorSubject) -> SqlError {
        self.about = Some(Box::new(subject));
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

impl ErrorDelta {
    /// The first error, in their order, whose weights add up to more than zero.
    pub fn first(deltas: impl Iterator<Item = ErrorDelta>) -> Option<SqlError> {
        let mut weights = BTreeMap::<SqlError, i64>::new();
        for delta in deltas {
            *weights.entry(delta.error).or_default() += delta.weight;
        }
        weights.into_iter().find(|(_, weight)| *weight > 0).map(|(error, _)| error)
    }
}

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

    /// Tells what a DROP has taken along, if that is anything.
    pub(crate) fn of_cascade(dropped: &[String]) -> Option<Notice> {
        let lines = dropped.iter().map(|what| format!("drop cascades to {what}")).collect::<Vec<_>>();
        match lines.as_slice() {
            [] => None,
            [only] => Some(Notice::new(only.as_str())),
            lines => {
                let mut notice = Notice::new(format!("drop cascades to {} other objects", lines.len()));
                notice.error = notice.error.with_detail(lines.join("\n"));
                Some(notice)
            }
        }
    }

    pub(crate) fn warning(sqlstate: SqlState, message: impl Into<String>) -> Notice {
        Notice { severity: "WARNING", error: SqlError::new(sqlstate, message) }
    }
}

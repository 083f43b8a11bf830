//! Errors and notices as protocol messages.

use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::ParameterStatus;
use springtide_engine::Notice;
use springtide_types::SqlError;

/// `severity` is `ERROR`, after which the session goes on, or `FATAL`, after which it ends.
pub(crate) fn error(severity: &'static str, error: SqlError) -> PgWireBackendMessage {
    PgWireBackendMessage::ErrorResponse(info(severity, error).into())
}

pub(crate) fn notice(notice: Notice) -> PgWireBackendMessage {
    PgWireBackendMessage::NoticeResponse(info(notice.severity, notice.error).into())
}

/// The value of a run-time parameter.
pub(crate) fn parameter(name: &str, value: &str) -> PgWireBackendMessage {
    PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name.to_owned(), value.to_owned()))
}

fn info(severity: &str, error: SqlError) -> ErrorInfo {
    let mut info = ErrorInfo::new(severity.to_owned(), error.sqlstate.code().to_owned(), error.message);
    info.severity_nonlocalized = Some(severity.to_owned());
    info.detail = error.detail;
    info.hint = error.hint;
    if let Some(about) = error.about {
        info.schema = about.schema;
        info.table = about.table;
        info.column = about.column;
        info.constraint = about.constraint;
        info.routine = about.routine.map(str::to_owned);
    }
    info
}

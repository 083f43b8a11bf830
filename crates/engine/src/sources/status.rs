use springtide_types::SqlError;

/// How a source does.
#[derive(Clone, Debug, Default)]
pub(super) enum Status {
    /// It brings events, or waits for them.
    #[default]
    Running,
    /// It has brought all of its events.
    Finished,
    /// It will try again after a while.
    Failing(SqlError),
}

impl Status {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Finished => "finished",
            Status::Failing(_) => "failing",
        }
    }

    pub(super) fn error(&self) -> Option<String> {
        match self {
            Status::Failing(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

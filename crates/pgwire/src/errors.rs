//! The SQLSTATEs of connections that are refused.

use springtide_types::SqlState;

/// `28000`
pub(crate) fn invalid_authorization() -> SqlState {
    SqlState::from_code("28000")
}

/// `28P01`
pub(crate) fn invalid_password() -> SqlState {
    SqlState::from_code("28P01")
}

/// `53300`
pub(crate) fn too_many_connections() -> SqlState {
    SqlState::from_code("53300")
}

//! Who a session is: SET ROLE, SET SESSION AUTHORIZATION, and the roles that they have set.

use springtide_catalog::system::Identity;
use springtide_catalog::{RoleId, denied};
use springtide_types::{Result, SqlError, SqlState};

use super::Session;
use super::block::State;
use crate::response::Response;
use crate::settings::{ROLE, SESSION_AUTHORIZATION};

/// How long a role that is set stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Session,
    /// Until the transaction ends.
    Local,
}

impl Session {
    /// Who the session is now.
    pub(super) fn identity(&self) -> Identity {
        self.settings.identity()
    }

    /// Fails with `42501` unless the current role is a superuser.
    pub(super) fn require_superuser(&self, what: &str) -> Result<()> {
        if self.query_catalog().roles().is_superuser(self.identity().current) {
            return Ok(());
        }
        Err(denied(format!("must be superuser to {what}")))
    }

    /// SET and RESET of ROLE and SESSION AUTHORIZATION; without a name, to what it was at the start.
    pub(super) fn set_role(&mut self, what: &str, scope: Scope, name: Option<&str>) -> Result<Response> {
        let tag = Response::complete("SET");
        if scope == Scope::Local && self.has_no_effect("SET LOCAL") {
            return Ok(tag);
        }
        // What was done as another role can't be done again as this one.
        self.note_unrepeatable();
        match what {
            SESSION_AUTHORIZATION => {
                let role = self.session_role(name)?;
                let name = self.role_name(role);
                self.settings.set_session_role(role, &name, scope == Scope::Local);
            }
            ROLE => {
                let role = self.current_role(name)?;
                let name = role.map(|role| self.role_name(role));
                self.settings.set_role(role, name.as_deref().unwrap_or("none"), scope == Scope::Local);
            }
            other => return Err(SqlError::internal(format!("no role is set by {other}"))),
        }
        Ok(tag)
    }

    /// The role to be the user of the session. Only superusers may be others than who logged in.
    fn session_role(&self, name: Option<&str>) -> Result<RoleId> {
        let catalog = self.query_catalog();
        let Some(name) = name else { return Ok(self.authenticated) };
        let role = catalog.roles().get(name)?;
        if role.id == self.authenticated || catalog.roles().is_superuser(self.authenticated) {
            return Ok(role.id);
        }
        let message = format!("permission denied to set session authorization \"{name}\"");
        Err(denied(message))
    }

    /// The role to become; `None` is the user of the session.
    fn current_role(&self, name: Option<&str>) -> Result<Option<RoleId>> {
        let catalog = self.query_catalog();
        let Some(name) = name.filter(|name| *name != "none") else { return Ok(None) };
        let role = catalog.roles().find(name).ok_or_else(|| {
            let message = format!("role \"{name}\" does not exist");
            SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })?;
        if catalog.roles().is_member(self.identity().session, role.id) {
            return Ok(Some(role.id));
        }
        Err(denied(format!("permission denied to set role \"{name}\"")))
    }

    fn role_name(&self, role: RoleId) -> String {
        self.query_catalog().roles().name(role)
    }

    /// Lets the statements of a transaction that is open run as who the session is now, and look names up as it does.
    pub(super) fn act_as_identity(&mut self) {
        let (identity, path) = (self.identity(), self.settings.path());
        if let State::Open(block) = &mut self.state {
            block.transaction.act_as(identity);
            block.transaction.look_along(path);
        }
    }
}

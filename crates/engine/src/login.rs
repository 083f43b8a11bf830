//! How sessions of clients begin.

use springtide_catalog::{Privilege, Role, RoleId, Securable, denied, system};
use springtide_types::{Result, SqlError, SqlState};

use crate::activity::Client;
use crate::database::Database;
use crate::moment::{Moment, now};
use crate::password::{Verifier, verifier_text};
use crate::session::Session;

impl Database {
    /// A new session of a client as a role. Fails with `28000` if there is no such role, or it may not log in, and with `53300`
    /// if it has as many sessions as it may have.
    pub fn session_of(&self, user: &str, client: Client) -> Result<Session> {
        let objects = self.shared.reads.objects();
        let catalog = &objects.catalog;
        let role = catalog.roles().find(user);
        let role = role.ok_or_else(|| no_login(format!("role \"{user}\" does not exist")))?;
        if !role.login {
            return Err(no_login(format!("role \"{user}\" is not permitted to log in")));
        }
        if !catalog.has_privilege(role.id, Securable::Database, Privilege::Connect) {
            let message = format!("permission denied for database \"{}\"", system::DATABASE);
            return Err(denied(message).with_detail("User does not have CONNECT privilege."));
        }
        let mut session = Session::new(self.shared.clone(), role.id);
        // Superusers have to get in where something is to be put right.
        let limit = if role.superuser { -1 } else { role.connection_limit };
        session.list(client, (role.id, &role.name, limit))?;
        Ok(session)
    }

    /// Whether there is a role of this name.
    pub fn has_role(&self, name: &str) -> bool {
        self.shared.reads.objects().catalog.roles().find(name).is_some()
    }

    /// The name of the superuser that is there from the beginning.
    pub fn superuser(&self) -> String {
        self.shared.reads.objects().catalog.roles().name(RoleId::BOOTSTRAP)
    }

    /// By what to tell whether a client knows the password of a role; `None` if there is no such role, or it has no password that
    /// is still good.
    pub fn verifier(&self, user: &str) -> Option<Verifier> {
        let objects = self.shared.reads.objects();
        let is_good = |role: &&Role| role.valid_until.is_none_or(|until| until > now() as Moment);
        let role = objects.catalog.roles().find(user).filter(is_good)?;
        Verifier::parse(role.verifier.as_deref()?)
    }

    /// Whether a role has a password.
    pub fn has_passwords(&self) -> bool {
        self.shared.reads.objects().catalog.roles().iter().any(|role| role.verifier.is_some())
    }

    /// Gives the first superuser a password, unless it has one. `false` if it had.
    pub async fn set_first_password(&self, password: &str) -> Result<bool> {
        let objects = self.shared.reads.objects();
        let superuser = objects.catalog.roles().by_id(RoleId::BOOTSTRAP);
        if superuser.is_some_and(|role| role.verifier.is_some()) {
            return Ok(false);
        }
        let mut session = self.session();
        // The verifier, so that the text of the statement does not tell the password.
        let (name, verifier) = (self.superuser().replace('"', "\"\""), verifier_text(password)?);
        for statement in session.parse(&format!("ALTER ROLE \"{name}\" PASSWORD '{verifier}'"))? {
            let prepared = session.prepare(&statement, &[]).await?;
            session.execute(&prepared, Vec::new()).await?;
        }
        Ok(true)
    }

    /// Notes that a client has asked for the statement of a session to end.
    pub fn note_cancelled(&self, process_id: i32) {
        self.shared.activity.note_cancelled(process_id);
    }
}

fn no_login(message: String) -> SqlError {
    SqlError::new(SqlState::from_code("28000"), message)
}

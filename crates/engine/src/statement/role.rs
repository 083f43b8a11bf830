//! CREATE, ALTER and DROP ROLE, and GRANT and REVOKE of roles.

use springtide_catalog::system::Identity;
use springtide_catalog::{Catalog, FutureKind, Membership, Role, RoleId, Roles, Securable, denied};
use springtide_sql::sqlparser::ast::Function;
use springtide_types::{Result, SqlError, SqlState};

use super::Context;
use super::call::{texts, two_lists, unknown};
use crate::moment::parse_moment;
use crate::notice::Notice;
use crate::password::verifier_text;
use crate::response::Response;
use crate::transaction::Transaction;

/// Runs a statement about roles, if a call stands for one.
pub(super) fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Option<Response>> {
    let texts = || texts(call);
    let mut changed = Change { identity: transaction.identity(), catalog: transaction.catalog(), context };
    let tag = match call.name.to_string().as_str() {
        "springtide.create_role" => changed.create(call, &texts()?)?,
        "springtide.alter_role" => changed.alter(call, &texts()?)?,
        "springtide.rename_role" => changed.rename(call, &texts()?)?,
        "springtide.drop_role" => changed.drop(call, &texts()?)?,
        "springtide.grant_role" => changed.grant(call, &texts()?, true)?,
        "springtide.revoke_role" => changed.grant(call, &texts()?, false)?,
        _ => return Ok(None),
    };
    transaction.set_catalog(changed.catalog);
    Ok(Some(Response::complete(tag)))
}

/// The role that a text names: a blank before it says that it is a word, such as CURRENT_USER.
pub(super) fn named(roles: &Roles, identity: Identity, text: &str) -> Result<RoleId> {
    match text {
        " session_user" => Ok(identity.session),
        " current_user" | " current_role" => Ok(identity.current),
        name => roles.get(name).map(|role| role.id),
    }
}

/// A change of roles that is being made.
struct Change<'a, 'b> {
    identity: Identity,
    catalog: Catalog,
    context: &'a mut Context<'b>,
}

/// What an option says of a role.
enum Said<'a> {
    Of(fn(&mut Role, bool), bool),
    /// `None` is NULL.
    Password(Option<&'a str>),
    ConnectionLimit(i32),
    /// `None` is for ever.
    ValidUntil(Option<i64>),
    /// The roles that it is to be a member of.
    In(&'a str),
    /// The roles that are to be members of it, and whether they may grant it.
    Has(&'a str, bool),
}

impl Change<'_, '_> {
    fn roles(&self) -> &Roles {
        self.catalog.roles()
    }

    /// Whether the current role may create and change roles.
    fn may_create_roles(&self) -> bool {
        let current = self.identity.current;
        self.roles().is_superuser(current) || self.roles().by_id(current).is_some_and(|role| role.create_role)
    }

    fn create(&mut self, call: &Function, texts: &[&str]) -> Result<&'static str> {
        let [kind, name, options @ ..] = texts else { return Err(unknown(call)) };
        let said = all_said(call, options)?;
        let mut role = Role { login: *kind == "user", ..Role::new(self.roles().next_id(), *name) };
        self.apply(&mut role, &said)?;
        let superuser = self.roles().is_superuser(self.identity.current);
        for (special, what) in special(&role) {
            if special && !superuser {
                return Err(denied(format!("must be superuser to create {what}")));
            }
        }
        if !self.may_create_roles() {
            return Err(denied("permission denied to create role"));
        }
        let id = role.id;
        self.catalog.roles_mut().create(role)?;
        self.join(id, &said)?;
        Ok("CREATE ROLE")
    }

    fn alter(&mut self, call: &Function, texts: &[&str]) -> Result<&'static str> {
        let [name, options @ ..] = texts else { return Err(unknown(call)) };
        let said = all_said(call, options)?;
        let id = named(self.roles(), self.identity, name)?;
        let before = self.roles().by_id(id).cloned().ok_or_else(|| unknown(call))?;
        let mut role = before.clone();
        self.apply(&mut role, &said)?;
        self.check_altered(&before, &role, &said)?;
        self.catalog.roles_mut().replace(role);
        self.join(id, &said)?;
        Ok("ALTER ROLE")
    }

    fn check_altered(&self, before: &Role, after: &Role, said: &[Said<'_>]) -> Result<()> {
        if self.roles().is_superuser(self.identity.current) {
            return self.check_bootstrap(after);
        }
        if before.superuser || after.superuser {
            let message = "must be superuser to alter superuser roles or change superuser attribute";
            return Err(denied(message));
        }
        if before.replication || after.replication {
            let message = "must be superuser to alter replication roles or change replication attribute";
            return Err(denied(message));
        }
        if before.bypass_rls != after.bypass_rls {
            return Err(denied("must be superuser to change bypassrls attribute"));
        }
        // Whoever may do nothing else may change its own password.
        let only_password = said.iter().all(|said| matches!(said, Said::Password(_)));
        if self.may_create_roles() || (only_password && before.id == self.identity.current) {
            return Ok(());
        }
        Err(denied("permission denied"))
    }

    /// Someone has to be able to put things right.
    fn check_bootstrap(&self, after: &Role) -> Result<()> {
        if after.id == RoleId::BOOTSTRAP && !after.superuser {
            return Err(denied("the bootstrap user must have the superuser attribute"));
        }
        Ok(())
    }

    fn rename(&mut self, call: &Function, texts: &[&str]) -> Result<&'static str> {
        let [old, new] = texts else { return Err(unknown(call)) };
        let id = named(self.roles(), self.identity, old)?;
        let role = self.roles().by_id(id).cloned().ok_or_else(|| unknown(call))?;
        for (user, what) in [(self.identity.session, "session user"), (self.identity.current, "current user")]
        {
            if user == id {
                return Err(SqlError::unsupported(format!("renaming the {what}")));
            }
        }
        if role.superuser && !self.roles().is_superuser(self.identity.current) {
            return Err(denied("must be superuser to rename superusers"));
        }
        if !self.may_create_roles() {
            return Err(denied("permission denied to rename role"));
        }
        self.roles().check_name(new)?;
        self.catalog.roles_mut().replace(Role { name: (*new).to_owned(), ..role });
        Ok("ALTER ROLE")
    }

    fn drop(&mut self, call: &Function, texts: &[&str]) -> Result<&'static str> {
        let [if_exists, names @ ..] = texts else { return Err(unknown(call)) };
        if !self.may_create_roles() {
            return Err(denied("permission denied to drop role"));
        }
        for name in names {
            match named(self.roles(), self.identity, name) {
                Ok(id) => self.drop_one(id)?,
                Err(error) if *if_exists == "true" => {
                    self.context.notices.push(Notice::new(format!("{}, skipping", error.message)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok("DROP ROLE")
    }

    fn drop_one(&mut self, id: RoleId) -> Result<()> {
        let name = self.roles().name(id);
        for (user, what) in [(self.identity.current, "current user"), (self.identity.session, "session user")]
        {
            if user == id {
                return Err(SqlError::new(SqlState::OBJECT_IN_USE, format!("{what} cannot be dropped")));
            }
        }
        if self.roles().is_superuser(id) && !self.roles().is_superuser(self.identity.current) {
            return Err(denied("must be superuser to drop superusers"));
        }
        if id == RoleId::BOOTSTRAP {
            let message = format!("cannot drop role {name} because it is required by the database system");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        let dependents = dependents(&self.catalog, id);
        if !dependents.is_empty() {
            let message = format!("role \"{name}\" cannot be dropped because some objects depend on it");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(dependents.join("\n")));
        }
        self.catalog.roles_mut().remove(id);
        Ok(())
    }

    /// GRANT and REVOKE of roles.
    fn grant(&mut self, call: &Function, texts: &[&str], grants: bool) -> Result<&'static str> {
        let [option, lists @ ..] = texts else { return Err(unknown(call)) };
        let (granted, members) = two_lists(call, lists)?;
        let option = *option == "true";
        for role in granted {
            let role = named(self.roles(), self.identity, role)?;
            self.check_grantable(role)?;
            for member in members {
                let member = named(self.roles(), self.identity, member)?;
                if grants {
                    self.add_member(role, member, option)?;
                } else if !self.catalog.roles_mut().remove_member(role, member, option) {
                    let [role, member] = [role, member].map(|id| self.roles().name(id));
                    let message = format!("role \"{member}\" is not a member of role \"{role}\"");
                    self.context.notices.push(Notice::warning(SqlState::SUCCESSFUL_COMPLETION, message));
                }
            }
        }
        Ok(if grants { "GRANT ROLE" } else { "REVOKE ROLE" })
    }

    /// Fails unless the current role may make others members of this one.
    fn check_grantable(&self, role: RoleId) -> Result<()> {
        let (roles, current) = (self.roles(), self.identity.current);
        if roles.is_superuser(role) && !roles.is_superuser(current) {
            return Err(denied("must be superuser to alter superusers"));
        }
        if roles.is_admin_of(current, role) || self.may_create_roles() {
            return Ok(());
        }
        Err(denied(format!("must have admin option on role \"{}\"", roles.name(role))))
    }

    fn add_member(&mut self, role: RoleId, member: RoleId, admin: bool) -> Result<()> {
        let grantor = self.identity.current;
        if !self.catalog.roles_mut().add_member(Membership { role, member, grantor, admin })? {
            let [role, member] = [role, member].map(|id| self.roles().name(id));
            let message = format!("role \"{member}\" is already a member of role \"{role}\"");
            self.context.notices.push(Notice::new(message));
        }
        Ok(())
    }

    /// Makes a role what is said of itself.
    fn apply(&mut self, role: &mut Role, said: &[Said<'_>]) -> Result<()> {
        for said in said {
            match said {
                Said::Of(set, value) => set(role, *value),
                Said::Password(Some("")) => {
                    let message = "empty string is not a valid password, clearing password";
                    self.context.notices.push(Notice::new(message));
                    role.verifier = None;
                }
                Said::Password(password) => role.verifier = password.map(verifier_text).transpose()?,
                Said::ConnectionLimit(limit) => role.connection_limit = *limit,
                Said::ValidUntil(moment) => role.valid_until = *moment,
                Said::In(_) | Said::Has(..) => {}
            }
        }
        Ok(())
    }

    /// Sees to the memberships that were asked for with the role.
    fn join(&mut self, id: RoleId, said: &[Said<'_>]) -> Result<()> {
        for said in said {
            match said {
                Said::In(other) => {
                    let other = named(self.roles(), self.identity, other)?;
                    self.check_grantable(other)?;
                    self.add_member(other, id, false)?;
                }
                Said::Has(other, admin) => {
                    let other = named(self.roles(), self.identity, other)?;
                    self.add_member(id, other, *admin)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a role has that only superusers may give, and what such roles are called.
fn special(role: &Role) -> [(bool, &'static str); 3] {
    [
        (role.superuser, "superusers"),
        (role.replication, "replication users"),
        (role.bypass_rls, "bypassrls users"),
    ]
}

fn all_said<'a>(call: &Function, options: &[&'a str]) -> Result<Vec<Said<'a>>> {
    let options = options.chunks(2).map(|option| match option {
        [name, value] => said(call, name, value),
        _ => Err(unknown(call)),
    });
    options.collect()
}

fn said<'a>(call: &Function, name: &str, value: &'a str) -> Result<Said<'a>> {
    let set: fn(&mut Role, bool) = match name {
        "superuser" => |role, value| role.superuser = value,
        "createdb" => |role, value| role.create_db = value,
        "createrole" => |role, value| role.create_role = value,
        "inherit" => |role, value| role.inherit = value,
        "login" => |role, value| role.login = value,
        "replication" => |role, value| role.replication = value,
        "bypassrls" => |role, value| role.bypass_rls = value,
        "password" => return Ok(Said::Password(value.strip_prefix('\''))),
        "in role" => return Ok(Said::In(value)),
        "role" | "admin" => return Ok(Said::Has(value, name == "admin")),
        "connection limit" => {
            let limit = value.parse().ok().filter(|limit| *limit >= -1);
            return limit.map(Said::ConnectionLimit).ok_or_else(|| {
                let message = format!("invalid connection limit: {value}");
                SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            });
        }
        "valid until" if value.eq_ignore_ascii_case("infinity") => return Ok(Said::ValidUntil(None)),
        "valid until" => return parse_moment(value).map(|moment| Said::ValidUntil(Some(moment))),
        _ => return Err(unknown(call)),
    };
    Ok(Said::Of(set, value == "true"))
}

/// What depends on a role, in words.
fn dependents(catalog: &Catalog, role: RoleId) -> Vec<String> {
    let mut lines = Vec::new();
    for (on, access) in catalog.accesses() {
        let what = described(catalog, on);
        if access.owner == role {
            lines.push(format!("owner of {what}"));
        }
        let mut grants = access.grants.iter().flatten();
        let is_named = grants.any(|grant| grant.grantee == Some(role) || grant.grantor == role);
        if is_named && access.owner != role {
            lines.push(format!("privileges for {what}"));
        }
    }
    for (owner, kind, grants) in catalog.default_accesses() {
        if owner == role || grants.iter().any(|grant| grant.grantee == Some(role)) {
            let what = if kind == FutureKind::Tables { "relations" } else { "sequences" };
            let owner = catalog.roles().name(owner);
            lines.push(format!(
                "privileges for default privileges on new {what} belonging to role {owner} in schema public"
            ));
        }
    }
    lines
}

/// What messages call an object: `table t`.
pub(super) fn described(catalog: &Catalog, on: Securable) -> String {
    let function = |id| catalog.all_functions().find(|function| function.id == id);
    let known = match on {
        Securable::Database => Some(format!("database {}", springtide_catalog::system::DATABASE)),
        Securable::Schema(id) => Some(format!("schema {}", catalog.schema_name(id))),
        Securable::Relation(id) => catalog.by_id(id).map(|relation| catalog.describe(relation)),
        Securable::Type(id) => {
            let mut types = catalog.types().iter();
            types.find(|known| known.id == id).map(|known| known.description())
        }
        Securable::Function(id) => {
            function(id).map(|function| format!("function {}", catalog.signature(function)))
        }
    };
    known.unwrap_or_else(|| "an object that is gone".to_owned())
}

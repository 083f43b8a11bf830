//! Roles: who may log in, what they may do, and who is a member of whom.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use springtide_types::{Result, SqlError, SqlState};

/// The identity of a role, which is its OID. It is never given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoleId(pub u32);

impl RoleId {
    /// The superuser that is there from the beginning and can't be dropped.
    pub const BOOTSTRAP: RoleId = RoleId(10);
}

/// The first OID that PostgreSQL gives to users' objects.
const FIRST: u32 = 16_384;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its identity.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// May do everything.
    pub superuser: bool,
    /// Has the privileges of the roles that it is a member of without SET ROLE.
    pub inherit: bool,
    /// May create, alter and drop roles that are no superusers.
    pub create_role: bool,
    /// Shown, and of no use: there is one database.
    pub create_db: bool,
    /// May begin a session.
    pub login: bool,
    /// Shown, and of no use: there is no replication.
    pub replication: bool,
    /// Shown, and of no use: there is no row security.
    pub bypass_rls: bool,
    /// How many sessions it may have at once; −1 for any number.
    pub connection_limit: i32,
    /// The SCRAM-SHA-256 verifier of its password, in PostgreSQL's text form.
    pub verifier: Option<String>,
    /// When its password ends, in microseconds since 1970; `i64::MAX` for never.
    pub valid_until: Option<i64>,
}

impl Role {
    /// A role as CREATE ROLE makes it unless told otherwise.
    pub fn new(id: RoleId, name: impl Into<String>) -> Role {
        Role {
            id,
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            verifier: None,
            valid_until: None,
        }
    }

    fn bootstrap() -> Role {
        Role {
            superuser: true,
            create_role: true,
            create_db: true,
            login: true,
            replication: true,
            bypass_rls: true,
            ..Role::new(RoleId::BOOTSTRAP, crate::system::ROLE)
        }
    }
}

/// That one role is a member of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The role that is granted.
    pub role: RoleId,
    /// Who it is granted to.
    pub member: RoleId,
    /// Who granted it.
    pub grantor: RoleId,
    /// WITH ADMIN OPTION: the member may grant it to others.
    pub admin: bool,
}

/// All roles and who is a member of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    roles: BTreeMap<RoleId, Role>,
    memberships: Vec<Membership>,
    next: u32,
}

impl Default for Roles {
    fn default() -> Roles {
        let roles = BTreeMap::from([(RoleId::BOOTSTRAP, Role::bootstrap())]);
        Roles { roles, memberships: Vec::new(), next: FIRST }
    }
}

impl Roles {
    /// All roles, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// Who is a member of whom.
    pub fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    /// The role of an identity.
    pub fn by_id(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(&id)
    }

    /// The role of a name.
    pub fn find(&self, name: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The role of a name, or `42704`.
    pub fn get(&self, name: &str) -> Result<&Role> {
        self.find(name).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
        })
    }

    /// What messages call a role.
    pub fn name(&self, id: RoleId) -> String {
        self.by_id(id).map_or_else(|| format!("unknown (OID={})", id.0), |role| role.name.clone())
    }

    /// The identity that the next role will have.
    pub fn next_id(&self) -> RoleId {
        RoleId(self.next)
    }

    /// Adds a role under [`Roles::next_id`]. Fails with `42710` if the name is taken, and `42939` if it is reserved.
    pub fn create(&mut self, role: Role) -> Result<()> {
        assert_eq!(role.id, self.next_id(), "identities are given out in order");
        self.check_name(&role.name)?;
        self.next += 1;
        self.roles.insert(role.id, role);
        Ok(())
    }

    /// Puts another definition in the place of the role of the same identity.
    pub fn replace(&mut self, role: Role) {
        self.roles.insert(role.id, role);
    }

    /// Fails unless a role may be given this name.
    pub fn check_name(&self, name: &str) -> Result<()> {
        let is_word = ["public", "none"].contains(&name);
        if is_word || name.starts_with("pg_") {
            let message = format!("role name \"{name}\" is reserved");
            let error = SqlError::new(SqlState::from_code("42939"), message);
            let detail = "Role names starting with \"pg_\" are reserved.";
            return Err(if is_word { error } else { error.with_detail(detail) });
        }
        if self.find(name).is_some() {
            let message = format!("role \"{name}\" already exists");
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        Ok(())
    }

    /// Removes a role and its memberships.
    pub fn remove(&mut self, id: RoleId) {
        self.roles.remove(&id);
        self.memberships.retain(|known| known.role != id && known.member != id);
        for known in self.memberships.iter_mut().filter(|known| known.grantor == id) {
            known.grantor = RoleId::BOOTSTRAP;
        }
    }

    /// Makes a role a member of another. `false` if it was one in the same way. Fails with `0LP01` where that would make a
    /// circle.
    pub fn add_member(&mut self, new: Membership) -> Result<bool> {
        if self.reaches(new.role, new.member) {
            let (role, member) = (self.name(new.role), self.name(new.member));
            let message = format!("role \"{role}\" is a member of role \"{member}\"");
            return Err(SqlError::new(SqlState::from_code("0LP01"), message));
        }
        let known = self.memberships.iter_mut().find(|it| it.role == new.role && it.member == new.member);
        match known {
            Some(known) if known.admin || !new.admin => Ok(false),
            Some(known) => {
                known.admin = true;
                Ok(true)
            }
            None => {
                self.memberships.push(new);
                Ok(true)
            }
        }
    }

    /// Ends a membership, or takes its ADMIN OPTION alone away. `false` if there was none.
    pub fn remove_member(&mut self, role: RoleId, member: RoleId, admin_only: bool) -> bool {
        let is_it = |known: &Membership| known.role == role && known.member == member;
        let Some(position) = self.memberships.iter().position(is_it) else { return false };
        if admin_only {
            self.memberships[position].admin = false;
        } else {
            self.memberships.remove(position);
        }
        true
    }

    /// Whether a role may do everything.
    pub fn is_superuser(&self, id: RoleId) -> bool {
        self.by_id(id).is_some_and(|role| role.superuser)
    }

    /// Whether a role may become another by SET ROLE: it is a member of it, is it, or is a superuser.
    pub fn is_member(&self, member: RoleId, of: RoleId) -> bool {
        self.is_superuser(member) || self.reaches(member, of)
    }

    /// Whether a role has the privileges of another without SET ROLE.
    pub fn has_privileges_of(&self, member: RoleId, of: RoleId) -> bool {
        self.is_superuser(member) || self.acts_as(member).contains(&of)
    }

    /// Whether a role may make others members of another.
    pub fn is_admin_of(&self, member: RoleId, of: RoleId) -> bool {
        let granted = |known: &Membership| {
            known.admin && known.role == of && (self.acts_as(member).contains(&known.member))
        };
        self.is_superuser(member) || self.memberships.iter().any(granted)
    }

    /// The roles whose privileges a role has: itself, and what it inherits.
    pub fn acts_as(&self, id: RoleId) -> BTreeSet<RoleId> {
        let inherits = |id: RoleId| self.by_id(id).is_some_and(|role| role.inherit);
        self.reached(id, inherits)
    }

    fn reaches(&self, member: RoleId, of: RoleId) -> bool {
        self.reached(member, |_| true).contains(&of)
    }

    /// The roles that a role is a member of, directly or through those that `leads_on` holds for; itself included.
    fn reached(&self, id: RoleId, leads_on: impl Fn(RoleId) -> bool) -> BTreeSet<RoleId> {
        let (mut found, mut pending) = (BTreeSet::from([id]), vec![id]);
        while let Some(member) = pending.pop() {
            if !leads_on(member) {
                continue;
            }
            let granted = self.memberships.iter().filter(|known| known.member == member);
            for role in granted.map(|known| known.role) {
                if found.insert(role) {
                    pending.push(role);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> (Roles, Vec<RoleId>) {
        let mut roles = Roles::default();
        let create = |name: &&str| {
            let id = roles.next_id();
            roles.create(Role::new(id, *name)).unwrap();
            id
        };
        let ids = names.iter().map(create).collect();
        (roles, ids)
    }

    fn grant(roles: &mut Roles, role: RoleId, member: RoleId) -> Result<bool> {
        roles.add_member(Membership { role, member, grantor: RoleId::BOOTSTRAP, admin: false })
    }

    #[test]
    fn privileges_come_through_those_who_inherit() {
        let (mut roles, ids) = roles(&["all", "some", "who"]);
        let [all, some, who] = ids[..] else { panic!("three roles") };
        assert!(grant(&mut roles, all, some).unwrap() && grant(&mut roles, some, who).unwrap());
        assert!(roles.has_privileges_of(who, all));
        roles.replace(Role { inherit: false, ..roles.by_id(some).unwrap().clone() });
        assert!(roles.has_privileges_of(who, some) && !roles.has_privileges_of(who, all));
        assert!(roles.is_member(who, all), "SET ROLE is still possible");
    }

    #[test]
    fn there_are_no_circles() {
        let (mut roles, ids) = roles(&["a", "b"]);
        grant(&mut roles, ids[0], ids[1]).unwrap();
        let error = grant(&mut roles, ids[1], ids[0]).unwrap_err();
        assert_eq!(error.message, "role \"b\" is a member of role \"a\"");
        assert!(grant(&mut roles, ids[0], ids[0]).is_err());
    }
}

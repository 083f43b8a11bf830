//! Who owns what, and who may do what with it: owners and access control lists.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use springtide_types::RelationId;

use crate::{Catalog, FunctionId, RelationKind, RoleId, Roles, SchemaId, TypeId};

/// What has an owner and privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub enum Securable {
    /// The one database.
    Database,
    /// A schema.
    Schema(SchemaId),
    /// A table, view, materialized view, sequence or source.
    Relation(RelationId),
    /// A function.
    Function(FunctionId),
    /// A type.
    Type(TypeId),
}

/// A [`Securable`] as it is kept: when there was one schema, it went without its identity.
#[derive(Serialize, Deserialize)]
enum Kept {
    Database,
    Schema,
    OtherSchema(SchemaId),
    Relation(RelationId),
    Function(FunctionId),
    Type(TypeId),
}

impl From<Kept> for Securable {
    fn from(kept: Kept) -> Securable {
        match kept {
            Kept::Database => Securable::Database,
            Kept::Schema => Securable::Schema(SchemaId::PUBLIC),
            Kept::OtherSchema(id) => Securable::Schema(id),
            Kept::Relation(id) => Securable::Relation(id),
            Kept::Function(id) => Securable::Function(id),
            Kept::Type(id) => Securable::Type(id),
        }
    }
}

impl From<Securable> for Kept {
    fn from(on: Securable) -> Kept {
        match on {
            Securable::Database => Kept::Database,
            Securable::Schema(SchemaId::PUBLIC) => Kept::Schema,
            Securable::Schema(id) => Kept::OtherSchema(id),
            Securable::Relation(id) => Kept::Relation(id),
            Securable::Function(id) => Kept::Function(id),
            Securable::Type(id) => Kept::Type(id),
        }
    }
}

/// Something that may be allowed, in the order in which PostgreSQL lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Privilege {
    Insert,
    Select,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Usage,
    Create,
    Temporary,
    Connect,
}

use Privilege::{
    Connect, Create, Delete, Insert, References, Select, Temporary, Trigger, Truncate, Update, Usage,
};

impl Privilege {
    /// All that there are for tables and views.
    pub const OF_TABLES: &[Privilege] = &[Insert, Select, Update, Delete, Truncate, References, Trigger];
    /// All that there are for sequences.
    pub const OF_SEQUENCES: &[Privilege] = &[Select, Update, Usage];
    /// All that there are for schemas.
    pub const OF_SCHEMAS: &[Privilege] = &[Usage, Create];
    /// All that there are for databases.
    pub const OF_DATABASES: &[Privilege] = &[Create, Temporary, Connect];

    const NAMES: [(Privilege, &str, char); 11] = [
        (Insert, "INSERT", 'a'),
        (Select, "SELECT", 'r'),
        (Update, "UPDATE", 'w'),
        (Delete, "DELETE", 'd'),
        (Truncate, "TRUNCATE", 'D'),
        (References, "REFERENCES", 'x'),
        (Trigger, "TRIGGER", 't'),
        (Usage, "USAGE", 'U'),
        (Create, "CREATE", 'C'),
        (Temporary, "TEMPORARY", 'T'),
        (Connect, "CONNECT", 'c'),
    ];

    /// The privilege that SQL calls so, in any case.
    pub fn parse(word: &str) -> Option<Privilege> {
        let word = if word.eq_ignore_ascii_case("temp") { "temporary" } else { word };
        Privilege::NAMES.iter().find(|known| known.1.eq_ignore_ascii_case(word)).map(|known| known.0)
    }

    /// What SQL calls it.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The letter for it in an `aclitem`.
    fn letter(self) -> char {
        self.entry().2
    }

    fn entry(self) -> &'static (Privilege, &'static str, char) {
        let found = Privilege::NAMES.iter().find(|known| known.0 == self);
        found.expect("each privilege has a name")
    }
}

/// What one role has granted to another, or to all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `None` stands for PUBLIC.
    pub grantee: Option<RoleId>,
    /// Who granted it.
    pub grantor: RoleId,
    /// What, and whether WITH GRANT OPTION.
    pub privileges: BTreeMap<Privilege, bool>,
}

/// Who owns an object and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The owner.
    pub owner: RoleId,
    /// `None` as long as nothing was granted or revoked: what is so by default then holds.
    pub grants: Option<Vec<Grant>>,
}

/// That of an object of the first superuser of which nothing was said.
static UNTOUCHED: Access = Access { owner: RoleId::BOOTSTRAP, grants: None };

/// How a privilege is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// GRANT OPTION FOR
    pub option_only: bool,
    /// CASCADE
    pub cascade: bool,
}

/// Others were granted a privilege by the one that it is to be taken from.
#[derive(Clone, Copy, Debug)]
pub struct DependentPrivileges;

/// A list of grants of an object, to be changed.
pub struct GrantList {
    owner: RoleId,
    grants: Vec<Grant>,
}

impl GrantList {
    pub(crate) fn new(owner: RoleId, grants: Vec<Grant>) -> GrantList {
        GrantList { owner, grants }
    }

    /// The grants, in the order in which they came about.
    pub fn into_grants(self) -> Vec<Grant> {
        self.grants
    }

    /// Grants a privilege.
    pub fn add(&mut self, grantor: RoleId, grantee: Option<RoleId>, privilege: Privilege, option: bool) {
        let is_it = |grant: &&mut Grant| grant.grantor == grantor && grant.grantee == grantee;
        match self.grants.iter_mut().find(is_it) {
            Some(grant) => *grant.privileges.entry(privilege).or_default() |= option,
            None => {
                let privileges = BTreeMap::from([(privilege, option)]);
                self.grants.push(Grant { grantee, grantor, privileges });
            }
        }
    }

    /// Takes back a privilege that `grantor` granted. What the grantee granted on then goes too, or stands in the way.
    pub fn remove(
        &mut self,
        grantor: RoleId,
        grantee: Option<RoleId>,
        privilege: Privilege,
        how: Revocation,
    ) -> Result<(), DependentPrivileges> {
        for grant in self.grants.iter_mut().filter(|it| it.grantor == grantor && it.grantee == grantee) {
            if !how.option_only {
                grant.privileges.remove(&privilege);
            } else if let Some(option) = grant.privileges.get_mut(&privilege) {
                *option = false;
            }
        }
        self.grants.retain(|grant| !grant.privileges.is_empty());
        let Some(former) = grantee.filter(|former| *former != self.owner) else { return Ok(()) };
        if self.may_grant(former, privilege) {
            return Ok(());
        }
        let passed_on = self.grants.iter().filter(|it| it.grantor == former);
        let passed_on = passed_on.filter(|it| it.privileges.contains_key(&privilege));
        let to = passed_on.map(|grant| grant.grantee).collect::<Vec<_>>();
        if !to.is_empty() && !how.cascade {
            return Err(DependentPrivileges);
        }
        to.into_iter().try_for_each(|grantee| {
            self.remove(former, grantee, privilege, Revocation { option_only: false, cascade: true })
        })
    }

    fn may_grant(&self, role: RoleId, privilege: Privilege) -> bool {
        let grants = self.grants.iter().filter(|grant| grant.grantee == Some(role));
        grants.into_iter().any(|grant| grant.privileges.get(&privilege) == Some(&true))
    }
}

impl Catalog {
    /// Who owns an object and who may do what with it.
    pub fn access(&self, on: Securable) -> &Access {
        self.access.get(&on).unwrap_or(&UNTOUCHED)
    }

    /// The owner of an object.
    pub fn owner(&self, on: Securable) -> RoleId {
        self.access(on).owner
    }

    /// Says who owns an object and who may do what with it.
    pub fn set_access(&mut self, on: Securable, access: Access) {
        Arc::make_mut(&mut self.access).insert(on, access);
    }

    /// All objects of which something was said.
    pub fn accesses(&self) -> impl Iterator<Item = (Securable, &Access)> {
        self.access.iter().map(|(on, access)| (*on, access))
    }

    /// Gives an object to another owner, with what the old one had and granted.
    pub fn set_owner(&mut self, on: Securable, new: RoleId) {
        let Access { owner: old, grants } = self.access(on).clone();
        let moved = |role: RoleId| if role == old { new } else { role };
        let grants = grants.map(|grants| {
            let mut list = GrantList { owner: new, grants: Vec::new() };
            for Grant { grantee, grantor, privileges } in grants {
                for (privilege, option) in privileges {
                    list.add(moved(grantor), grantee.map(moved), privilege, option);
                }
            }
            list.grants
        });
        self.set_access(on, Access { owner: new, grants });
    }

    /// Makes a role the owner of what exists here and not in a catalog from before.
    pub fn own_new(&mut self, before: &Catalog, owner: RoleId) {
        let relations = self.by_id.range(before.next_id()..).map(|(id, _)| Securable::Relation(*id));
        let functions = self.all_functions().map(|function| function.id);
        let functions = functions.filter(|id| *id >= before.next_function_id()).map(Securable::Function);
        let schemas =
            self.schemas.range(SchemaId(before.next_schema_id)..).map(|(id, _)| Securable::Schema(*id));
        let types = self.types.iter().map(|user_type| user_type.id);
        let types = types.filter(|id| id.0 >= before.next_id().0).map(Securable::Type);
        for new in relations.chain(functions).chain(schemas).chain(types).collect::<Vec<_>>() {
            let access = self.access_of_new(new, owner);
            if access != UNTOUCHED {
                Arc::make_mut(&mut self.access).entry(new).or_insert(access);
            }
        }
    }

    /// Takes away what was said of objects that are not there any more.
    pub(crate) fn forget_accesses(&mut self) {
        let (by_id, functions, types) = (&self.by_id, &self.functions, &self.types);
        let schemas = &self.schemas;
        Arc::make_mut(&mut self.access).retain(|on, _| match on {
            Securable::Database => true,
            Securable::Schema(id) => schemas.contains_key(id),
            Securable::Relation(id) => by_id.contains_key(id),
            Securable::Function(id) => functions.values().flatten().any(|function| function.id == *id),
            Securable::Type(id) => types.iter().any(|user_type| user_type.id == *id),
        });
    }

    /// All privileges that there are for an object.
    pub fn privileges_of(&self, on: Securable) -> &'static [Privilege] {
        let is_sequence = |id| {
            let relation = self.by_id(id);
            relation.is_some_and(|relation| matches!(relation.kind, RelationKind::Sequence { .. }))
        };
        match on {
            Securable::Database => Privilege::OF_DATABASES,
            Securable::Schema(_) => Privilege::OF_SCHEMAS,
            Securable::Relation(id) if is_sequence(id) => Privilege::OF_SEQUENCES,
            Securable::Relation(_) => Privilege::OF_TABLES,
            Securable::Function(_) | Securable::Type(_) => &[],
        }
    }

    /// The grants of an object, those that hold by default included.
    pub fn grants(&self, on: Securable) -> Vec<Grant> {
        let access = self.access(on);
        access.grants.clone().unwrap_or_else(|| self.default_grants(on, access.owner))
    }

    /// The grants of an object, to be changed.
    pub fn grant_list(&self, on: Securable) -> GrantList {
        GrantList { owner: self.owner(on), grants: self.grants(on) }
    }

    pub(crate) fn default_grants(&self, on: Securable, owner: RoleId) -> Vec<Grant> {
        let to_all: &[Privilege] = match on {
            Securable::Database => &[Temporary, Connect],
            Securable::Schema(SchemaId::PUBLIC) => &[Usage],
            Securable::Schema(_) | Securable::Relation(_) | Securable::Function(_) | Securable::Type(_) => {
                &[]
            }
        };
        let grant = |grantee, privileges: &[Privilege]| Grant {
            grantee,
            grantor: owner,
            privileges: privileges.iter().map(|privilege| (*privilege, false)).collect(),
        };
        let grants = [grant(None, to_all), grant(Some(owner), self.privileges_of(on))];
        grants.into_iter().filter(|grant| !grant.privileges.is_empty()).collect()
    }

    /// Whether a role has a privilege on an object, itself or through those that it is a member of.
    pub fn has_privilege(&self, role: RoleId, on: Securable, privilege: Privilege) -> bool {
        if self.roles.is_superuser(role) {
            return true;
        }
        let acts_as = self.roles.acts_as(role);
        self.is_granted(on, privilege, |to| to.is_none_or(|grantee| acts_as.contains(&grantee)))
    }

    /// Whether all roles have a privilege on an object.
    pub fn is_public(&self, on: Securable, privilege: Privilege) -> bool {
        self.is_granted(on, privilege, |to| to.is_none())
    }

    fn is_granted(&self, on: Securable, privilege: Privilege, to: impl Fn(Option<RoleId>) -> bool) -> bool {
        let access = self.access(on);
        let applies = |grant: &Grant| to(grant.grantee) && grant.privileges.contains_key(&privilege);
        match &access.grants {
            Some(grants) => grants.iter().any(applies),
            None => self.default_grants(on, access.owner).iter().any(applies),
        }
    }

    /// As which role a role may grant a privilege on an object; `None` if it may not.
    pub fn grantor_for(&self, role: RoleId, on: Securable, privilege: Privilege) -> Option<RoleId> {
        let access = self.access(on);
        if self.owns(role, on) {
            return Some(access.owner);
        }
        let acts_as = self.roles.acts_as(role);
        let grants = access.grants.iter().flatten();
        let with_option = grants.filter(|grant| grant.privileges.get(&privilege) == Some(&true));
        // As itself, if it can.
        let mut grantors = with_option.filter_map(|grant| grant.grantee).collect::<Vec<_>>();
        grantors.sort_by_key(|grantor| *grantor != role);
        grantors.into_iter().find(|grantor| acts_as.contains(grantor))
    }

    /// Whether a role may do with an object what its owner may.
    pub fn owns(&self, role: RoleId, on: Securable) -> bool {
        self.roles.has_privileges_of(role, self.owner(on))
    }

    /// All roles.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// All roles, to be changed.
    pub fn roles_mut(&mut self) -> &mut Roles {
        Arc::make_mut(&mut self.roles)
    }
}

impl Grant {
    /// As an `aclitem`: `reader=r/owner`.
    pub fn as_item(&self, roles: &Roles) -> String {
        let name = |id: RoleId| crate::system::quoted(&roles.name(id));
        let mut item = self.grantee.map(name).unwrap_or_default();
        item.push('=');
        for (privilege, option) in &self.privileges {
            item.push(privilege.letter());
            item.extend(option.then_some('*'));
        }
        item + "/" + &name(self.grantor)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: RoleId = RoleId(1);
    const A: RoleId = RoleId(2);
    const B: RoleId = RoleId(3);

    fn list() -> GrantList {
        let mut list = GrantList { owner: OWNER, grants: Vec::new() };
        list.add(OWNER, Some(A), Select, true);
        list.add(A, Some(B), Select, false);
        list
    }

    #[test]
    fn what_was_passed_on_stands_in_the_way_or_goes_too() {
        let how = |cascade| Revocation { option_only: true, cascade };
        assert!(list().remove(OWNER, Some(A), Select, how(false)).is_err());
        let mut list = list();
        assert!(list.remove(OWNER, Some(A), Select, how(true)).is_ok());
        let left = BTreeMap::from([(Select, false)]);
        assert_eq!(list.grants, [Grant { grantee: Some(A), grantor: OWNER, privileges: left }]);
    }

    #[test]
    fn words_are_privileges() {
        assert_eq!(Privilege::parse("temp"), Some(Temporary));
        assert_eq!(Privilege::parse("Select").map(Privilege::name), Some("SELECT"));
        assert_eq!(Privilege::parse("maintain"), None);
    }
}

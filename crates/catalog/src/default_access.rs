//! What is granted on objects that do not exist yet: ALTER DEFAULT PRIVILEGES.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Access, Catalog, Grant, GrantList, Privilege, RelationKind, Revocation, RoleId, SchemaId, Securable,
};

/// The kinds of objects that something can be granted on before they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FutureKind {
    /// Tables, views, materialized views and sources.
    Tables,
    /// Sequences.
    Sequences,
}

impl FutureKind {
    /// All privileges that there are for objects of the kind.
    pub fn privileges(self) -> &'static [Privilege] {
        match self {
            FutureKind::Tables => Privilege::OF_TABLES,
            FutureKind::Sequences => Privilege::OF_SEQUENCES,
        }
    }
}

/// What is granted on objects of a kind as soon as a role creates them, beside what holds by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DefaultAccess(BTreeMap<(RoleId, FutureKind), Vec<Grant>>);

impl DefaultAccess {
    /// As a list.
    pub(crate) fn to_list(&self) -> Vec<(RoleId, FutureKind, Vec<Grant>)> {
        self.0.iter().map(|((owner, kind), grants)| (*owner, *kind, grants.clone())).collect()
    }

    /// From such a list.
    pub(crate) fn of_list(list: Vec<(RoleId, FutureKind, Vec<Grant>)>) -> DefaultAccess {
        DefaultAccess(list.into_iter().map(|(owner, kind, grants)| ((owner, kind), grants)).collect())
    }
}

impl Catalog {
    /// What is granted on what roles create, by the role and the kind of object.
    pub fn default_accesses(&self) -> impl Iterator<Item = (RoleId, FutureKind, &[Grant])> {
        let grants = self.default_access.0.iter();
        grants.map(|((owner, kind), grants)| (*owner, *kind, grants.as_slice()))
    }

    /// Grants a privilege, or takes it back, on what a role will create.
    pub fn set_default_privilege(
        &mut self,
        (owner, kind): (RoleId, FutureKind),
        grantee: Option<RoleId>,
        privilege: Privilege,
        change: Result<bool, Revocation>,
    ) {
        let grants = self.default_access.0.remove(&(owner, kind)).unwrap_or_default();
        let mut list = GrantList::new(owner, grants);
        match change {
            Ok(option) => list.add(owner, grantee, privilege, option),
            // Nothing was passed on yet of what is not there.
            Err(how) => drop(list.remove(owner, grantee, privilege, Revocation { cascade: true, ..how })),
        }
        let grants = list.into_grants();
        if !grants.is_empty() {
            self.default_access.0.insert((owner, kind), grants);
        }
    }

    /// Takes away what was granted on what a role will create, and to it on what others will.
    pub fn forget_default_privileges(&mut self, role: RoleId) {
        self.default_access.0.retain(|(owner, _), grants| {
            grants.retain(|grant| grant.grantee != Some(role));
            *owner != role && !grants.is_empty()
        });
    }

    /// Who owns an object that a role has just created, and who may do what with it.
    pub(crate) fn access_of_new(&self, on: Securable, owner: RoleId) -> Access {
        let Securable::Relation(id) = on else { return Access { owner, grants: None } };
        let is_sequence =
            self.by_id(id).is_some_and(|relation| matches!(relation.kind, RelationKind::Sequence { .. }));
        let kind = if is_sequence { FutureKind::Sequences } else { FutureKind::Tables };
        let in_public = self.by_id(id).is_some_and(|relation| relation.in_schema == SchemaId::PUBLIC);
        let added = self.default_access.0.get(&(owner, kind)).filter(|_| in_public);
        let grants = added.map(|added| [self.default_grants(on, owner), added.clone()].concat());
        Access { owner, grants }
    }
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use springtide_types::SqlType;

use crate::{Catalog, Relation, RelationKind, TypeId, TypeKind, Types, UserType};

/// A type with conditions that its values fulfil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// What values are kept as.
    pub base: SqlType,
    /// The domain that it is made of, if that is one, whose conditions hold too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<TypeId>,
    /// Whether NULL is no value of it.
    pub not_null: bool,
    /// The SQL text of the DEFAULT of its columns that have none.
    pub default: Option<String>,
    /// Its conditions.
    pub checks: Vec<DomainCheck>,
    /// Numbers that were given to these.
    pub numbers: u64,
}

/// `CHECK (expr)` of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainCheck {
    /// Its number in the domain.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// The SQL text of the expression, in which VALUE is the value.
    pub expr: String,
    /// Whether the values that there were fulfil it.
    pub validated: bool,
}

impl UserType {
    /// What it is, if it is a domain.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.kind {
            TypeKind::Domain(domain) => Some(domain),
            TypeKind::Enum { .. } => None,
        }
    }
}

impl Types {
    /// The type of this identity.
    pub fn by_id(&self, id: TypeId) -> Option<&Arc<UserType>> {
        self.iter().find(|known| known.id == id)
    }

    /// A domain and those that it is made of, the innermost first.
    pub fn domains_in(&self, id: TypeId) -> Vec<&Domain> {
        let first = self.by_id(id).and_then(|known| known.domain());
        let over = |domain: &&Domain| domain.over.and_then(|id| self.by_id(id)).and_then(|it| it.domain());
        let mut domains = std::iter::successors(first, over).collect::<Vec<_>>();
        domains.reverse();
        domains
    }

    /// The domains that are made of a type.
    pub fn domains_over(&self, user_type: &UserType) -> Vec<Arc<UserType>> {
        let is_over = |domain: &Domain| match domain.over {
            Some(over) => over == user_type.id,
            None => user_type.domain().is_none() && domain.base == user_type.sql_type(),
        };
        self.iter().filter(|known| known.domain().is_some_and(is_over)).cloned().collect()
    }
}

impl Catalog {
    /// A table in which columns of domains have the DEFAULTs of these where they have none of their own.
    pub fn with_domain_defaults(&self, table: &Arc<Relation>) -> Arc<Relation> {
        let default_of = |column: &crate::Column| {
            let domains = self.types().domains_in(column.domain.filter(|_| column.default.is_none())?);
            domains.iter().rev().find_map(|domain| domain.default.clone())
        };
        if !table.columns.iter().any(|column| default_of(column).is_some()) {
            return table.clone();
        }
        let mut changed = table.as_ref().clone();
        for column in &mut changed.columns {
            if let Some(expr) = default_of(column) {
                column.default = Some(crate::Default::expression(expr));
            }
        }
        Arc::new(changed)
    }

    /// The columns of tables that are of a domain, or of one that is made of it: the table, and the position in it.
    pub fn columns_in_domain(&self, id: TypeId) -> Vec<(Arc<Relation>, usize)> {
        let contains = |of: TypeId| {
            let over = |id: &TypeId| self.types().by_id(*id)?.domain()?.over;
            std::iter::successors(Some(of), over).any(|known| known == id)
        };
        let tables = self.by_id.values().filter(|it| matches!(it.kind, RelationKind::Table { .. }));
        let columns = tables.flat_map(|table| {
            let positions = 0..table.columns.len();
            let of_it = positions.filter(|at| table.columns[*at].domain.is_some_and(contains));
            of_it.map(|position| (table.clone(), position)).collect::<Vec<_>>()
        });
        columns.collect()
    }
}

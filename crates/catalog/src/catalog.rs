use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_types::{RelationId, Result, SqlError, SqlState};

use crate::Relation;

/// All relations at one moment.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    by_name: BTreeMap<String, Arc<Relation>>,
    by_id: BTreeMap<RelationId, Arc<Relation>>,
    next_id: u64,
}

impl Catalog {
    /// The relation of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(name)
    }

    /// The relation of this name, or `42P01`.
    pub fn get(&self, name: &str) -> Result<&Arc<Relation>> {
        self.find(name).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        })
    }

    /// The relation of this identity.
    pub fn by_id(&self, id: RelationId) -> Option<&Arc<Relation>> {
        self.by_id.get(&id)
    }

    /// All relations, by name.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.by_name.values()
    }

    /// The identity that the next relation will have.
    pub fn next_id(&self) -> RelationId {
        RelationId(self.next_id)
    }

    /// Adds a relation under [`Catalog::next_id`]. Fails with `42P07` if the name is taken.
    pub fn create(&mut self, relation: Relation) -> Result<Arc<Relation>> {
        assert_eq!(relation.id, self.next_id(), "identities are given out in order");
        self.check_name_is_free(&relation.name)?;
        let relation = Arc::new(relation);
        self.next_id += 1;
        self.by_name.insert(relation.name.clone(), relation.clone());
        self.by_id.insert(relation.id, relation.clone());
        Ok(relation)
    }

    /// Puts another definition in the place of the relation of the same identity and name.
    pub fn replace(&mut self, relation: Relation) {
        let relation = Arc::new(relation);
        self.by_name.insert(relation.name.clone(), relation.clone());
        self.by_id.insert(relation.id, relation);
    }

    /// Fails with `42P07` if a relation of this name exists.
    pub fn check_name_is_free(&self, name: &str) -> Result<()> {
        match self.find(name) {
            None => Ok(()),
            Some(_) => {
                Err(SqlError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")))
            }
        }
    }

    /// Removes relations. Without `cascade`, fails with `2BP01` if others depend on them. Returns all that
    /// were removed, dependents before what they depend on.
    pub fn drop(&mut self, ids: &[RelationId], cascade: bool) -> Result<Vec<Arc<Relation>>> {
        let dropped = self.with_dependents(ids);
        if let Some(dependent) = dropped.iter().find(|relation| !ids.contains(&relation.id)) {
            if !cascade {
                return Err(self.still_needed(ids, dependent, &dropped));
            }
        }
        for relation in &dropped {
            self.by_name.remove(&relation.name);
            self.by_id.remove(&relation.id);
        }
        Ok(dropped)
    }

    /// The relations and all that depend on them. A dependent has a greater identity than what it depends
    /// on, so descending identities are the order to drop in.
    fn with_dependents(&self, ids: &[RelationId]) -> Vec<Arc<Relation>> {
        let mut found: Vec<Arc<Relation>> = Vec::new();
        for relation in self.by_id.values() {
            let depends = relation.depends_on.iter().any(|id| found.iter().any(|other| other.id == *id));
            if ids.contains(&relation.id) || depends {
                found.push(relation.clone());
            }
        }
        found.reverse();
        found
    }

    fn still_needed(&self, ids: &[RelationId], dependent: &Relation, dropped: &[Arc<Relation>]) -> SqlError {
        let name = |relation: &Relation| format!("{} {}", relation.kind_name(), relation.name);
        let needed = ids
            .iter()
            .filter_map(|id| self.by_id(*id))
            .find(|relation| dependent.depends_on.contains(&relation.id) || ids.len() == 1);
        let needed = needed.map_or_else(String::new, |relation| name(relation));
        let lines =
            dropped.iter().rev().filter(|relation| !ids.contains(&relation.id)).flat_map(|relation| {
                let reasons = dropped.iter().filter(|other| relation.depends_on.contains(&other.id));
                reasons.map(|other| format!("{} depends on {}", name(relation), name(other)))
            });
        let message = format!("cannot drop {needed} because other objects depend on it");
        SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.collect::<Vec<_>>().join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
    }
}

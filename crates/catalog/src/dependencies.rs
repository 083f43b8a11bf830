//! What can't be dropped without something else.

use std::sync::Arc;

use springtide_types::{RelationId, Result, SqlError, SqlState};

use crate::{Catalog, Function, FunctionId, Relation};

impl Catalog {
    /// Removes relations. Without `cascade`, fails with `2BP01` if others depend on them. Returns all that
    /// were removed, the newest first.
    pub fn drop(&mut self, ids: &[RelationId], cascade: bool) -> Result<Vec<Arc<Relation>>> {
        let dropped = self.with_dependents(ids);
        let named = |relation: &Relation| ids.contains(&relation.id);
        if let Some(dependent) = dropped.iter().find(|relation| !named(relation)).filter(|_| !cascade) {
            let mut needed = ids.iter().filter_map(|id| self.by_id(*id));
            let needed =
                needed.find(|relation| dependent.depends_on.contains(&relation.id) || ids.len() == 1);
            let needed = needed.map_or_else(String::new, |relation| relation.description());
            let dependents = dropped.iter().rev().filter(|relation| !named(relation));
            return Err(still_needed(&needed, dependents.flat_map(|it| reasons(it, &dropped)).collect()));
        }
        self.remove(&dropped);
        Ok(dropped)
    }

    /// Removes functions. Without `cascade`, fails with `2BP01` if views or defaults use them. Returns what
    /// was removed with them, in words: `view v`.
    pub fn drop_functions(&mut self, ids: &[FunctionId], cascade: bool) -> Result<Vec<String>> {
        let dropped = self.functions.values().flatten().filter(|function| ids.contains(&function.id));
        let dropped = dropped.cloned().collect::<Vec<_>>();
        let views = self.dependent_views(ids);
        let lines = dropped.iter().flat_map(|function| self.users(function)).collect::<Vec<_>>();
        if !lines.is_empty() && !cascade {
            let needed = dropped.iter().find(|function| !self.users(function).is_empty());
            let needed = needed.map_or_else(String::new, |function| function.signature());
            let lines = lines.into_iter().map(|(user, function)| format!("{user} depends on {function}"));
            let on_views = views.iter().rev().flat_map(|view| reasons(view, &views));
            return Err(still_needed(&format!("function {needed}"), lines.chain(on_views).collect()));
        }
        let mut removed = lines.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
        removed.extend(views.iter().rev().map(|view| view.description()));
        let mut seen = std::collections::HashSet::new();
        removed.retain(|user| seen.insert(user.clone()));
        self.remove(&views);
        self.remove_defaults(ids);
        for same_name in self.functions.values_mut() {
            same_name.retain(|function| !ids.contains(&function.id));
        }
        self.functions.retain(|_, same_name| !same_name.is_empty());
        self.forget_comments();
        Ok(removed)
    }

    /// The views that use one of these functions, and those that depend on them, the newest first.
    pub fn dependent_views(&self, functions: &[FunctionId]) -> Vec<Arc<Relation>> {
        let uses = |relation: &&Arc<Relation>| relation.functions.iter().any(|id| functions.contains(id));
        let users = self.by_id.values().filter(uses).map(|relation| relation.id).collect::<Vec<_>>();
        self.with_dependents(&users)
    }

    /// The relations that depend on a relation, directly or through others, the newest first.
    pub fn dependents(&self, id: RelationId) -> Vec<Arc<Relation>> {
        let mut dependents = self.with_dependents(&[id]);
        dependents.retain(|dependent| dependent.id != id);
        dependents
    }

    /// What uses a function itself, and the function, in words.
    fn users(&self, function: &Function) -> Vec<(String, String)> {
        let relations = self.by_id.values();
        let users = relations.flat_map(|relation| {
            let view = relation.functions.contains(&function.id).then(|| relation.description());
            let defaults = relation.columns.iter().filter(|column| column.default_calls(&[function.id]));
            let defaults = defaults.map(|column| {
                format!("default value for column {} of {}", column.name, relation.description())
            });
            view.into_iter().chain(defaults)
        });
        users.map(|user| (user, format!("function {}", function.signature()))).collect()
    }

    fn remove(&mut self, relations: &[Arc<Relation>]) {
        for relation in relations {
            self.by_name.remove(&relation.name);
            self.by_id.remove(&relation.id);
        }
        self.forget_comments();
    }

    fn remove_defaults(&mut self, functions: &[FunctionId]) {
        let calls =
            |relation: &&Arc<Relation>| relation.columns.iter().any(|column| column.default_calls(functions));
        for relation in self.by_id.values().filter(calls).cloned().collect::<Vec<_>>() {
            let mut relation = relation.as_ref().clone();
            for column in relation.columns.iter_mut().filter(|column| column.default_calls(functions)) {
                column.default = None;
            }
            self.replace(relation);
        }
    }

    /// The relations and all that depend on them, the newest first.
    fn with_dependents(&self, ids: &[RelationId]) -> Vec<Arc<Relation>> {
        let mut found = ids.to_vec();
        loop {
            let before = found.len();
            for relation in self.by_id.values().filter(|relation| !ids.contains(&relation.id)) {
                if !found.contains(&relation.id) && relation.depends_on.iter().any(|id| found.contains(id)) {
                    found.push(relation.id);
                }
            }
            if found.len() == before {
                break;
            }
        }
        self.by_id.values().rev().filter(|relation| found.contains(&relation.id)).cloned().collect()
    }
}

/// Why a relation goes with those that are dropped.
fn reasons(dependent: &Relation, dropped: &[Arc<Relation>]) -> Vec<String> {
    let reasons = dropped.iter().filter(|other| dependent.depends_on.contains(&other.id));
    reasons.map(|other| format!("{} depends on {}", dependent.description(), other.description())).collect()
}

fn still_needed(needed: &str, lines: Vec<String>) -> SqlError {
    let message = format!("cannot drop {needed} because other objects depend on it");
    SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(lines.join("\n"))
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

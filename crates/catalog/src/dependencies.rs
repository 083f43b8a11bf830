//! What can't be dropped without something else.

use std::sync::Arc;

use springtide_types::{RelationId, Result, SqlError, SqlState};

use crate::{Catalog, ForeignKey, Function, FunctionId, Relation, RelationKind, SchemaId};

/// What was removed.
#[derive(Debug)]
pub struct Dropped {
    /// The relations, the newest first.
    pub relations: Vec<Arc<Relation>>,
    /// What was not named and went with them, in words: `view v`, `constraint c on table t`.
    pub cascaded: Vec<String>,
}

/// Of a table that stays, what goes with something else.
struct Part {
    what: String,
    needs: RelationId,
    on: String,
}

impl Catalog {
    /// Removes relations, the sequences that belong to columns of theirs, and the tables that sources among them fill. Without `cascade`, fails with `2BP01` if
    /// others depend on them.
    pub fn drop(&mut self, ids: &[RelationId], cascade: bool) -> Result<Dropped> {
        self.check_identities(ids)?;
        self.check_filled(ids)?;
        let asked = ids;
        let ids = self.with_owned(ids);
        let dropped = self.with_dependents(&ids);
        let named = |relation: &Relation| ids.contains(&relation.id);
        let parts = self.dependent_parts(&dropped);
        let dependents = dropped.iter().rev().filter(|relation| !named(relation)).collect::<Vec<_>>();
        if !cascade && (!dependents.is_empty() || !parts.is_empty()) {
            let needed = |id: &RelationId| {
                dependents.iter().any(|dependent| dependent.depends_on.contains(id))
                    || parts.iter().any(|part| part.needs == *id)
            };
            let needed = asked.iter().find(|id| needed(id)).or(asked.first()).and_then(|id| self.by_id(*id));
            let needed = needed.map_or_else(String::new, |relation| self.describe(relation));
            let lines = dependents.iter().flat_map(|dependent| self.reasons(dependent, &dropped));
            let lines = lines.chain(parts.iter().map(|part| format!("{} depends on {}", part.what, part.on)));
            return Err(still_needed(&needed, lines.collect()));
        }
        let mut cascaded = dependents.iter().map(|relation| self.describe(relation)).collect::<Vec<_>>();
        cascaded.extend(parts.into_iter().map(|part| part.what));
        self.remove(&dropped);
        self.forget_parts(&dropped);
        Ok(Dropped { relations: dropped, cascaded })
    }

    /// Fails with `2BP01` if one of these is the sequence of an identity whose table is not among them.
    fn check_identities(&self, ids: &[RelationId]) -> Result<()> {
        for sequence in ids.iter().filter_map(|id| self.by_id(*id)) {
            let RelationKind::Sequence { owner: Some(owner), .. } = &sequence.kind else { continue };
            let Some(table) = self.by_id(owner.table).filter(|table| !ids.contains(&table.id)) else {
                continue;
            };
            if owner.identity {
                let column = format!("column {} of table {}", table.columns[owner.column].name, table.name);
                let message = format!("cannot drop {} because {column} requires it", self.describe(sequence));
                return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .with_hint(format!("You can drop {column} instead.")));
            }
        }
        Ok(())
    }

    /// Fails with `2BP01` if one of these is a table whose source is not among them.
    fn check_filled(&self, ids: &[RelationId]) -> Result<()> {
        for table in ids.iter().filter_map(|id| self.by_id(*id)) {
            let source = table.filled_by().filter(|source| !ids.contains(source));
            let Some(source) = source.and_then(|source| self.by_id(source)) else { continue };
            let source = self.describe(source);
            let message = format!("cannot drop {} because {source} requires it", self.describe(table));
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_hint(format!("You can drop {source} instead.")));
        }
        Ok(())
    }

    /// Relations, and what goes with them: the sequences of their columns, and the tables that they fill.
    fn with_owned(&self, ids: &[RelationId]) -> Vec<RelationId> {
        let owned = self.by_id.values().filter(|relation| match &relation.kind {
            RelationKind::Sequence { owner: Some(owner), .. } => ids.contains(&owner.table),
            _ => relation.filled_by().is_some_and(|source| ids.contains(&source)),
        });
        let owned = owned.map(|relation| relation.id).filter(|id| !ids.contains(id));
        ids.iter().copied().chain(owned).collect()
    }

    /// What of the tables that stay can't be there without what goes.
    fn dependent_parts(&self, dropped: &[Arc<Relation>]) -> Vec<Part> {
        let goes = |id: RelationId| dropped.iter().find(|relation| relation.id == id);
        let mut parts = Vec::new();
        for table in self.by_id.values().filter(|table| goes(table.id).is_none()) {
            for column in &table.columns {
                let sequences = column.default.iter().flat_map(|default| &default.sequences);
                for sequence in sequences.filter_map(|id| goes(*id)) {
                    let what =
                        format!("default value for column {} of {}", column.name, self.describe(table));
                    parts.push(Part { what, needs: sequence.id, on: self.describe(sequence) });
                }
            }
            for key in &table.rules().foreign_keys {
                if let Some(referenced) = goes(key.table) {
                    let what = format!("constraint {} on {}", key.name, self.describe(table));
                    parts.push(Part { what, needs: referenced.id, on: self.describe(referenced) });
                }
            }
        }
        parts
    }

    /// Takes what [`Catalog::dependent_parts`] gives out of the tables.
    fn forget_parts(&mut self, dropped: &[Arc<Relation>]) {
        let goes = |id: RelationId| dropped.iter().any(|relation| relation.id == id);
        for table in self.by_id.values().cloned().collect::<Vec<_>>() {
            let mut changed = table.as_ref().clone();
            for column in &mut changed.columns {
                column.default = column.default.take().filter(|it| !it.sequences.iter().any(|id| goes(*id)));
            }
            if let RelationKind::Table { rules, .. } = &mut changed.kind {
                rules.foreign_keys.retain(|key| !goes(key.table));
            }
            if changed.columns != table.columns || changed.rules() != table.rules() {
                self.replace(changed);
            }
        }
    }

    /// The foreign keys that reference a table, with their tables.
    pub fn referencing(&self, table: RelationId) -> impl Iterator<Item = (&Arc<Relation>, &ForeignKey)> {
        let of_relation = move |relation: &'_ Arc<Relation>| {
            relation.rules().foreign_keys.iter().any(|key| key.table == table)
        };
        let relations = self.by_id.values().filter(move |relation| of_relation(relation));
        relations.flat_map(move |relation| {
            let keys = relation.rules().foreign_keys.iter().filter(move |key| key.table == table);
            keys.map(move |key| (relation, key))
        })
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
            let needed = needed.map_or_else(String::new, |function| self.signature(function));
            let lines = lines.into_iter().map(|(user, function)| format!("{user} depends on {function}"));
            let on_views = views.iter().rev().flat_map(|view| self.reasons(view, &views));
            return Err(still_needed(&format!("function {needed}"), lines.chain(on_views).collect()));
        }
        let mut removed = lines.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
        removed.extend(views.iter().rev().map(|view| self.describe(view)));
        let mut seen = std::collections::HashSet::new();
        removed.retain(|user| seen.insert(user.clone()));
        self.remove(&views);
        self.remove_defaults(ids);
        let functions = Arc::make_mut(&mut self.functions);
        for same_name in functions.values_mut() {
            same_name.retain(|function| !ids.contains(&function.id));
        }
        functions.retain(|_, same_name| !same_name.is_empty());
        self.forget_comments();
        self.forget_accesses();
        Ok(removed)
    }

    /// Removes schemas with all that is in them. Without `cascade`, fails with `2BP01` if anything is. Returns what went with
    /// them, in words.
    pub fn drop_schemas(&mut self, schemas: &[SchemaId], cascade: bool) -> Result<Vec<String>> {
        let relations = schemas.iter().flat_map(|schema| self.relations_in(*schema)).cloned();
        let relations = relations.collect::<Vec<_>>();
        let ids = relations.iter().map(|relation| relation.id).collect::<Vec<_>>();
        let functions = self.all_functions().filter(|function| schemas.contains(&function.in_schema));
        let functions = functions.cloned().collect::<Vec<_>>();
        let mut within = relations.iter().filter(|relation| !self.goes_along(relation, &ids));
        let mut within =
            within.by_ref().map(|it| (it.id, self.describe(it), it.in_schema)).collect::<Vec<_>>();
        within.sort_by_key(|(id, ..)| *id);
        let within = within.into_iter().map(|(_, what, schema)| (what, schema));
        let called = functions.iter().map(|it| (format!("function {}", self.signature(it)), it.in_schema));
        let within = within.chain(called).collect::<Vec<_>>();
        if !within.is_empty() && !cascade {
            let lines = within
                .iter()
                .map(|(what, schema)| format!("{what} depends on schema {}", self.schema_name(*schema)));
            let dependents = self.with_dependents(&ids);
            let outside = dependents.iter().rev().filter(|dependent| !ids.contains(&dependent.id));
            let lines = lines.chain(outside.flat_map(|dependent| self.reasons(dependent, &dependents)));
            let needed = schemas.iter().find(|schema| within.iter().any(|(_, within)| within == *schema));
            let needed = needed.map_or("", |schema| self.schema_name(*schema));
            return Err(still_needed(&format!("schema {needed}"), lines.collect()));
        }
        let mut gone = within.into_iter().map(|(what, _)| what).collect::<Vec<_>>();
        if !ids.is_empty() {
            gone.extend(self.drop(&ids, true)?.cascaded);
        }
        let functions = functions.iter().map(|function| function.id).collect::<Vec<_>>();
        gone.extend(self.drop_functions(&functions, true)?);
        self.remove_schemas(schemas);
        Ok(gone)
    }

    /// Whether a relation goes with another of these without being named.
    fn goes_along(&self, relation: &Relation, ids: &[RelationId]) -> bool {
        match &relation.kind {
            RelationKind::Sequence { owner: Some(owner), .. } => ids.contains(&owner.table),
            _ => relation.filled_by().is_some_and(|source| ids.contains(&source)),
        }
    }

    /// What calls a function, in words.
    pub fn users_of(&self, function: &Function) -> Vec<String> {
        self.users(function).into_iter().map(|(user, _)| user).collect()
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
            let view = relation.functions.contains(&function.id).then(|| self.describe(relation));
            let defaults = relation.columns.iter().filter(|column| column.default_calls(&[function.id]));
            let defaults = defaults.map(|column| {
                format!("default value for column {} of {}", column.name, self.describe(relation))
            });
            let checks =
                relation.rules().checks.iter().filter(|check| check.functions.contains(&function.id));
            let checks =
                checks.map(|check| format!("constraint {} on {}", check.name, self.describe(relation)));
            view.into_iter().chain(defaults).chain(checks)
        });
        users.map(|user| (user, format!("function {}", self.signature(function)))).collect()
    }

    /// Removes relations, whatever depends on them: others will take their places.
    pub fn take_out(&mut self, ids: &[RelationId]) {
        let relations = ids.iter().filter_map(|id| self.by_id(*id)).cloned().collect::<Vec<_>>();
        self.remove(&relations);
    }

    fn remove(&mut self, relations: &[Arc<Relation>]) {
        for relation in relations {
            self.take(relation);
        }
        self.forget_comments();
        self.forget_accesses();
    }

    /// Why a relation goes with those that are dropped.
    fn reasons(&self, dependent: &Relation, dropped: &[Arc<Relation>]) -> Vec<String> {
        let reasons = dropped.iter().filter(|other| dependent.depends_on.contains(&other.id));
        reasons
            .map(|other| format!("{} depends on {}", self.describe(dependent), self.describe(other)))
            .collect()
    }

    /// Takes functions out of the DEFAULTs and CHECKs that call them.
    fn remove_defaults(&mut self, functions: &[FunctionId]) {
        let checks = |relation: &Relation| {
            let mut called = relation.rules().checks.iter().flat_map(|check| &check.functions);
            called.any(|id| functions.contains(id))
        };
        let calls = |relation: &&Arc<Relation>| {
            checks(relation) || relation.columns.iter().any(|column| column.default_calls(functions))
        };
        for relation in self.by_id.values().filter(calls).cloned().collect::<Vec<_>>() {
            let mut relation = relation.as_ref().clone();
            if let RelationKind::Table { rules, .. } = &mut relation.kind {
                rules.checks.retain(|check| !check.functions.iter().any(|id| functions.contains(id)));
            }
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

fn still_needed(needed: &str, lines: Vec<String>) -> SqlError {
    let message = format!("cannot drop {needed} because other objects depend on it");
    SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(lines.join("\n"))
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

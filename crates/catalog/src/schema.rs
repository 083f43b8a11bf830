//! Schemas, names that may say one, and the path along which names that say none are looked up.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use springtide_types::{Result, SqlError, SqlState};

use crate::{Catalog, Relation, Securable, denied};

/// The identity of a schema. It is never given out again, but for those of temporary objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaId(pub u32);

/// From here on: the schemas of the temporary objects of sessions.
const FIRST_TEMPORARY: u32 = 1 << 31;

/// The schemas of the system.
const OF_SYSTEM: [&str; 3] = ["pg_catalog", "information_schema", "springtide_catalog"];

/// What a session calls the schema of its temporary objects.
const TEMPORARY: &str = "pg_temp";

impl SchemaId {
    /// The schema that is there from the beginning.
    pub const PUBLIC: SchemaId = SchemaId(0);

    /// That of the temporary objects of the session of a number.
    pub fn temporary(session: u32) -> SchemaId {
        SchemaId(FIRST_TEMPORARY + session)
    }

    /// Whether what it holds goes with a session.
    pub fn is_temporary(self) -> bool {
        self.0 >= FIRST_TEMPORARY
    }

    /// Whether it is `public`.
    pub(crate) fn is_public(&self) -> bool {
        *self == SchemaId::PUBLIC
    }
}

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Its identity.
    pub id: SchemaId,
    /// Its name.
    pub name: String,
}

impl Schema {
    pub(crate) fn public() -> Schema {
        Schema { id: SchemaId::PUBLIC, name: "public".to_owned() }
    }
}

/// A name that may say its schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The schema, if it is said.
    pub schema: Option<String>,
    /// The name in it.
    pub name: String,
}

impl Name {
    /// A name that says no schema.
    pub fn bare(name: impl Into<String>) -> Name {
        Name { schema: None, name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NameRef::from(self).fmt(f)
    }
}

/// A [`Name`] that is kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRef<'a> {
    /// The schema, if it is said.
    pub schema: Option<&'a str>,
    /// The name in it.
    pub name: &'a str,
}

impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

impl<'a> From<&'a str> for NameRef<'a> {
    fn from(name: &'a str) -> NameRef<'a> {
        NameRef { schema: None, name }
    }
}

impl<'a> From<&'a String> for NameRef<'a> {
    fn from(name: &'a String) -> NameRef<'a> {
        NameRef { schema: None, name }
    }
}

impl<'a> From<&'a Name> for NameRef<'a> {
    fn from(name: &'a Name) -> NameRef<'a> {
        NameRef { schema: name.schema.as_deref(), name: &name.name }
    }
}

/// Where names are looked up that say no schema, in this order; some of the schemas may not exist. The system's own come
/// first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath {
    schemas: Vec<String>,
    /// That of the session's temporary objects, which comes before all unless the path says its place.
    temporary: Option<SchemaId>,
}

impl Default for SearchPath {
    fn default() -> SearchPath {
        SearchPath { schemas: vec!["public".to_owned()], temporary: None }
    }
}

impl SearchPath {
    /// The path of a session whose `search_path` names these schemas.
    pub fn new(schemas: Vec<String>, temporary: SchemaId) -> SearchPath {
        SearchPath { schemas, temporary: Some(temporary) }
    }

    /// That of what is kept: a name without a schema stands for something in `public`.
    pub fn stored() -> Arc<SearchPath> {
        static STORED: LazyLock<Arc<SearchPath>> = LazyLock::new(Arc::default);
        STORED.clone()
    }

    /// The same path with another schema before all others.
    #[must_use]
    pub fn with_first(&self, schema: &str) -> SearchPath {
        let schemas = std::iter::once(schema.to_owned()).chain(self.schemas.iter().cloned()).collect();
        SearchPath { schemas, ..self.clone() }
    }

    /// The schema of the session's temporary objects, if it may have any.
    pub fn temporary(&self) -> Option<SchemaId> {
        self.temporary
    }
}

impl Catalog {
    /// The path along which names without a schema are looked up.
    pub fn path(&self) -> &Arc<SearchPath> {
        &self.path
    }

    /// The same catalog, with names looked up along another path.
    #[must_use]
    pub fn along(&self, path: Arc<SearchPath>) -> Catalog {
        Catalog { path, ..self.clone() }
    }

    /// The same catalog for names in what is kept.
    #[must_use]
    pub fn for_stored(&self) -> Catalog {
        self.along(SearchPath::stored())
    }

    /// Whether names mean what they mean in what is kept, along this path too.
    pub fn is_as_stored(&self, path: &SearchPath) -> bool {
        self.along_path(path).eq([SchemaId::PUBLIC])
    }

    /// All schemas but those of the system, those of temporary objects last.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.values()
    }

    /// The schema of a name; `pg_temp` is the session's own.
    pub fn schema(&self, name: &str) -> Option<SchemaId> {
        if name == TEMPORARY {
            return self.path.temporary.filter(|id| self.schemas.contains_key(id));
        }
        self.schemas.values().find(|schema| schema.name == name).map(|schema| schema.id)
    }

    /// The schema of a name, or `3F000`.
    pub fn get_schema(&self, name: &str) -> Result<SchemaId> {
        self.schema(name).ok_or_else(|| {
            SqlError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
        })
    }

    /// Whether there is a schema of this identity.
    pub fn has_schema(&self, id: SchemaId) -> bool {
        self.schemas.contains_key(&id)
    }

    /// The name of a schema.
    pub fn schema_name(&self, id: SchemaId) -> &str {
        self.schemas.get(&id).map_or("", |schema| &schema.name)
    }

    /// The schemas of the path that exist, each once, without those of the system.
    pub fn schemas_on_path(&self) -> impl Iterator<Item = SchemaId> {
        self.along_path(&self.path)
    }

    fn along_path(&self, path: &SearchPath) -> impl Iterator<Item = SchemaId> {
        let temporary = path.temporary.filter(|id| self.schemas.contains_key(id));
        let said = path.schemas.iter().any(|name| name == TEMPORARY);
        let mut on_path = temporary.filter(|_| !said).into_iter().collect::<Vec<_>>();
        for name in &path.schemas {
            let id = if name == TEMPORARY { temporary } else { self.schema(name) };
            on_path.extend(id.filter(|id| !on_path.contains(id)));
        }
        on_path.into_iter()
    }

    /// The schemas of the path as SQL shows them, with or without those that need not be said.
    pub fn path_shown(&self, implicit: bool) -> Vec<String> {
        let temporary = self.path.temporary.filter(|id| self.schemas.contains_key(id));
        let mut shown = Vec::<String>::new();
        if implicit {
            let said = |name: &str| self.path.schemas.iter().any(|said| said == name);
            shown.extend(temporary.filter(|_| !said(TEMPORARY)).map(|id| self.schema_name(id).to_owned()));
            shown.extend((!said(OF_SYSTEM[0])).then(|| OF_SYSTEM[0].to_owned()));
        }
        for name in &self.path.schemas {
            let exists = OF_SYSTEM.contains(&name.as_str()) || self.schema(name).is_some();
            let name = if name == TEMPORARY { temporary.map_or("", |id| self.schema_name(id)) } else { name };
            if exists && !shown.iter().any(|known| known == name) {
                shown.push(name.to_owned());
            }
        }
        shown
    }

    /// The schema in which something new of this name comes to be. Fails with `3F000` if there is none, and `42501` if it is
    /// the system's.
    pub fn schema_of_new<'a>(&self, name: impl Into<NameRef<'a>>) -> Result<SchemaId> {
        let name = name.into();
        let Some(schema) = name.schema else {
            if let Some(first) = self.path.schemas.first().filter(|name| OF_SYSTEM.contains(&name.as_str())) {
                return Err(of_system(first, name.name));
            }
            let said = self.path.schemas.first().is_some_and(|first| first == TEMPORARY);
            let mut possible = self.schemas_on_path().filter(|id| said || !id.is_temporary());
            return possible.next().ok_or_else(|| {
                SqlError::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
            });
        };
        if OF_SYSTEM.contains(&schema) {
            return Err(of_system(schema, name.name));
        }
        self.get_schema(schema)
    }

    /// Adds a schema. Fails with `42P06` if the name is taken, and `42939` if it is reserved.
    pub fn create_schema(&mut self, name: &str) -> Result<SchemaId> {
        self.check_schema_name(name)?;
        let id = SchemaId(self.next_schema_id);
        self.next_schema_id += 1;
        Arc::make_mut(&mut self.schemas).insert(id, Schema { id, name: name.to_owned() });
        Ok(id)
    }

    /// The schema of the session's temporary objects, which is there from the first of them on.
    pub fn temporary_schema(&mut self) -> Result<SchemaId> {
        let id = self.path.temporary.ok_or_else(|| SqlError::unsupported("a temporary object here"))?;
        let name = format!("{TEMPORARY}_{}", id.0 - FIRST_TEMPORARY);
        if !self.schemas.contains_key(&id) {
            Arc::make_mut(&mut self.schemas).insert(id, Schema { id, name });
        }
        Ok(id)
    }

    /// Gives a schema another name. Fails as [`Catalog::create_schema`] does.
    pub fn rename_schema(&mut self, id: SchemaId, name: &str) -> Result<()> {
        self.check_schema_name(name)?;
        Arc::make_mut(&mut self.schemas).insert(id, Schema { id, name: name.to_owned() });
        Ok(())
    }

    /// Removes schemas that nothing is left in.
    pub fn remove_schemas(&mut self, ids: &[SchemaId]) {
        Arc::make_mut(&mut self.schemas).retain(|id, _| !ids.contains(id));
        Arc::make_mut(&mut self.by_name).retain(|id, _| !ids.contains(id));
        self.forget_comments();
        self.forget_accesses();
    }

    fn check_schema_name(&self, name: &str) -> Result<()> {
        if name.starts_with("pg_") {
            let message = format!("unacceptable schema name \"{name}\"");
            return Err(SqlError::new(SqlState::from_code("42939"), message)
                .with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        if self.schema(name).is_some() || OF_SYSTEM.contains(&name) {
            let message = format!("schema \"{name}\" already exists");
            return Err(SqlError::new(SqlState::from_code("42P06"), message));
        }
        Ok(())
    }

    /// The relations in a schema, by name.
    pub fn relations_in(&self, schema: SchemaId) -> impl Iterator<Item = &Arc<Relation>> {
        self.by_name.get(&schema).into_iter().flat_map(|relations| relations.values())
    }

    /// Whether a relation is what its name alone stands for.
    pub fn is_visible(&self, relation: &Relation) -> bool {
        let is_of_system = crate::system::is_system_relation(&relation.name);
        !is_of_system && self.find(&relation.name).is_some_and(|found| found.id == relation.id)
    }

    /// What messages and definitions call a relation: with its schema where its name alone would not do.
    pub fn name_of(&self, relation: &Relation) -> Name {
        let schema = (!self.is_visible(relation)).then(|| self.schema_name(relation.in_schema).to_owned());
        Name { schema, name: relation.name.clone() }
    }

    /// The name for something in a schema by which what is kept names it.
    pub fn stored_name(&self, schema: SchemaId, name: &str) -> Name {
        let schema = (schema != SchemaId::PUBLIC).then(|| self.schema_name(schema).to_owned());
        Name { schema, name: name.to_owned() }
    }

    /// What messages call a relation: `view s.v`.
    pub fn describe(&self, relation: &Relation) -> String {
        format!("{} {}", relation.kind_name(), self.name_of(relation))
    }

    /// Whether a securable goes with a session.
    pub(crate) fn is_temporary(&self, on: Securable) -> bool {
        match on {
            Securable::Schema(id) => id.is_temporary(),
            Securable::Relation(id) => self.by_id(id).is_some_and(|it| it.in_schema.is_temporary()),
            Securable::Database | Securable::Function(_) | Securable::Type(_) => false,
        }
    }
}

/// Whether a schema is one of the system.
pub(crate) fn is_of_system(schema: &str) -> bool {
    OF_SYSTEM.contains(&schema)
}

fn of_system(schema: &str, name: &str) -> SqlError {
    denied(format!("permission denied to create \"{schema}.{name}\""))
        .with_detail("System catalog modifications are currently disallowed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_left_out_of_the_path() {
        let mut catalog = Catalog::default();
        let s = catalog.create_schema("s").unwrap();
        let path = ["nobody", "s", "public", "s"].map(str::to_owned).to_vec();
        let catalog = catalog.along(Arc::new(SearchPath::new(path, SchemaId::temporary(3))));
        assert!(catalog.schemas_on_path().eq([s, SchemaId::PUBLIC]));
        assert_eq!(catalog.path_shown(true), ["pg_catalog", "s", "public"]);
        assert_eq!(catalog.schema_of_new("t").unwrap(), s);
        assert_eq!(catalog.schema("pg_temp"), None, "nothing is in it yet");
    }

    #[test]
    fn what_is_temporary_comes_first() {
        let path = Arc::new(SearchPath::new(vec!["public".to_owned()], SchemaId::temporary(3)));
        let mut catalog = Catalog::default().along(path);
        let temporary = catalog.temporary_schema().unwrap();
        assert!(catalog.schemas_on_path().eq([temporary, SchemaId::PUBLIC]));
        assert_eq!(catalog.schema_of_new("t").unwrap(), SchemaId::PUBLIC);
        assert_eq!(catalog.path_shown(true), ["pg_temp_3", "pg_catalog", "public"]);
        assert_eq!(catalog.path_shown(false), ["public"]);
    }
}

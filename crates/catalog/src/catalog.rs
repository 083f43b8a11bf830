use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use crate::default_access::DefaultAccess;
use crate::{
    Access, Commented, Function, FunctionId, Name, NameRef, OnCommit, Relation, Roles, Schema, SchemaId,
    SearchPath, Securable, Types,
};

/// All schemas, relations, functions, types and roles at one moment, and the path along which names are looked up. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) path: Arc<SearchPath>,
    pub(crate) schemas: Arc<BTreeMap<SchemaId, Schema>>,
    pub(crate) next_schema_id: u32,
    pub(crate) by_name: Arc<BTreeMap<SchemaId, BTreeMap<String, Arc<Relation>>>>,
    pub(crate) by_id: Arc<BTreeMap<RelationId, Arc<Relation>>>,
    pub(crate) next_id: u64,
    pub(crate) functions: Arc<BTreeMap<String, Vec<Arc<Function>>>>,
    pub(crate) next_function_id: u64,
    pub(crate) types: Arc<Types>,
    pub(crate) comments: Arc<BTreeMap<Commented, String>>,
    pub(crate) roles: Arc<Roles>,
    /// Of what belongs to someone else than the first superuser, or of which something was granted or revoked.
    pub(crate) access: Arc<BTreeMap<Securable, Access>>,
    pub(crate) default_access: DefaultAccess,
    /// Of temporary tables of which something else than usual was said.
    pub(crate) on_commit: Arc<BTreeMap<RelationId, OnCommit>>,
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog {
            path: SearchPath::stored(),
            schemas: Arc::new(BTreeMap::from([(SchemaId::PUBLIC, Schema::public())])),
            next_schema_id: SchemaId::PUBLIC.0 + 1,
            by_name: Arc::default(),
            by_id: Arc::default(),
            next_id: 0,
            functions: Arc::default(),
            next_function_id: 0,
            types: Arc::default(),
            comments: Arc::default(),
            roles: Arc::default(),
            access: Arc::default(),
            default_access: DefaultAccess::default(),
            on_commit: Arc::default(),
        }
    }
}

impl Catalog {
    /// The relation of this name.
    pub fn find<'a>(&self, name: impl Into<NameRef<'a>>) -> Option<&Arc<Relation>> {
        let name = name.into();
        self.schemas_of(name).into_iter().find_map(|schema| self.find_in(schema, name.name))
    }

    /// The relation of this name in a schema.
    pub fn find_in(&self, schema: SchemaId, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(&schema)?.get(name)
    }

    /// The relation of this name, or `42P01`; `3F000` if its schema does not exist.
    pub fn get<'a>(&self, name: impl Into<NameRef<'a>>) -> Result<&Arc<Relation>> {
        let name = name.into();
        self.check_schema(name)?;
        self.find(name).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        })
    }

    /// Fails with `3F000` if a name says a schema that does not exist.
    pub fn check_schema<'a>(&self, name: impl Into<NameRef<'a>>) -> Result<()> {
        match name.into().schema {
            Some(schema) if !crate::schema::is_of_system(schema) => self.get_schema(schema).map(drop),
            _ => Ok(()),
        }
    }

    /// The schemas in which a name may be, the first one first.
    fn schemas_of(&self, name: NameRef<'_>) -> Vec<SchemaId> {
        match name.schema {
            Some(schema) => self.schema(schema).into_iter().collect(),
            None => self.schemas_on_path().collect(),
        }
    }

    /// The relation of this identity.
    pub fn by_id(&self, id: RelationId) -> Option<&Arc<Relation>> {
        self.by_id.get(&id)
    }

    /// All relations, by schema and name.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.by_name.values().flat_map(|relations| relations.values())
    }

    /// The identity that the next relation will have.
    pub fn next_id(&self) -> RelationId {
        RelationId(self.next_id)
    }

    /// Gives out no identity before this one any more.
    pub fn skip_to(&mut self, id: RelationId) {
        self.next_id = self.next_id.max(id.0);
    }

    /// Adds a relation under [`Catalog::next_id`]. Fails with `42P07` if the name is taken.
    pub fn create(&mut self, relation: Relation) -> Result<Arc<Relation>> {
        assert_eq!(relation.id, self.next_id(), "identities are given out in order");
        self.check_name_is_free(relation.in_schema, &relation.name)?;
        // All types are in `public`.
        if relation.in_schema == SchemaId::PUBLIC && self.types.find(&relation.name).is_some() {
            let message = format!("type \"{}\" already exists", relation.name);
            let hint = "A relation has an associated type of the same name, so you must use a name that doesn't \
                        conflict with any existing type.";
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message).with_hint(hint));
        }
        self.next_id += 1;
        Ok(self.insert(relation))
    }

    /// Puts another definition in the place of the relation of the same identity and name.
    pub fn replace(&mut self, relation: Relation) {
        self.insert(relation);
    }

    fn insert(&mut self, relation: Relation) -> Arc<Relation> {
        let relation = Arc::new(relation);
        let by_name = Arc::make_mut(&mut self.by_name).entry(relation.in_schema).or_default();
        by_name.insert(relation.name.clone(), relation.clone());
        Arc::make_mut(&mut self.by_id).insert(relation.id, relation.clone());
        relation
    }

    /// Takes a relation out of its place, which another one may have then.
    pub(crate) fn take(&mut self, relation: &Relation) {
        if let Some(by_name) = Arc::make_mut(&mut self.by_name).get_mut(&relation.in_schema) {
            by_name.remove(&relation.name);
        }
        Arc::make_mut(&mut self.by_id).remove(&relation.id);
    }

    /// Gives a relation another name. Fails with `42P07` if it is taken.
    pub fn rename(&mut self, relation: &Relation, name: &str) -> Result<()> {
        self.check_name_is_free(relation.in_schema, name)?;
        self.take(relation);
        self.replace(Relation { name: name.to_owned(), ..relation.clone() });
        Ok(())
    }

    /// Moves a relation to another schema. Fails with `42P07` if its name is taken there.
    pub fn set_schema(&mut self, relation: &Relation, schema: SchemaId) -> Result<()> {
        if self.has_relation(schema, &relation.name) {
            let (name, schema) = (&relation.name, self.schema_name(schema));
            let message = format!("relation \"{name}\" already exists in schema \"{schema}\"");
            return Err(SqlError::new(SqlState::DUPLICATE_TABLE, message));
        }
        self.take(relation);
        self.replace(Relation { in_schema: schema, ..relation.clone() });
        Ok(())
    }

    /// Fails with `42P07` if a relation of this name exists in a schema.
    pub fn check_name_is_free(&self, schema: SchemaId, name: &str) -> Result<()> {
        if !self.has_relation(schema, name) {
            return Ok(());
        }
        Err(SqlError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")))
    }

    /// Whether there is a relation or an index of this name in a schema.
    pub fn has_relation(&self, schema: SchemaId, name: &str) -> bool {
        self.find_in(schema, name).is_some() || self.index_in(schema, name).is_some()
    }

    /// The table of the index of this name, be it that of the primary key.
    pub fn index<'a>(&self, name: impl Into<NameRef<'a>>) -> Option<&Arc<Relation>> {
        let name = name.into();
        self.schemas_of(name).into_iter().find_map(|schema| self.index_in(schema, name.name))
    }

    fn index_in(&self, schema: SchemaId, name: &str) -> Option<&Arc<Relation>> {
        self.relations_in(schema).find(|relation| {
            let is_key = || relation.primary_key().is_some() && relation.primary_key_name() == name;
            relation.rules().indexes.iter().any(|index| index.name == name) || is_key()
        })
    }

    /// A name that begins as PostgreSQL would have it, and that `is_taken` does not know: `table_column_suffix`.
    pub fn free_name(parts: &[&str], suffix: &str, is_taken: impl Fn(&str) -> bool) -> String {
        const LONGEST: usize = 63;
        let name = |number: Option<usize>| {
            let suffix = format!("_{suffix}{}", number.map(|number| number.to_string()).unwrap_or_default());
            let mut parts = parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
            while parts.iter().map(|part| part.len() + 1).sum::<usize>() - 1 + suffix.len() > LONGEST {
                let longest = parts.iter_mut().max_by_key(|part| part.len());
                if longest.and_then(|part| part.pop()).is_none() {
                    break;
                }
            }
            parts.join("_") + &suffix
        };
        let mut numbers = std::iter::once(None).chain((1..).map(Some)).map(name);
        numbers.find(|name| !is_taken(name)).unwrap_or_default()
    }

    /// The functions of this name; they differ in the types of their parameters.
    pub fn functions<'a>(&self, name: impl Into<NameRef<'a>>) -> Vec<Arc<Function>> {
        let name = name.into();
        let Some(of_name) = self.functions.get(name.name) else { return Vec::new() };
        let mut found = Vec::<Arc<Function>>::new();
        for schema in self.schemas_of(name) {
            for function in of_name.iter().filter(|function| function.in_schema == schema) {
                if !found.iter().any(|known| known.types().eq(function.types())) {
                    found.push(function.clone());
                }
            }
        }
        found
    }

    /// Whether there are any functions.
    pub fn has_functions(&self) -> bool {
        !self.functions.is_empty()
    }

    /// All functions, by name.
    pub fn all_functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().flatten().map(AsRef::as_ref)
    }

    /// The function of this name with parameters of these types.
    pub fn function<'a>(&self, name: impl Into<NameRef<'a>>, types: &[SqlType]) -> Option<Arc<Function>> {
        self.functions(name).into_iter().find(|function| function.types().eq(types.iter().copied()))
    }

    /// The function of this name with parameters of these types in a schema.
    pub fn function_in(&self, schema: SchemaId, name: &str, types: &[SqlType]) -> Option<&Arc<Function>> {
        let of_name = self.functions.get(name).into_iter().flatten();
        of_name.into_iter().find(|it| it.in_schema == schema && it.types().eq(types.iter().copied()))
    }

    /// What messages call a function: with its schema where its name alone would not do.
    pub fn signature(&self, function: &Function) -> String {
        let types = function.types().collect::<Vec<_>>();
        let is_visible = self.function(&function.name, &types).is_some_and(|found| found.id == function.id);
        let schema = (!is_visible).then(|| self.schema_name(function.in_schema).to_owned());
        let signature = Name { schema, name: function.signature() };
        signature.to_string()
    }

    /// The identity that the next function will have.
    pub fn next_function_id(&self) -> FunctionId {
        FunctionId(self.next_function_id)
    }

    /// Adds a function under [`Catalog::next_function_id`]. Fails with `42723` if there is one of this name
    /// with parameters of the same types.
    pub fn create_function(&mut self, function: Function) -> Result<()> {
        assert_eq!(function.id, self.next_function_id(), "identities are given out in order");
        let types = function.types().collect::<Vec<_>>();
        if self.function_in(function.in_schema, &function.name, &types).is_some() {
            let message = format!("function \"{}\" already exists with same argument types", function.name);
            return Err(SqlError::new(SqlState::DUPLICATE_FUNCTION, message));
        }
        self.next_function_id += 1;
        let functions = Arc::make_mut(&mut self.functions);
        functions.entry(function.name.clone()).or_default().push(Arc::new(function));
        Ok(())
    }

    /// Puts another definition in the place of the function of the same identity and name.
    pub fn replace_function(&mut self, function: Function) {
        let same_name = Arc::make_mut(&mut self.functions).entry(function.name.clone()).or_default();
        if let Some(known) = same_name.iter_mut().find(|known| known.id == function.id) {
            *known = Arc::new(function);
        }
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use crate::default_access::DefaultAccess;
use crate::{Access, Commented, Function, FunctionId, Relation, Roles, Securable, Types};

/// All relations, functions, types and roles at one moment.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) by_name: BTreeMap<String, Arc<Relation>>,
    pub(crate) by_id: BTreeMap<RelationId, Arc<Relation>>,
    pub(crate) next_id: u64,
    pub(crate) functions: BTreeMap<String, Vec<Arc<Function>>>,
    pub(crate) next_function_id: u64,
    pub(crate) types: Arc<Types>,
    pub(crate) comments: BTreeMap<Commented, String>,
    pub(crate) roles: Arc<Roles>,
    /// Of what belongs to someone else than the first superuser, or of which something was granted or revoked.
    pub(crate) access: BTreeMap<Securable, Access>,
    pub(crate) default_access: DefaultAccess,
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

    /// Gives out no identity before this one any more.
    pub fn skip_to(&mut self, id: RelationId) {
        self.next_id = self.next_id.max(id.0);
    }

    /// Adds a relation under [`Catalog::next_id`]. Fails with `42P07` if the name is taken.
    pub fn create(&mut self, relation: Relation) -> Result<Arc<Relation>> {
        assert_eq!(relation.id, self.next_id(), "identities are given out in order");
        self.check_name_is_free(&relation.name)?;
        if self.types.find(&relation.name).is_some() {
            let message = format!("type \"{}\" already exists", relation.name);
            let hint = "A relation has an associated type of the same name, so you must use a name that doesn't \
                        conflict with any existing type.";
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message).with_hint(hint));
        }
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

    /// Gives a relation another name. Fails with `42P07` if it is taken.
    pub fn rename(&mut self, relation: &Relation, name: &str) -> Result<()> {
        self.check_name_is_free(name)?;
        self.by_name.remove(&relation.name);
        self.replace(Relation { name: name.to_owned(), ..relation.clone() });
        Ok(())
    }

    /// Fails with `42P07` if a relation of this name exists.
    pub fn check_name_is_free(&self, name: &str) -> Result<()> {
        if !self.has_relation(name) {
            return Ok(());
        }
        Err(SqlError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")))
    }

    /// Whether there is a relation or an index of this name.
    pub fn has_relation(&self, name: &str) -> bool {
        self.find(name).is_some() || self.index(name).is_some()
    }

    /// The table of the index of this name, be it that of the primary key.
    pub fn index(&self, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.values().find(|relation| {
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
    pub fn functions(&self, name: &str) -> &[Arc<Function>] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
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
    pub fn function(&self, name: &str, types: &[SqlType]) -> Option<&Arc<Function>> {
        self.functions(name).iter().find(|function| function.types().eq(types.iter().copied()))
    }

    /// The identity that the next function will have.
    pub fn next_function_id(&self) -> FunctionId {
        FunctionId(self.next_function_id)
    }

    /// Adds a function under [`Catalog::next_function_id`]. Fails with `42723` if there is one of this name
    /// with parameters of the same types.
    pub fn create_function(&mut self, function: Function) -> Result<()> {
        assert_eq!(function.id, self.next_function_id(), "identities are given out in order");
        if self.function(&function.name, &function.types().collect::<Vec<_>>()).is_some() {
            let message = format!("function \"{}\" already exists with same argument types", function.name);
            return Err(SqlError::new(SqlState::DUPLICATE_FUNCTION, message));
        }
        self.next_function_id += 1;
        self.functions.entry(function.name.clone()).or_default().push(Arc::new(function));
        Ok(())
    }

    /// Puts another definition in the place of the function of the same identity and name.
    pub fn replace_function(&mut self, function: Function) {
        let same_name = self.functions.entry(function.name.clone()).or_default();
        if let Some(known) = same_name.iter_mut().find(|known| known.id == function.id) {
            *known = Arc::new(function);
        }
    }
}

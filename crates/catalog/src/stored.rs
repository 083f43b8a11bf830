//! The catalog as it is kept: definitions, without what is made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use springtide_plan::ViewPlan;
use springtide_types::{RelationId, Result};

use crate::default_access::DefaultAccess;
use crate::relation::schema;
use crate::{
    Access, Catalog, Column, Commented, Counter, Function, FunctionId, FutureKind, Grant, Relation,
    RelationKind, Retention, RoleId, Roles, Rules, Schema, SchemaId, Securable, SequenceOptions,
    SequenceOwner, SourceDefinition, TypeId, UserType,
};

/// A relation by what its CREATE statement said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its identity.
    pub id: RelationId,
    #[serde(default, skip_serializing_if = "SchemaId::is_public")]
    in_schema: SchemaId,
    name: String,
    columns: Vec<Column>,
    kind: DefinitionKind,
    depends_on: Vec<RelationId>,
    functions: Vec<FunctionId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<TypeId>,
    #[serde(default)]
    history: Retention,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum DefinitionKind {
    Table {
        primary_key: Option<Vec<usize>>,
        append_only: bool,
        #[serde(default, skip_serializing_if = "Rules::is_empty")]
        rules: Rules,
    },
    Sequence {
        options: SequenceOptions,
        owner: Option<SequenceOwner>,
    },
    Source(SourceDefinition),
    View {
        query: String,
    },
    MaterializedView {
        query: String,
    },
}

/// What a commit did to the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogChange {
    /// New relations and new versions of known ones.
    relations: Vec<Definition>,
    dropped_relations: Vec<RelationId>,
    /// New functions and new versions of known ones.
    functions: Vec<Function>,
    dropped_functions: Vec<FunctionId>,
    /// New types and new versions of known ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<UserType>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dropped_types: Vec<TypeId>,
    next_id: u64,
    next_function_id: u64,
    /// All schemas, if one has changed, and the identity of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schemas: Option<(Vec<Schema>, u32)>,
    /// All comments, if one has changed.
    #[serde(default)]
    comments: Option<Vec<(Commented, String)>>,
    /// All roles, if one has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Roles>,
    /// All owners and privileges that are not as at first, if one has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Vec<(Securable, Access)>>,
    /// All that is granted on what does not exist yet, if it has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_access: Option<Vec<(RoleId, FutureKind, Vec<Grant>)>>,
}

/// All definitions at one moment, but for those of temporary objects.
#[derive(Clone, Debug)]
pub struct Definitions {
    relations: BTreeMap<RelationId, Definition>,
    functions: BTreeMap<FunctionId, Function>,
    types: BTreeMap<TypeId, Arc<UserType>>,
    next_id: u64,
    next_function_id: u64,
    schemas: BTreeMap<SchemaId, Schema>,
    next_schema_id: u32,
    comments: BTreeMap<Commented, String>,
    roles: Arc<Roles>,
    access: BTreeMap<Securable, Access>,
    default_access: DefaultAccess,
}

impl Definition {
    fn of(relation: &Relation) -> Definition {
        let kind = match &relation.kind {
            RelationKind::Table { primary_key, append_only, rules } => DefinitionKind::Table {
                primary_key: primary_key.clone(),
                append_only: *append_only,
                rules: rules.clone(),
            },
            RelationKind::Sequence { options, owner, .. } => {
                DefinitionKind::Sequence { options: options.clone(), owner: *owner }
            }
            RelationKind::Source(definition) => DefinitionKind::Source(definition.clone()),
            RelationKind::View { query } => DefinitionKind::View { query: query.clone() },
            RelationKind::MaterializedView { query, .. } => {
                DefinitionKind::MaterializedView { query: query.clone() }
            }
        };
        Definition {
            id: relation.id,
            in_schema: relation.in_schema,
            name: relation.name.clone(),
            columns: relation.columns.clone(),
            kind,
            depends_on: relation.depends_on.clone(),
            functions: relation.functions.clone(),
            types: relation.types.clone(),
            history: relation.history,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Arrow schema of its rows.
    pub fn schema(&self) -> SchemaRef {
        schema(&self.columns)
    }

    fn relation(&self, kind: RelationKind) -> Relation {
        Relation {
            id: self.id,
            in_schema: self.in_schema,
            name: self.name.clone(),
            columns: self.columns.clone(),
            kind,
            depends_on: self.depends_on.clone(),
            functions: self.functions.clone(),
            types: self.types.clone(),
            history: self.history,
        }
    }
}

impl CatalogChange {
    /// What leads from one catalog to another.
    pub fn between(before: &Catalog, after: &Catalog) -> CatalogChange {
        let (old, new) = (Definitions::of(before), Definitions::of(after));
        let relations = new.relations.iter().filter(|(id, new)| old.relations.get(id) != Some(new));
        let functions = new.functions.iter().filter(|(id, new)| old.functions.get(id) != Some(new));
        let dropped_relations = old.relations.keys().filter(|id| !new.relations.contains_key(id));
        let dropped_functions = old.functions.keys().filter(|id| !new.functions.contains_key(id));
        let types = new.types.iter().filter(|(id, new)| old.types.get(id) != Some(new));
        let dropped_types = old.types.keys().filter(|id| !new.types.contains_key(id));
        CatalogChange {
            relations: relations.map(|(_, definition)| definition.clone()).collect(),
            dropped_relations: dropped_relations.copied().collect(),
            functions: functions.map(|(_, function)| function.clone()).collect(),
            dropped_functions: dropped_functions.copied().collect(),
            types: types.map(|(_, user_type)| user_type.as_ref().clone()).collect(),
            dropped_types: dropped_types.copied().collect(),
            next_id: new.next_id,
            next_function_id: new.next_function_id,
            schemas: (new.schemas != old.schemas)
                .then(|| (new.schemas.into_values().collect(), new.next_schema_id)),
            comments: (new.comments != old.comments).then(|| new.comments.into_iter().collect()),
            roles: (new.roles != old.roles).then(|| new.roles.as_ref().clone()),
            default_access: (new.default_access != old.default_access).then(|| new.default_access.to_list()),
            access: (new.access != old.access).then(|| new.access.into_iter().collect()),
        }
    }

    /// Whether it leads nowhere else.
    pub fn is_empty(&self) -> bool {
        let CatalogChange { next_id, next_function_id, .. } = *self;
        *self == CatalogChange { next_id, next_function_id, ..CatalogChange::default() }
    }

    /// As JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a definition has no keys other than texts")
    }

    /// As a JSON value.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a definition has no keys other than texts")
    }

    /// From a JSON value.
    pub fn from_json(value: &serde_json::Value) -> std::result::Result<CatalogChange, String> {
        CatalogChange::deserialize(value).map_err(|error| error.to_string())
    }

    /// From JSON.
    pub fn decode(bytes: &[u8]) -> std::result::Result<CatalogChange, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

impl std::default::Default for Definitions {
    fn default() -> Definitions {
        Definitions::of(&Catalog::default())
    }
}

impl Definitions {
    fn of(catalog: &Catalog) -> Definitions {
        let functions = catalog.functions.values().flatten();
        let relations = catalog.by_id.values().filter(|relation| !relation.in_schema.is_temporary());
        let schemas = catalog.schemas.values().filter(|schema| !schema.id.is_temporary());
        let comments = catalog.comments.iter().filter(|(on, _)| match on {
            Commented::Relation(id) | Commented::Column(id, _) => {
                !catalog.is_temporary(Securable::Relation(*id))
            }
            _ => true,
        });
        let access = catalog.access.iter().filter(|(on, _)| !catalog.is_temporary(**on));
        Definitions {
            relations: relations.map(|relation| (relation.id, Definition::of(relation))).collect(),
            schemas: schemas.map(|schema| (schema.id, schema.clone())).collect(),
            next_schema_id: catalog.next_schema_id,
            functions: functions.map(|function| (function.id, function.as_ref().clone())).collect(),
            types: catalog.types.iter().map(|user_type| (user_type.id, user_type.clone())).collect(),
            next_id: catalog.next_id,
            next_function_id: catalog.next_function_id,
            comments: comments.map(|(on, text)| (*on, text.clone())).collect(),
            roles: catalog.roles.clone(),
            access: access.map(|(on, access)| (*on, access.clone())).collect(),
            default_access: catalog.default_access.clone(),
        }
    }

    /// Follows a change.
    pub fn apply(&mut self, change: CatalogChange) {
        let relations = change.relations.into_iter().map(|definition| (definition.id, definition));
        self.relations.extend(relations);
        self.relations.retain(|id, _| !change.dropped_relations.contains(id));
        self.functions.extend(change.functions.into_iter().map(|function| (function.id, function)));
        self.functions.retain(|id, _| !change.dropped_functions.contains(id));
        self.types.extend(change.types.into_iter().map(|user_type| (user_type.id, Arc::new(user_type))));
        self.types.retain(|id, _| !change.dropped_types.contains(id));
        self.next_id = change.next_id;
        self.next_function_id = change.next_function_id;
        if let Some((schemas, next)) = change.schemas {
            self.schemas = schemas.into_iter().map(|schema| (schema.id, schema)).collect();
            self.next_schema_id = next;
        }
        if let Some(comments) = change.comments {
            self.comments = comments.into_iter().collect();
        }
        if let Some(roles) = change.roles {
            self.roles = Arc::new(roles);
        }
        if let Some(access) = change.access {
            self.access = access.into_iter().collect();
        }
        if let Some(list) = change.default_access {
            self.default_access = DefaultAccess::of_list(list);
        }
    }

    /// The users' types.
    pub fn types(&self) -> impl Iterator<Item = &Arc<UserType>> {
        self.types.values()
    }

    /// The relation of this identity.
    pub fn get(&self, id: RelationId) -> Option<&Definition> {
        self.relations.get(&id)
    }

    /// The tables, in the order of their creation.
    pub fn tables(&self) -> impl Iterator<Item = &Definition> {
        let is_table = |definition: &&Definition| matches!(definition.kind, DefinitionKind::Table { .. });
        self.relations.values().filter(is_table)
    }

    /// The catalog that is defined. `plan` makes the plan of a materialized view of this identity from its query, under a
    /// catalog that holds all that the query can name.
    pub fn catalog(
        &self,
        mut plan: impl FnMut(RelationId, &str, &Catalog) -> Result<Arc<ViewPlan>>,
    ) -> Result<Catalog> {
        let mut catalog = Catalog {
            next_id: self.next_id,
            next_function_id: self.next_function_id,
            schemas: Arc::new(self.schemas.clone()),
            next_schema_id: self.next_schema_id,
            comments: Arc::new(self.comments.clone()),
            roles: self.roles.clone(),
            access: Arc::new(self.access.clone()),
            default_access: self.default_access.clone(),
            ..Catalog::default()
        };
        for user_type in self.types.values() {
            catalog.put_type(user_type.clone());
        }
        for function in self.functions.values() {
            let same_name = Arc::make_mut(&mut catalog.functions).entry(function.name.clone()).or_default();
            same_name.push(Arc::new(function.clone()));
        }
        for definition in self.relations.values() {
            match &definition.kind {
                DefinitionKind::Table { primary_key, append_only, rules } => {
                    let (primary_key, append_only) = (primary_key.clone(), *append_only);
                    let kind = RelationKind::Table { primary_key, append_only, rules: rules.clone() };
                    catalog.replace(definition.relation(kind));
                }
                DefinitionKind::Sequence { options, owner } => {
                    let (options, owner, counter) =
                        (options.clone(), *owner, Arc::new(Counter::new(options)));
                    catalog.replace(definition.relation(RelationKind::Sequence { options, owner, counter }));
                }
                DefinitionKind::Source(source) => {
                    catalog.replace(definition.relation(RelationKind::Source(source.clone())));
                }
                DefinitionKind::View { query } => {
                    catalog.replace(definition.relation(RelationKind::View { query: query.clone() }));
                }
                DefinitionKind::MaterializedView { .. } => {}
            }
        }
        // In the order of their creation, since they may name one another.
        for definition in self.relations.values() {
            if let DefinitionKind::MaterializedView { query } = &definition.kind {
                let plan = plan(definition.id, query, &self.as_seen_by(definition, &catalog))?;
                let kind = RelationKind::MaterializedView { query: query.clone(), plan };
                catalog.replace(definition.relation(kind));
            }
        }
        Ok(catalog)
    }

    /// A catalog with the functions that a view calls and no others: one that came after the view might suit a call
    /// better than the one that was called when the view was made.
    fn as_seen_by(&self, view: &Definition, catalog: &Catalog) -> Catalog {
        let mut called = BTreeSet::<FunctionId>::new();
        let mut pending = vec![view];
        while let Some(definition) = pending.pop() {
            called.extend(&definition.functions);
            let inputs = definition.depends_on.iter().filter_map(|id| self.relations.get(id));
            pending.extend(inputs.filter(|input| matches!(input.kind, DefinitionKind::View { .. })));
        }
        let mut seen = catalog.clone();
        for functions in Arc::make_mut(&mut seen.functions).values_mut() {
            functions.retain(|function| called.contains(&function.id));
        }
        seen
    }
}

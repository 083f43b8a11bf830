//! What users have noted about what exists.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use springtide_types::RelationId;

use crate::{Catalog, FunctionId, SchemaId, TypeId};

/// What a comment can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Commented {
    /// The one database.
    Database,
    /// The schema `public`.
    Schema,
    /// A table or view.
    Relation(RelationId),
    /// The column of a table or view at a position.
    Column(RelationId, usize),
    /// A function.
    Function(FunctionId),
    /// A type.
    Type(TypeId),
    /// Another schema.
    OtherSchema(SchemaId),
}

impl Commented {
    /// A schema.
    pub fn schema(id: SchemaId) -> Commented {
        if id == SchemaId::PUBLIC { Commented::Schema } else { Commented::OtherSchema(id) }
    }
}

impl Catalog {
    /// The comment on an object.
    pub fn comment(&self, on: Commented) -> Option<&str> {
        self.comments.get(&on).map(String::as_str)
    }

    /// All comments.
    pub fn comments(&self) -> impl Iterator<Item = (Commented, &str)> {
        self.comments.iter().map(|(on, text)| (*on, text.as_str()))
    }

    /// Notes something about an object, or takes the note away.
    pub fn set_comment(&mut self, on: Commented, text: Option<&str>) {
        let comments = Arc::make_mut(&mut self.comments);
        match text {
            Some(text) => comments.insert(on, text.to_owned()),
            None => comments.remove(&on),
        };
    }

    /// Takes away the comments on what is not there any more.
    pub(crate) fn forget_comments(&mut self) {
        let (by_id, functions, types) = (&self.by_id, &self.functions, &self.types);
        let schemas = &self.schemas;
        Arc::make_mut(&mut self.comments).retain(|on, _| match on {
            Commented::Database | Commented::Schema => true,
            Commented::OtherSchema(id) => schemas.contains_key(id),
            Commented::Relation(id) | Commented::Column(id, _) => by_id.contains_key(id),
            Commented::Function(id) => functions.values().flatten().any(|function| function.id == *id),
            Commented::Type(id) => types.iter().any(|user_type| user_type.id == *id),
        });
    }
}

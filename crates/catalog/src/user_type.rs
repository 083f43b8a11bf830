//! Types that users make.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use springtide_types::{EnumId, EnumLabels, EnumType, Result, SqlError, SqlState, SqlType};

use crate::Catalog;
use crate::system::{array_oid_of_type, oid_of_type, quoted};

/// The identity of a type. It is never given out again, to a relation neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TypeId(pub u64);

/// A type that a user has made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserType {
    /// Its identity.
    pub id: TypeId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
}

/// What kind of type it is, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TypeKind {
    /// CREATE TYPE ... AS ENUM
    Enum {
        /// What its columns are marked with.
        mark: EnumId,
        /// What no other type has.
        stamp: u64,
        /// Its values.
        labels: EnumLabels,
    },
}

impl UserType {
    /// The type that columns of it have.
    pub fn sql_type(&self) -> SqlType {
        match &self.kind {
            TypeKind::Enum { mark, .. } => SqlType::Enum(*mark),
        }
    }

    /// What messages call it, with its name: `type mood`.
    pub fn description(&self) -> String {
        format!("type {}", quoted(&self.name))
    }

    /// Lets the values of its columns be read and written.
    pub fn publish(&self) -> Result<()> {
        let TypeKind::Enum { mark, stamp, labels } = &self.kind;
        mark.publish(EnumType {
            stamp: *stamp,
            name: quoted(&self.name),
            oid: oid_of_type(self) as u32,
            array_oid: array_oid_of_type(self) as u32,
            labels: labels.clone(),
        })
    }
}

/// The types that users have made, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Types {
    pub(crate) by_name: BTreeMap<String, Arc<UserType>>,
}

impl Types {
    /// The type of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<UserType>> {
        self.by_name.get(name)
    }

    /// All types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<UserType>> {
        self.by_name.values()
    }
}

impl Catalog {
    /// The types that users have made.
    pub fn types(&self) -> &Arc<Types> {
        &self.types
    }

    /// The type of this name, or `42704`.
    pub fn get_type(&self, name: &str) -> Result<&Arc<UserType>> {
        self.types.find(name).ok_or_else(|| {
            SqlError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
        })
    }

    /// The user's type that a type is, or that its elements are of.
    pub fn type_of(&self, sql_type: SqlType) -> Option<&Arc<UserType>> {
        let plain = sql_type.element().unwrap_or(sql_type);
        self.types.iter().find(|known| known.sql_type() == plain)
    }

    /// Adds a type. Fails with `42710` if the name is taken.
    pub fn create_type(&mut self, name: &str, kind: TypeKind) -> Result<Arc<UserType>> {
        self.check_type_name_is_free(name)?;
        let created = Arc::new(UserType { id: TypeId(self.next_id), name: name.to_owned(), kind });
        self.next_id += 1;
        self.put_type(created.clone());
        Ok(created)
    }

    /// Puts another definition in the place of the type of the same identity and name.
    pub fn replace_type(&mut self, changed: UserType) {
        self.put_type(Arc::new(changed));
    }

    /// Gives a type another name. Fails with `42710` if it is taken.
    pub fn rename_type(&mut self, known: &UserType, name: &str) -> Result<()> {
        self.check_type_name_is_free(name)?;
        Arc::make_mut(&mut self.types).by_name.remove(&known.name);
        self.replace_type(UserType { name: name.to_owned(), ..known.clone() });
        Ok(())
    }

    pub(crate) fn put_type(&mut self, user_type: Arc<UserType>) {
        Arc::make_mut(&mut self.types).by_name.insert(user_type.name.clone(), user_type);
    }

    /// Relations have a type of their name in PostgreSQL.
    fn check_type_name_is_free(&self, name: &str) -> Result<()> {
        if self.types.find(name).is_none() && self.find(name).is_none() {
            return Ok(());
        }
        Err(SqlError::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists")))
    }
}

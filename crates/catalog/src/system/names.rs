//! Names to OIDs and back: `'t'::regclass` and `oid::regclass`.

use springtide_types::{Result, SqlError, SqlState};

use super::keys::indexes;
use super::oids::{self, ARRAY_IN};
use super::types::{TYPES, any_type_of, format_type, type_by_name};
use super::user_types::by_name;
use super::{namespaces, roles, system_relation, system_relations};
use crate::{Catalog, Name, NameRef, Relation};

/// What an OID stands for, by the type that PostgreSQL has for OIDs of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// `regclass`: a relation or index.
    Class,
    /// `regtype`
    Type,
    /// `regproc`: a function.
    Function,
    /// `regnamespace`: a schema.
    Schema,
    /// `regrole`
    Role,
}

impl Named {
    /// The OID of a text: a number, or a name that may be quoted and have a schema. Fails with `42P01`, `42704`,
    /// `42883` or `3F000` if there is nothing of the name.
    pub fn oid(self, catalog: &Catalog, text: &str) -> Result<i64> {
        if text == "-" {
            return Ok(0);
        }
        match text.trim().parse() {
            Ok(oid) => Ok(oid),
            Err(_) => self.find(catalog, text).ok_or_else(|| self.missing(catalog, text)),
        }
    }

    /// The OID of a name, if there is something of the name.
    pub fn find(self, catalog: &Catalog, text: &str) -> Option<i64> {
        let (schema, name) = qualified(text)?;
        match self {
            Named::Class => relation(catalog, NameRef { schema: schema.as_deref(), name: &name }),
            Named::Type => type_by_name(text.trim()).or_else(|| {
                let known = TYPES.iter().find(|known| known.name == name);
                known.map(|known| known.oid).or_else(|| by_name(catalog, &name).map(|known| known.oid))
            }),
            Named::Function => match catalog.functions(&Name { schema, name: name.clone() }).as_slice() {
                [only] => Some(oids::of_function(only)),
                [] if name == "array_in" => Some(ARRAY_IN),
                _ => None,
            },
            Named::Schema => namespaces::oid(catalog, &name),
            Named::Role => catalog.roles().find(&name).map(|role| roles::oid(role.id)),
        }
    }

    /// What PostgreSQL shows for an OID: the name, or the number if it stands for nothing.
    pub fn text(self, catalog: &Catalog, oid: i64) -> String {
        if oid == 0 {
            return "-".to_owned();
        }
        let name = match self {
            Named::Class => class_name(catalog, oid),
            Named::Type => any_type_of(catalog, oid).map(|_| format_type(catalog, oid, None)),
            Named::Function => oids::function(catalog, oid).map(|function| quoted(&function.name)),
            Named::Schema => namespaces::name(catalog, oid).map(quoted),
            Named::Role => roles::by_oid(catalog.roles(), oid).map(|role| quoted(&role.name)),
        };
        name.unwrap_or_else(|| oid.to_string())
    }

    fn missing(self, catalog: &Catalog, text: &str) -> SqlError {
        if let (Named::Class, Some((schema, name))) = (self, qualified(text))
            && let Err(error) = catalog.check_schema(&Name { schema, name })
        {
            return error;
        }
        let (state, what) = match self {
            Named::Class => (SqlState::UNDEFINED_TABLE, "relation"),
            Named::Type => (SqlState::UNDEFINED_OBJECT, "type"),
            Named::Function => (SqlState::UNDEFINED_FUNCTION, "function"),
            Named::Schema => (SqlState::INVALID_SCHEMA_NAME, "schema"),
            Named::Role => (SqlState::UNDEFINED_OBJECT, "role"),
        };
        SqlError::new(state, format!("{what} \"{text}\" does not exist"))
    }
}

fn relation(catalog: &Catalog, name: NameRef<'_>) -> Option<i64> {
    let system = system_relation(name.schema, name.name).map(|relation| relation.oid);
    let relation = || catalog.find(name).map(|relation| oids::of_relation(relation));
    let index = || {
        let table = catalog.index(name)?;
        indexes(table).into_iter().find(|index| index.name == name.name).map(|index| index.oid)
    };
    system.or_else(relation).or_else(index)
}

/// The name of a relation or index, with its schema where that must be said.
fn class_name(catalog: &Catalog, oid: i64) -> Option<String> {
    if let Some(system) = system_relations().iter().find(|relation| relation.oid == oid) {
        return Some(match system.schema {
            "pg_catalog" => system.name.to_owned(),
            schema => format!("{schema}.{}", system.name),
        });
    }
    if let Some(relation) = oids::relation(catalog, oid) {
        return Some(relation_name(catalog, relation));
    }
    let index = oids::index(catalog, oid)?;
    let is_visible = catalog.index(&index.name).is_some_and(|table| table.id == index.table.id);
    let schema = (!is_visible).then(|| catalog.schema_name(index.table.in_schema).to_owned());
    Some(quoted_name(&Name { schema, name: index.name }))
}

/// The name of a relation as SQL has to write it, with its schema where that must be said.
pub(crate) fn relation_name(catalog: &Catalog, relation: &Relation) -> String {
    quoted_name(&catalog.name_of(relation))
}

/// A name as SQL has to write it.
pub(crate) fn quoted_name(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(&name.name)),
        None => quoted(&name.name),
    }
}

/// The schema and the name in a text such as `public."A b"`.
fn qualified(text: &str) -> Option<(Option<String>, String)> {
    let (mut parts, mut part, mut in_quotes) = (Vec::new(), String::new(), false);
    let mut letters = text.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if in_quotes && letters.peek() == Some(&'"') => part.extend(letters.next()),
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => parts.push(std::mem::take(&mut part)),
            letter if in_quotes => part.push(letter),
            letter => part.extend(letter.to_lowercase()),
        }
    }
    parts.push(part);
    let name = parts.pop().filter(|name| !name.is_empty())?;
    Some((parts.pop(), name))
}

/// Whether a name needs no quotes.
pub fn is_plain(name: &str) -> bool {
    let plain = |(at, letter): (usize, char)| {
        letter == '_' || letter.is_ascii_lowercase() || (at > 0 && letter.is_ascii_digit())
    };
    !name.is_empty() && name.char_indices().all(plain)
}

/// A name as SQL would have to write it.
pub fn quoted(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_writes_them() {
        let name = |text| qualified(text).unwrap();
        assert_eq!(name("T"), (None, "t".to_owned()));
        assert_eq!(name("Public.\"A \"\"b.\""), (Some("public".to_owned()), "A \"b.".to_owned()));
        assert_eq!(qualified(""), None);
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(quoted("t_1"), "t_1");
        assert_eq!(quoted("1t"), "\"1t\"");
        assert_eq!(quoted("A\"b"), "\"A\"\"b\"");
    }
}

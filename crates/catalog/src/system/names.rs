//! Names to OIDs and back: `'t'::regclass` and `oid::regclass`.

use springtide_types::{Result, SqlError, SqlState};

use super::class::NAMESPACES;
use super::keys::indexes;
use super::oids::{self, ARRAY_IN};
use super::types::{TYPES, any_type_of, format_type, type_by_name};
use super::user_types::by_name;
use super::{roles, system_relation, system_relations};
use crate::Catalog;

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
            Err(_) => self.find(catalog, text).ok_or_else(|| self.missing(text)),
        }
    }

    /// The OID of a name, if there is something of the name.
    pub fn find(self, catalog: &Catalog, text: &str) -> Option<i64> {
        let (schema, name) = qualified(text)?;
        match self {
            Named::Class => relation(catalog, schema.as_deref(), &name),
            Named::Type => type_by_name(text.trim()).or_else(|| {
                let known = TYPES.iter().find(|known| known.name == name);
                known.map(|known| known.oid).or_else(|| by_name(catalog, &name).map(|known| known.oid))
            }),
            Named::Function => match catalog.functions(&name) {
                [only] => Some(oids::of_function(only)),
                [] if name == "array_in" => Some(ARRAY_IN),
                _ => None,
            },
            Named::Schema => NAMESPACES.iter().find(|known| known.0 == name).map(|known| known.1),
            Named::Role => catalog.roles().find(&name).map(|role| roles::oid(role.id)),
        }
    }

    /// What PostgreSQL shows for an OID: the name, or the number if it stands for nothing.
    pub fn text(self, catalog: &Catalog, oid: i64) -> String {
        if oid == 0 {
            return "-".to_owned();
        }
        let name = match self {
            Named::Class => relation_name(catalog, oid),
            Named::Type => any_type_of(catalog, oid).map(|_| format_type(catalog, oid, None)),
            Named::Function => oids::function(catalog, oid).map(|function| quoted(&function.name)),
            Named::Schema => NAMESPACES.iter().find(|known| known.1 == oid).map(|known| known.0.to_owned()),
            Named::Role => roles::by_oid(catalog.roles(), oid).map(|role| quoted(&role.name)),
        };
        name.unwrap_or_else(|| oid.to_string())
    }

    fn missing(self, text: &str) -> SqlError {
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

fn relation(catalog: &Catalog, schema: Option<&str>, name: &str) -> Option<i64> {
    let system = system_relation(schema, name).map(|relation| relation.oid);
    let public = schema.is_none_or(|schema| schema == "public");
    let relation = || catalog.find(name).map(|relation| oids::of_relation(relation));
    let index = || {
        let all = catalog.relations().flat_map(|relation| indexes(relation));
        all.into_iter().find(|index| index.name == name).map(|index| index.oid)
    };
    system.or_else(|| relation().or_else(index).filter(|_| public))
}

/// The name of a relation or index, with its schema where that must be said.
fn relation_name(catalog: &Catalog, oid: i64) -> Option<String> {
    if let Some(system) = system_relations().iter().find(|relation| relation.oid == oid) {
        return Some(match system.schema {
            "pg_catalog" => system.name.to_owned(),
            schema => format!("{schema}.{}", system.name),
        });
    }
    let name = oids::relation(catalog, oid).map(|relation| relation.name.clone());
    let name = name.or_else(|| oids::index(catalog, oid).map(|index| index.name))?;
    Some(quoted(&name))
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

/// A name as SQL would have to write it.
pub fn quoted(name: &str) -> String {
    let plain = |(at, letter): (usize, char)| {
        letter == '_' || letter.is_ascii_lowercase() || (at > 0 && letter.is_ascii_digit())
    };
    if !name.is_empty() && name.char_indices().all(plain) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
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

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, TableAlias};
use springtide_catalog::{Name, NameRef};
use springtide_types::{Result, SqlError, SqlState};

/// The name that an identifier stands for: folded to lower case unless it was quoted.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// An identifier that means exactly this name.
pub(crate) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// `AS "name"`
pub(crate) fn alias(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: quoted(name), columns: Vec::new(), at: None }
}

/// What a name says. The database may be said too, and is left alone.
pub fn object_name(name: &ObjectName) -> Result<Name> {
    let parts = name.0.iter().map(|part| match part {
        ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
        ObjectNamePart::Function(_) => {
            Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("\"{name}\" is not a name")))
        }
    });
    match parts.collect::<Result<Vec<_>>>()?.as_slice() {
        [name] => Ok(Name::bare(name)),
        [schema, name] | [_, schema, name] => Ok(Name { schema: Some(schema.clone()), name: name.clone() }),
        _ => Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            format!("improper qualified name (too many dotted names): {name}"),
        )),
    }
}

/// The type that a name stands for. Users' types are all in `public`: fails with `0A000` if another schema is said.
pub fn type_name(name: &ObjectName) -> Result<String> {
    match object_name(name)? {
        Name { schema: Some(schema), .. } if schema != "public" => {
            Err(SqlError::unsupported(format!("a type in schema \"{schema}\"")))
        }
        name => Ok(name.name),
    }
}

/// The name of a column.
pub(crate) fn column_name(name: &ObjectName) -> Result<String> {
    object_name(name).map(|name| name.name)
}

/// A name as it stands in a query.
pub fn written<'a>(name: impl Into<NameRef<'a>>) -> ObjectName {
    let name = name.into();
    ObjectName::from(name.schema.into_iter().chain([name.name]).map(written_ident).collect::<Vec<_>>())
}

/// An identifier, in quotes only where it must be.
pub(crate) fn written_ident(name: &str) -> Ident {
    if springtide_catalog::system::is_plain(name) { Ident::new(name) } else { quoted(name) }
}

/// The name in a text such as `s."A b"`, which may be that of a function with its schema.
pub(crate) fn name_in_text(text: &str) -> Option<Name> {
    object_name(&crate::parser(text).ok()?.parse_object_name(false).ok()?).ok()
}

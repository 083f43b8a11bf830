use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, TableAlias};
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

/// The relation that a name stands for. There is one schema, `public`, which may be named.
pub fn object_name(name: &ObjectName) -> Result<String> {
    let parts = name.0.iter().map(|part| match part {
        ObjectNamePart::Identifier(ident) => Ok(fold(ident)),
        ObjectNamePart::Function(_) => {
            Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("\"{name}\" is not a name")))
        }
    });
    match parts.collect::<Result<Vec<_>>>()?.as_slice() {
        [name] => Ok(name.clone()),
        [schema, name] => in_schema(schema, name),
        [_, schema, name] => in_schema(schema, name),
        _ => Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            format!("improper qualified name (too many dotted names): {name}"),
        )),
    }
}

fn in_schema(schema: &str, name: &str) -> Result<String> {
    if schema == "public" {
        return Ok(name.to_owned());
    }
    let message = format!("schema \"{schema}\" does not exist");
    Err(SqlError::new(SqlState::INVALID_SCHEMA_NAME, message).with_hint("The only schema is \"public\"."))
}

//! COMMENT ON.

use springtide_catalog::{Catalog, Commented, Relation};
use springtide_sql::sqlparser::ast::{CommentObject, ObjectName, ObjectNamePart};
use springtide_types::{Result, SqlError, SqlState};

use super::Context;
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// Notes something about what exists; no text, or an empty one, takes the note away.
pub(super) fn comment(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    kind: CommentObject,
    name: &ObjectName,
    text: Option<&str>,
    if_exists: bool,
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    match commented(&catalog, kind, name) {
        Ok(on) => {
            catalog.set_comment(on, text.filter(|text| !text.is_empty()));
            transaction.set_catalog(catalog);
        }
        Err(error) if if_exists && error.sqlstate == SqlState::UNDEFINED_TABLE => {
            context.notices.push(Notice::new(format!("{}, skipping", error.message)));
        }
        Err(error) => return Err(error),
    }
    Ok(Response::complete("COMMENT"))
}

fn commented(catalog: &Catalog, kind: CommentObject, name: &ObjectName) -> Result<Commented> {
    Ok(match kind {
        CommentObject::Table => relation(catalog, name, "table")?,
        CommentObject::View => relation(catalog, name, "view")?,
        CommentObject::MaterializedView => relation(catalog, name, "materialized view")?,
        CommentObject::Column => column(catalog, name)?,
        CommentObject::Function => function(catalog, name)?,
        CommentObject::Type | CommentObject::Domain => {
            Commented::Type(catalog.get_type(&springtide_sql::type_name(name)?)?.id)
        }
        CommentObject::Schema => {
            let name = springtide_sql::object_name(name)?;
            Commented::schema(catalog.get_schema(&name.name)?)
        }
        CommentObject::Database => Commented::Database,
        other => return Err(SqlError::unsupported(format!("COMMENT ON {other}"))),
    })
}

fn relation(catalog: &Catalog, name: &ObjectName, kind: &str) -> Result<Commented> {
    let relation = catalog.get(&springtide_sql::object_name(name)?)?;
    if relation.kind_name() == kind {
        return Ok(Commented::Relation(relation.id));
    }
    let message = format!("\"{}\" is not a {kind}", relation.name);
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
}

/// `relation.column`
fn column(catalog: &Catalog, name: &ObjectName) -> Result<Commented> {
    let Some((ObjectNamePart::Identifier(column), of)) = name.0.split_last() else {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "column name must be qualified"));
    };
    if of.is_empty() {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "column name must be qualified"));
    }
    let relation: &Relation = catalog.get(&springtide_sql::object_name(&ObjectName(of.to_vec()))?)?;
    let position = super::column_position(relation, column)?;
    Ok(Commented::Column(relation.id, position))
}

fn function(catalog: &Catalog, name: &ObjectName) -> Result<Commented> {
    match catalog.functions(&springtide_sql::object_name(name)?).as_slice() {
        [function] => Ok(Commented::Function(function.id)),
        [] => {
            let message = format!("could not find a function named \"{name}\"");
            Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
        }
        _ => {
            let message = format!("function name \"{name}\" is not unique");
            Err(SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message))
        }
    }
}

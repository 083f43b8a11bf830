//! CREATE TYPE and ALTER TYPE, of enums.

use springtide_catalog::{Catalog, TypeKind, UserType};
use springtide_sql::sqlparser::ast::{
    AlterType, AlterTypeAddValue, AlterTypeAddValuePosition, AlterTypeOperation, Ident, ObjectName,
    UserDefinedTypeRepresentation,
};
use springtide_types::{EnumId, EnumLabels, Result, SqlError, SqlState, no_label};

use super::{Context, ast, rename_type};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// CREATE TYPE ... AS ENUM.
pub(super) fn create(
    transaction: &mut Transaction,
    name: &ObjectName,
    representation: Option<&UserDefinedTypeRepresentation>,
) -> Result<Response> {
    let labels = match representation {
        Some(UserDefinedTypeRepresentation::Enum { labels }) => labels,
        Some(UserDefinedTypeRepresentation::Composite { .. }) => {
            return Err(SqlError::unsupported("a composite type").with_hint("Use a table, or jsonb."));
        }
        Some(UserDefinedTypeRepresentation::Range { .. }) => {
            return Err(SqlError::unsupported("a range type of one's own"));
        }
        _ => return Err(SqlError::unsupported("a base type")),
    };
    let labels = labels.iter().map(label).collect::<Result<Vec<_>>>()?;
    let mut catalog = transaction.catalog();
    let labels = EnumLabels::new(labels)?;
    let (mark, stamp) = EnumId::reserve()?;
    let kind = TypeKind::Enum { mark, stamp, labels };
    catalog.create_type(&springtide_sql::type_name(name)?, kind)?.publish()?;
    transaction.set_catalog(catalog);
    Ok(Response::complete("CREATE TYPE"))
}

/// The text of a label, which is written as a string.
fn label(ident: &Ident) -> Result<&str> {
    match ident.quote_style {
        Some('\'') => Ok(&ident.value),
        _ => Err(SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{ident}\""))),
    }
}

/// ALTER TYPE, but for its owner.
pub(super) fn alter(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    alter: &AlterType,
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let known = catalog.get_type(&springtide_sql::type_name(&alter.name)?)?.as_ref().clone();
    match &alter.operation {
        AlterTypeOperation::Rename(rename) => {
            rename_type::rename(context.planner, &mut catalog, &known, &ast::fold(&rename.new_name))?;
        }
        AlterTypeOperation::AddValue(add) => {
            if let Some(changed) = with_value(context, &known, add)? {
                catalog.replace_type(changed);
            }
        }
        AlterTypeOperation::RenameValue(rename) => {
            let (from, to) = (label(&rename.from)?, label(&rename.to)?);
            let mut changed = known.clone();
            let TypeKind::Enum { labels, .. } = &mut changed.kind else { return Err(no_enum(&known)) };
            labels.rename(from, to)?;
            rename_type::check_label_is_free_to_change(context.planner, &catalog, &known, from)?;
            catalog.replace_type(changed);
        }
    }
    publish_new(transaction, &catalog, &known)?;
    transaction.set_catalog(catalog);
    Ok(Response::complete("ALTER TYPE"))
}

/// The type with another value; `None` if it is there and may be.
fn with_value(
    context: &mut Context<'_>,
    known: &UserType,
    add: &AlterTypeAddValue,
) -> Result<Option<UserType>> {
    let name = label(&add.value)?;
    let mut changed = known.clone();
    let TypeKind::Enum { labels, .. } = &mut changed.kind else { return Err(no_enum(known)) };
    if add.if_not_exists && labels.position(name).is_some() {
        let mut notice = Notice::new(format!("enum label \"{name}\" already exists, skipping"));
        notice.error.sqlstate = SqlState::DUPLICATE_OBJECT;
        context.notices.push(notice);
        return Ok(None);
    }
    let beside = |ident: &Ident| {
        let name = label(ident)?;
        labels.position(name).ok_or_else(|| no_label(name))
    };
    let position = match &add.position {
        None => labels.labels().len(),
        Some(AlterTypeAddValuePosition::Before(other)) => beside(other)?,
        Some(AlterTypeAddValuePosition::After(other)) => beside(other)? + 1,
    };
    labels.insert(position, name)?;
    Ok(Some(changed))
}

/// The error where an enum is asked for.
fn no_enum(known: &UserType) -> SqlError {
    let message = format!("{} is not an enum", known.name);
    SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
}

/// Lets a type be used as it is now that nobody else has seen yet. Others are what they were until the transaction is
/// through.
fn publish_new(transaction: &Transaction, catalog: &Catalog, known: &UserType) -> Result<()> {
    let is_it = |other: &&std::sync::Arc<UserType>| other.id == known.id;
    if !transaction.shared_catalog().types().iter().any(|other| is_it(&other))
        && let Some(changed) = catalog.types().iter().find(is_it)
    {
        changed.publish()?;
    }
    Ok(())
}

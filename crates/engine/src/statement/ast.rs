//! Small changes to syntax trees before they are bound.

use springtide_catalog::{Catalog, Column, Relation};
use springtide_sql::parser;
use springtide_sql::sqlparser::ast::{
    CastKind, DataType, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableWithJoins, Value,
    ValueWithSpan,
};
use springtide_types::{Result, SqlError, SqlState, SqlType};

/// An identifier as the catalog spells it.
pub(crate) fn fold(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// An identifier that means exactly this name.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// The name of a relation that means it along every path.
pub(super) fn in_full(catalog: &Catalog, relation: &Relation) -> ObjectName {
    let schema = catalog.schema_name(relation.in_schema);
    ObjectName::from(vec![quoted(schema), quoted(&relation.name)])
}

/// `SELECT <items> FROM <from> WHERE <selection>`.
pub(crate) fn select(
    items: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> Result<Query> {
    let mut query = parse_query("SELECT 1")?;
    let select = body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    select.projection = items;
    select.from = from;
    select.selection = selection;
    Ok(query)
}

/// The SELECT of a query that is nothing but one.
pub(super) fn body(query: &mut Query) -> Option<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// A query from its text.
pub(crate) fn parse_query(sql: &str) -> Result<Query> {
    parser(sql)?.parse_query().map(|query| *query).map_err(|error| SqlError::internal(error.to_string()))
}

pub(super) fn parse_expr(sql: &str) -> Result<Expr> {
    parser(sql)?.parse_expr().map_err(|error| SqlError::internal(error.to_string()))
}

/// A name, perhaps with a schema.
pub(super) fn parse_name(sql: &str) -> Result<ObjectName> {
    parser(sql)?.parse_object_name(false).map_err(|error| SqlError::internal(error.to_string()))
}

/// The one name that a text holds, folded unless it is in quotes.
pub(super) fn unquoted(sql: &str) -> Result<String> {
    let name = parse_name(sql)?;
    let only = name.0.first().and_then(|part| part.as_ident()).filter(|_| name.0.len() == 1);
    only.map(fold).ok_or_else(|| SqlError::new(SqlState::SYNTAX_ERROR, format!("\"{sql}\" is not a name")))
}

/// A type by its name.
pub(super) fn parse_type(sql: &str) -> Result<DataType> {
    parser(sql)?.parse_data_type().map_err(|error| SqlError::internal(error.to_string()))
}

/// What stands for the value of a column in an assignment: a string literal takes the column's type, as
/// PostgreSQL's literals of unknown type do, and DEFAULT takes the column's default.
pub(crate) fn assigned(expr: &Expr, column: &Column) -> Result<Expr> {
    if is_default(expr) {
        return match column.default.as_ref().filter(|_| column.generated().is_none()) {
            Some(default) => assigned(&parse_expr(&default.expr)?, column),
            None => cast_to(Expr::Value(Value::Null.into()), column.sql_type.unconstrained()),
        };
    }
    let is_literal = string_literal(expr).is_some()
        || matches!(expr, Expr::Value(ValueWithSpan { value: Value::Placeholder(_) | Value::Null, .. }));
    // An explicit cast to varchar(n) would cut the value; an assignment refuses it.
    let is_text = matches!(column.sql_type, SqlType::Text | SqlType::Varchar(_));
    if !is_literal || is_text {
        return Ok(expr.clone());
    }
    // Nor would it refuse what is too long for an element.
    let is_array = column.sql_type.element().is_some();
    cast_to(expr.clone(), if is_array { column.sql_type.unconstrained() } else { column.sql_type })
}

/// `expr::sql_type`
pub(crate) fn cast_to(expr: Expr, sql_type: SqlType) -> Result<Expr> {
    let data_type = match springtide_sql::type_in_cast(sql_type) {
        Some(data_type) => data_type,
        None => parse_type(&sql_type.to_string())?,
    };
    let (kind, expr) = (CastKind::DoubleColon, Box::new(expr));
    Ok(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// The text of a string literal, `'...'`, `E'...'` or `$$...$$`.
pub(super) fn string_literal(expr: &Expr) -> Option<&str> {
    let Expr::Value(literal) = expr else { return None };
    match &literal.value {
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text) => Some(text),
        Value::DollarQuotedString(quoted) => Some(&quoted.value),
        _ => None,
    }
}

/// The keyword DEFAULT in the place of a value.
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// The number of a placeholder `$n`, from 0.
pub(super) fn placeholder(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(text), .. }) => {
            text.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
        }
        Expr::Cast { expr, .. } => placeholder(expr),
        _ => None,
    }
}

/// Notes that the value of `column` is given by the placeholder `expr`, if it is one and has no type yet.
pub(super) fn hint_parameter(hints: &mut Vec<Option<SqlType>>, expr: &Expr, column: &Column) {
    if let Expr::Value(_) = expr
        && let Some(index) = placeholder(expr)
    {
        if hints.len() <= index {
            hints.resize(index + 1, None);
        }
        hints[index].get_or_insert(column.sql_type);
    }
}

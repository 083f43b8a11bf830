//! What SET assigns: columns, and an expression for each.

use springtide_catalog::{DefaultKind, Relation};
use springtide_sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    Query, SelectItem, SetExpr,
};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::ast;

/// The columns that assignments change, and the items of a SELECT that returns the new values of those columns.
pub(super) fn assigned(
    table: &Relation,
    set: &[Assignment],
    hints: &mut Vec<Option<SqlType>>,
) -> Result<(Vec<usize>, Vec<SelectItem>)> {
    let (mut items, mut columns) = (Vec::new(), Vec::new());
    for (column, value) in assignments(table, set)? {
        let target = &table.columns[column];
        if columns.contains(&column) {
            let message = format!("multiple assignments to same column \"{}\"", target.name);
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        if target.identity() == Some(DefaultKind::Always) && !ast::is_default(&value) {
            let message = format!("column \"{}\" can only be updated to DEFAULT", target.name);
            return Err(super::insert::generated_always(message, &target.name));
        }
        if target.generated().is_some() && !ast::is_default(&value) {
            let message = format!("column \"{}\" can only be updated to DEFAULT", target.name);
            return Err(super::generated::given(message, &target.name));
        }
        ast::hint_parameter(hints, &value, target);
        items.push(aliased(ast::assigned(&value, target)?, format!("new{}", columns.len())));
        columns.push(column);
    }
    Ok((columns, items))
}

/// The items of a SELECT that returns the row of a table as it is.
pub(super) fn old_row(table: &Relation, qualifier: &Ident) -> Vec<SelectItem> {
    let columns = table.columns.iter().enumerate().map(|(position, column)| {
        let column = Expr::CompoundIdentifier(vec![qualifier.clone(), ast::quoted(&column.name)]);
        aliased(column, format!("old{position}"))
    });
    columns.collect()
}

pub(super) fn aliased(expr: Expr, alias: String) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: ast::quoted(&alias) }
}

fn assignments(table: &Relation, assignments: &[Assignment]) -> Result<Vec<(usize, Expr)>> {
    let mut found = Vec::new();
    for assignment in assignments {
        match &assignment.target {
            AssignmentTarget::ColumnName(name) => {
                found.push((assigned_column(table, name)?, assignment.value.clone()));
            }
            AssignmentTarget::Tuple(names) => {
                let values = values(&assignment.value, names.len())?;
                for (name, value) in names.iter().zip(values) {
                    found.push((assigned_column(table, name)?, value));
                }
            }
        }
    }
    Ok(found)
}

/// The values of a row that is assigned to several columns: `(a, b)`, `ROW(a, b)` or a query of one row.
fn values(row: &Expr, columns: usize) -> Result<Vec<Expr>> {
    let values = match row {
        Expr::Tuple(values) => values.clone(),
        Expr::Nested(value) => match value.as_ref() {
            Expr::Subquery(_) => return values(value, columns),
            _ if columns == 1 => vec![value.as_ref().clone()],
            _ => return Err(not_a_row()),
        },
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("row") => {
            row_values(&call.args).ok_or_else(not_a_row)?
        }
        Expr::Subquery(query) => values_of_query(query, columns)?,
        _ => return Err(not_a_row()),
    };
    if values.len() != columns {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            "number of columns does not match number of values",
        ));
    }
    Ok(values)
}

fn not_a_row() -> SqlError {
    let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

fn row_values(arguments: &FunctionArguments) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = arguments else { return None };
    let values = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    values.collect()
}

/// For each column of a query a query for it alone.
fn values_of_query(query: &Query, columns: usize) -> Result<Vec<Expr>> {
    if let SetExpr::Select(select) = query.body.as_ref() {
        let plain =
            |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        if select.distinct.is_none() && select.projection.iter().all(plain) {
            let alone = (0..select.projection.len()).map(|position| {
                let mut query = query.clone();
                if let Some(select) = ast::body(&mut query) {
                    select.projection = vec![select.projection.swap_remove(position)];
                }
                Expr::Subquery(Box::new(query))
            });
            return Ok(alone.collect());
        }
    }
    let names = (0..columns).map(|column| format!("\"?{column}\"")).collect::<Vec<_>>().join(", ");
    let alone = (0..columns).map(|column| {
        let query = ast::parse_query(&format!("SELECT \"?{column}\" FROM ({query}) AS \"?row\" ({names})"))?;
        Ok(Expr::Subquery(Box::new(query)))
    });
    alone.collect()
}

fn assigned_column(table: &Relation, name: &ObjectName) -> Result<usize> {
    match name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(ident) => super::column_position(table, ident),
            None => Err(SqlError::unsupported("this form of column name")),
        },
        // PostgreSQL takes `t.a` for the field `a` of a column `t`.
        [first, ..] => {
            let first = first.as_ident().cloned().unwrap_or_else(|| ast::quoted(""));
            super::column_position(table, &first)
                .and(Err(SqlError::unsupported("assigning to a field of a column")))
        }
        [] => Err(SqlError::internal("an empty name")),
    }
}

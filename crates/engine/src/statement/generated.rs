//! Generated columns: their values are computed from the rest of the row whenever it is written.

use std::sync::Arc;

use arrow::array::ArrayRef;
use springtide_catalog::{Catalog, Column, Relation};
use springtide_sql::sqlparser::ast::{Expr, SelectItem};
use springtide_sql::{BeyondRows, Planner};
use springtide_types::{Result, SqlError, SqlState};

use super::sides::{Others, OverSides, Side};
use super::{ast, ddl, internal};

/// Rows that a query goes through one after the other.
const MOST_IN_ORDER: usize = 8192;

/// The generated columns of a table, and the query for their values.
#[derive(Clone)]
pub(super) struct Generated(Option<Arc<(Vec<usize>, OverSides)>>);

impl Generated {
    pub(super) fn bind(planner: &Planner, catalog: &Catalog, table: &Relation) -> Result<Generated> {
        let (mut positions, mut items) = (Vec::new(), Vec::new());
        for (position, column) in table.columns.iter().enumerate() {
            if let Some(expr) = column.generated() {
                items.push(SelectItem::UnnamedExpr(in_type_of(expr, column)?));
                positions.push(position);
            }
        }
        if positions.is_empty() {
            return Ok(Generated(None));
        }
        Ok(Generated(Some(Arc::new((positions, over(planner, catalog, table, &items)?)))))
    }

    /// The positions of the columns.
    pub(super) fn positions(&self) -> &[usize] {
        self.0.as_ref().map_or(&[], |generated| &generated.0)
    }

    /// Puts the values into rows that are given by their columns.
    pub(super) async fn fill(
        &self,
        planner: &Planner,
        table: &Relation,
        columns: &mut [ArrayRef],
    ) -> Result<()> {
        let Some((positions, values)) = self.0.as_deref() else { return Ok(()) };
        let rows = columns.first().map_or(0, |column| column.len());
        let mut computed = vec![Vec::<ArrayRef>::new(); positions.len()];
        // In pieces that are computed by one thread each, and so in order.
        for start in (0..rows).step_by(MOST_IN_ORDER) {
            let length = MOST_IN_ORDER.min(rows - start);
            let piece = columns.iter().map(|column| column.slice(start, length)).collect();
            for batch in values.run(planner, Others::new(), vec![piece], length, &[]).await? {
                for (column, values) in computed.iter_mut().zip(batch.columns()) {
                    column.push(values.clone());
                }
            }
        }
        for (position, values) in positions.iter().zip(computed) {
            let values = values.iter().map(AsRef::as_ref).collect::<Vec<_>>();
            if !values.is_empty() {
                let values = arrow::compute::concat(&values).map_err(internal)?;
                columns[*position] =
                    springtide_sql::assign(&[values], &[&table.columns[*position]])?.remove(0);
            }
        }
        Ok(())
    }
}

/// Checks the expressions of the generated columns of a table, and notes the functions that they call. Fails with `42P17` for
/// one that can't be used.
pub(super) fn check(planner: &Planner, catalog: &Catalog, table: &mut Relation) -> Result<()> {
    for position in 0..table.columns.len() {
        let column = &table.columns[position];
        let Some(text) = column.generated() else { continue };
        let parsed = ast::parse_expr(text)?;
        check_columns(table, &parsed)?;
        let expr = SelectItem::UnnamedExpr(in_type_of(text, column)?);
        let value = over(planner, catalog, table, &[expr])?;
        check_value(&value, &parsed)?;
        ddl::check_default_type(value.bound(), column)?;
        let functions = value.bound().functions().to_vec();
        if let Some(default) = &mut table.columns[position].default {
            default.functions = functions;
        }
    }
    Ok(())
}

fn check_columns(table: &Relation, expr: &Expr) -> Result<()> {
    let named = super::checks::named_columns(table, expr);
    match named.iter().find(|column| table.columns[**column].generated().is_some()) {
        None => Ok(()),
        Some(column) => {
            let name = &table.columns[*column].name;
            let message = format!("cannot use generated column \"{name}\" in column generation expression");
            Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message)
                .with_detail("A generated column cannot reference another generated column."))
        }
    }
}

fn check_value(value: &OverSides, expr: &Expr) -> Result<()> {
    if springtide_sql::any_query(expr) {
        let message = "cannot use subquery in column generation expression";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let (state, what) = match value.bound().beyond_rows() {
        None => (SqlState::INTERNAL_ERROR, ""),
        Some(BeyondRows::Aggregates) => (SqlState::GROUPING_ERROR, "aggregate functions"),
        Some(BeyondRows::Windows) => (SqlState::WINDOWING_ERROR, "window functions"),
        Some(BeyondRows::Sets) => (SqlState::FEATURE_NOT_SUPPORTED, "set-returning functions"),
    };
    if !what.is_empty() {
        return Err(SqlError::new(state, format!("{what} are not allowed in column generation expressions")));
    }
    if !value.parameters().is_empty() {
        return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    if !value.bound().is_immutable() {
        let message = "generation expression is not immutable";
        return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(())
}

/// The generated columns that are computed from a column.
pub(super) fn computed_from(table: &Relation, position: usize) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        if let Some(text) = column.generated()
            && super::checks::named_columns(table, &ast::parse_expr(text)?).contains(&position)
        {
            found.push(at);
        }
    }
    Ok(found)
}

/// The error about a value that is given for a generated column.
pub(super) fn given(message: String, column: &str) -> SqlError {
    SqlError::new(SqlState::GENERATED_ALWAYS, message)
        .with_detail(format!("Column \"{column}\" is a generated column."))
}

fn in_type_of(expr: &str, column: &Column) -> Result<Expr> {
    ast::assigned(&ast::parse_expr(expr)?, column)
}

fn over(planner: &Planner, catalog: &Catalog, table: &Relation, items: &[SelectItem]) -> Result<OverSides> {
    let side = Side::new(ast::quoted(&table.name), &table.columns, true);
    OverSides::bind(planner, catalog, &[side], None, items, None, &[])
}

//! Comparisons of rows, as comparisons of their columns:
//!
//! ```text
//! (a, b) = (c, d)             is   a = c AND b = d
//! (a, b) < (c, d)             is   a < c OR a = c AND b < d
//! (a, b) IN (SELECT ...)      is   EXISTS (SELECT 1 FROM (SELECT ...) AS r (x, y) WHERE r.x = a AND r.y = b)
//! ```
//!
//! The last one where only true counts; elsewhere it is a CASE of three values.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, Ident, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    VisitorMut,
};
use springtide_catalog::Name;
use springtide_types::{Result, SqlError, SqlState};

use crate::desugar::unnamed_arguments;
use crate::names::object_name;
use crate::walk::{Stop, flow, walk_mut};

/// Rewrites all comparisons of rows.
pub(crate) fn compare_columns(query: &mut Query) -> Result<()> {
    walk_mut(query, &mut Rewrite)
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = Stop;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(select.selection.as_mut().map_or(Ok(()), where_true))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        flow(rewritten(expr).map(|changed| {
            if let Some(changed) = changed {
                *expr = changed;
            }
        }))
    }
}

/// `IN` of a row where nothing but true counts.
fn where_true(condition: &mut Expr) -> Result<()> {
    match condition {
        Expr::Nested(inner) => where_true(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            where_true(left)?;
            where_true(right)
        }
        Expr::InSubquery { expr, subquery, negated: false } => {
            if let Some(row) = row(expr) {
                let (mut query, columns) = over(subquery, row.len())?;
                let select = select_mut(&mut query)?;
                select.projection = vec![SelectItem::UnnamedExpr(parsed("1")?)];
                select.selection = Some(compared(&columns, &BinaryOperator::Eq, &row)?);
                *condition = Expr::Exists { subquery: Box::new(query), negated: false };
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn rewritten(expr: &Expr) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::BinaryOp { left, op, right } if is_comparison(op) => {
            match (row(left), row(right), query(right)) {
                (Some(left), Some(right), _) => Some(compared(&left, op, &right)?),
                (Some(left), None, Some(query)) => Some(with_row_of(&left, op, query)?),
                _ => None,
            }
        }
        Expr::IsDistinctFrom(left, right) => distinct(left, right, false)?,
        Expr::IsNotDistinctFrom(left, right) => distinct(left, right, true)?,
        Expr::IsNull(value) => row(value).and_then(|row| all(row, |column| Expr::IsNull(Box::new(column)))),
        Expr::IsNotNull(value) => {
            row(value).and_then(|row| all(row, |column| Expr::IsNotNull(Box::new(column))))
        }
        Expr::InList { expr, list, negated } => match row(expr) {
            Some(left) => {
                let equal = list.iter().map(|item| match row(item) {
                    Some(right) => compared(&left, &BinaryOperator::Eq, &right),
                    None => Err(unequal()),
                });
                let any = equal.collect::<Result<Vec<_>>>()?.into_iter().reduce(or);
                any.map(|any| if *negated { not(any) } else { any })
            }
            None => None,
        },
        Expr::InSubquery { expr, subquery, negated } => match row(expr) {
            Some(row) => {
                let found = member(&row, subquery)?;
                Some(if *negated { not(found) } else { found })
            }
            None => None,
        },
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match (row(left), query(right)) {
            (Some(row), Some(query)) => Some(member(&row, query)?),
            _ => None,
        },
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => match (row(left), query(right)) {
            (Some(row), Some(query)) => Some(not(member(&row, query)?)),
            _ => None,
        },
        _ => None,
    })
}

/// The columns of a row.
fn row(expr: &Expr) -> Option<Vec<Expr>> {
    let is_row =
        |function: &Function| object_name(&function.name).is_ok_and(|name| name == Name::bare("row"));
    match expr {
        Expr::Nested(inner) => row(inner),
        Expr::Tuple(columns) => Some(columns.clone()),
        Expr::Function(function) if is_row(function) => {
            unnamed_arguments(function).filter(|row| !row.is_empty())
        }
        _ => None,
    }
}

fn query(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Nested(inner) => query(inner),
        Expr::Subquery(query) => Some(query),
        _ => None,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn unequal() -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions")
}

fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Expr> {
    if left.len() != right.len() {
        return Err(unequal());
    }
    let pairs = || left.iter().cloned().zip(right.iter().cloned());
    let none = || SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length");
    let strict = match op {
        BinaryOperator::Eq | BinaryOperator::NotEq => {
            let parts = pairs().map(|(left, right)| operation(left, op.clone(), right));
            let join = if *op == BinaryOperator::Eq { and } else { or };
            return parts.reduce(join).ok_or_else(none);
        }
        BinaryOperator::LtEq => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::Gt,
        other => other.clone(),
    };
    // From the last column, which alone may be equal.
    let mut decided = None;
    for (left, right) in pairs().collect::<Vec<_>>().into_iter().rev() {
        decided = Some(match decided {
            None => operation(left, op.clone(), right),
            Some(rest) => {
                let less = operation(left.clone(), strict.clone(), right.clone());
                or(less, and(operation(left, BinaryOperator::Eq, right), rest))
            }
        });
    }
    decided.ok_or_else(none)
}

fn distinct(left: &Expr, right: &Expr, negated: bool) -> Result<Option<Expr>> {
    let (Some(left), Some(right)) = (row(left), row(right)) else { return Ok(None) };
    if left.len() != right.len() {
        return Err(unequal());
    }
    let pairs = left.into_iter().zip(right).map(|(left, right)| (Box::new(left), Box::new(right)));
    Ok(match negated {
        true => pairs.map(|(left, right)| Expr::IsNotDistinctFrom(left, right)).reduce(and),
        false => pairs.map(|(left, right)| Expr::IsDistinctFrom(left, right)).reduce(or),
    })
}

/// Whether the row is among those of a query, as one of three values.
fn member(row: &[Expr], query: &Query) -> Result<Expr> {
    let (mut rows, columns) = over(query, row.len())?;
    let equal = compared(&columns, &BinaryOperator::Eq, row)?;
    select_mut(&mut rows)?.projection =
        vec![SelectItem::ExprWithAlias { expr: equal, alias: Ident::with_quote('"', "$equal") }];
    let mut whole = parsed_query(
        "SELECT CASE WHEN bool_or(\"$equal\") THEN true WHEN bool_or(\"$equal\" IS NULL) THEN NULL ELSE false END AS \"?column?\" \
         FROM (SELECT 1) AS \"$rows\"",
    )?;
    *subquery_mut(&mut whole)? = rows;
    Ok(Expr::Subquery(Box::new(whole)))
}

/// The comparison with the only row of a query.
fn with_row_of(row: &[Expr], op: &BinaryOperator, query: &Query) -> Result<Expr> {
    let (mut rows, columns) = over(query, row.len())?;
    let value = compared(row, op, &columns)?;
    select_mut(&mut rows)?.projection = vec![SelectItem::UnnamedExpr(value)];
    Ok(Expr::Subquery(Box::new(rows)))
}

/// A SELECT from a query, and the columns of that.
fn over(query: &Query, width: usize) -> Result<(Query, Vec<Expr>)> {
    let names = (1..=width).map(|position| format!("\"${position}\"")).collect::<Vec<_>>();
    let mut rows = parsed_query(&format!("SELECT 1 FROM (SELECT 1) AS \"$row\" ({})", names.join(", ")))?;
    *subquery_mut(&mut rows)? = query.clone();
    let columns = names.iter().map(|name| parsed(&format!("\"$row\".{name}")));
    Ok((rows, columns.collect::<Result<_>>()?))
}

fn operation(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let (left, right) = (Box::new(left), Box::new(right));
    Expr::Nested(Box::new(Expr::BinaryOp { left, op, right }))
}

fn and(left: Expr, right: Expr) -> Expr {
    operation(left, BinaryOperator::And, right)
}

fn or(left: Expr, right: Expr) -> Expr {
    operation(left, BinaryOperator::Or, right)
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: datafusion::sql::sqlparser::ast::UnaryOperator::Not, expr: Box::new(expr) }
}

fn all(row: Vec<Expr>, test: impl Fn(Expr) -> Expr) -> Option<Expr> {
    row.into_iter().map(test).reduce(and)
}

fn parsed(text: &str) -> Result<Expr> {
    crate::parser(text)?.parse_expr().map_err(|error| SqlError::internal(error.to_string()))
}

fn parsed_query(text: &str) -> Result<Query> {
    match crate::parse(text)?.pop().map(|statement| statement.ast) {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(SqlError::internal("a query is a query")),
    }
}

fn select_mut(query: &mut Query) -> Result<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(select),
        _ => Err(SqlError::internal("a SELECT is one")),
    }
}

fn subquery_mut(query: &mut Query) -> Result<&mut Query> {
    match select_mut(query)?.from.as_mut_slice() {
        [table] => match &mut table.relation {
            TableFactor::Derived { subquery, .. } => Ok(subquery),
            _ => Err(SqlError::internal("a subquery is one")),
        },
        _ => Err(SqlError::internal("FROM has one entry")),
    }
}

//! CHECK constraints: each is a query for the rows that violate it, over the rows that are written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Check, Relation};
use springtide_sql::sqlparser::ast::{Expr, Ident, UnaryOperator};
use springtide_sql::{BoundQuery, Planner, Scan, Time};
use springtide_types::{Result, SqlError, SqlState, SqlType, ZBatch};

use super::ast;
use super::domain::of_column;
use crate::constraints::{constraint_of, values_text};

/// The CHECK constraints of a table and of the domains of its columns, bound.
#[derive(Clone)]
pub(super) struct Checks {
    own: Arc<[(String, BoundQuery)]>,
    of_domains: Arc<[(SqlError, BoundQuery)]>,
}

impl Checks {
    /// Those of a table, in the order in which they are checked: that of their names.
    pub(super) fn bind(planner: &Planner, catalog: &Catalog, table: &Relation) -> Result<Checks> {
        let checks = table.rules().checks.iter();
        let bound = checks.map(|check| {
            Ok((check.name.clone(), violations(planner, catalog, table, &ast::parse_expr(&check.expr)?)?))
        });
        let mut bound = bound.collect::<Result<Vec<_>>>()?;
        bound.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(Checks { own: bound.into(), of_domains: of_domains(planner, catalog, table)?.into() })
    }

    /// Fails with `23514` if one of the rows violates a constraint.
    pub(super) async fn check(&self, planner: &Planner, table: &Relation, rows: &RecordBatch) -> Result<()> {
        for (error, query) in self.of_domains.iter() {
            if violating(planner, query, table, vec![ZBatch::inserts(rows.clone())]).await?.is_some() {
                return Err(error.clone());
            }
        }
        for (name, query) in self.own.iter() {
            let found = violating(planner, query, table, vec![ZBatch::inserts(rows.clone())]).await?;
            if let Some(row) = found {
                let relation = &table.name;
                let message =
                    format!("new row for relation \"{relation}\" violates check constraint \"{name}\"");
                let detail = format!("Failing row contains ({}).", values_text(row.columns(), 0));
                return Err(SqlError::new(SqlState::CHECK_VIOLATION, message)
                    .with_detail(detail)
                    .about(constraint_of(table, name)));
            }
        }
        Ok(())
    }
}

/// Fails with `23514` if rows that a table has violate a constraint that is new.
pub(super) async fn check_existing(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    check: &Check,
    rows: Vec<ZBatch>,
) -> Result<()> {
    let query = violations(planner, catalog, table, &ast::parse_expr(&check.expr)?)?;
    match violating(planner, &query, table, rows).await? {
        None => Ok(()),
        Some(_) => {
            let message = format!(
                "check constraint \"{}\" of relation \"{}\" is violated by some row",
                check.name, table.name
            );
            let subject = constraint_of(table, &check.name);
            Err(SqlError::new(SqlState::CHECK_VIOLATION, message).about(subject))
        }
    }
}

/// What the values of columns of domains must fulfil: the error about one that doesn't, and the query that finds it.
fn of_domains(planner: &Planner, catalog: &Catalog, table: &Relation) -> Result<Vec<(SqlError, BoundQuery)>> {
    let mut bound = Vec::new();
    for column in &table.columns {
        let Some(domain) = column.domain.and_then(|id| catalog.types().by_id(id)) else { continue };
        let mut add = |condition: &str, error: SqlError| -> Result<()> {
            let condition = of_column(condition, &column.name)?;
            bound.push((error, violations(planner, catalog, table, &condition)?));
            Ok(())
        };
        let domains = catalog.types().domains_in(domain.id);
        if domains.iter().any(|it| it.not_null) {
            add("value IS NOT NULL", springtide_sql::no_null_of(&domain.name))?;
        }
        for check in domains.iter().flat_map(|it| &it.checks) {
            add(&check.expr, springtide_sql::no_value_of(&domain.name, &check.name))?;
        }
    }
    Ok(bound)
}

/// Whether rows that a table has violate a condition.
pub(super) async fn is_violated(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    condition: &Expr,
    rows: Vec<ZBatch>,
) -> Result<bool> {
    let query = violations(planner, catalog, table, condition)?;
    Ok(violating(planner, &query, table, rows).await?.is_some())
}

/// The first rows that a query finds, if it finds any.
async fn violating(
    planner: &Planner,
    query: &BoundQuery,
    table: &Relation,
    rows: Vec<ZBatch>,
) -> Result<Option<RecordBatch>> {
    let contents = HashMap::from([(Scan::present(table.id), rows)]);
    let mut found = planner.execute(query, &contents, &[]).await?;
    while let Some(batch) = found.try_next().await? {
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

/// `SELECT * FROM table WHERE NOT (expr)`; what is NULL is fulfilled.
fn violations(planner: &Planner, catalog: &Catalog, table: &Relation, expr: &Expr) -> Result<BoundQuery> {
    let mut query = ast::parse_query(&format!("SELECT * FROM {}", ast::in_full(catalog, table)))?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    let expr = Box::new(Expr::Nested(Box::new(expr.clone())));
    select.selection = Some(Expr::UnaryOp { op: UnaryOperator::Not, expr });
    planner.bind(&query, &catalog.for_stored(), &[])
}

/// A CHECK constraint as it is declared: the columns that it names, and the functions that it calls. The table must be in
/// the catalog already. Fails with `42804` unless the expression is a condition.
pub(super) fn declared(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    (number, name): (u64, String),
    expr: &Expr,
) -> Result<Check> {
    let mut query = ast::parse_query(&format!("SELECT 1 FROM {}", ast::in_full(catalog, table)))?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    select.projection = vec![springtide_sql::sqlparser::ast::SelectItem::UnnamedExpr(expr.clone())];
    let value = planner.bind(&query, catalog, &[])?;
    if value.depends_on().len() > 1 || value.scans().iter().any(|scan| scan.time != Time::Present) {
        let message = "cannot use subquery in check constraint";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if !value.parameters().is_empty() {
        return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let given = value.columns().first().map_or(SqlType::Text, |column| column.sql_type);
    if given != SqlType::Boolean {
        let message = format!("argument of CHECK must be type boolean, not type {given}");
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut kept = expr.clone();
    springtide_sql::qualified(catalog).expr(&mut kept)?;
    let query = violations(planner, catalog, table, &kept)?;
    let columns = named_columns(table, expr);
    Ok(Check { number, name, expr: kept.to_string(), columns, functions: query.functions().to_vec() })
}

/// Positions of the columns of a table that an expression names, in order.
pub(super) fn named_columns(table: &Relation, expr: &Expr) -> Vec<usize> {
    let names = springtide_sql::columns_named(expr);
    let is_named = |name: &str| names.iter().any(|ident: &Ident| ast::fold(ident) == name);
    let positions = table.columns.iter().enumerate().filter(|(_, column)| is_named(&column.name));
    positions.map(|(position, _)| position).collect()
}

//! COPY: which rows go where, and in which format.

use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_sql::sqlparser::ast::{
    self as sql, CopySource, CopyTarget, Expr, Ident, ObjectName, Query, SelectItem, SetExpr, TableFactor,
    TableWithJoins,
};
use springtide_sql::{CopyOption, CopyValue, Planner, Statement};
use springtide_types::{Result, SqlError, SqlState};

use super::Bound;
use super::ast;
use super::copy_in::Copy;
use super::query::Select;
use super::sides::{OverSides, Side};
use super::target::Target;
use crate::copy_format::{Format, format};

/// A bound `COPY … TO STDOUT`.
#[derive(Clone)]
pub(crate) struct CopyOut {
    pub(super) select: Select,
    pub(super) format: Format,
}

/// Binds a COPY under a catalog.
pub(super) fn bind(planner: &Planner, catalog: &Catalog, statement: &Statement) -> Result<Bound> {
    let sql::Statement::Copy { source, to, target, .. } = &statement.ast else {
        return Err(SqlError::internal("not a COPY statement"));
    };
    match (source, target, *to) {
        (CopySource::Table { table_name, columns }, CopyTarget::Stdin, false) => {
            let table = Target::find(planner, catalog, table_name, "copy to")?;
            let columns = copied_columns(&table, columns)?;
            let names = columns.iter().map(|column| table.columns[*column].name.clone()).collect::<Vec<_>>();
            let (conditions, options) =
                statement.copy_options.iter().cloned().partition::<Vec<_>, _>(is_condition);
            let format = format(&options, &names, true)?;
            let filter =
                conditions.first().map(|option| filter(planner, catalog, &table, option)).transpose()?;
            Ok(Bound::Copy(Copy::new(table, columns, names, format, filter.flatten())))
        }
        (CopySource::Table { table_name, columns }, CopyTarget::Stdout, true) => {
            let query = rows_of(catalog, table_name, columns)?;
            out(planner, catalog, &query, statement)
        }
        (CopySource::Query(query), CopyTarget::Stdout, true) => {
            if !matches!(query.body.as_ref(), SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)) {
                return out(planner, catalog, query, statement);
            }
            Err(SqlError::unsupported("COPY of what RETURNING gives"))
        }
        (_, CopyTarget::File { .. } | CopyTarget::Program { .. }, _) => {
            Err(SqlError::unsupported("COPY from or to a file or program of the server")
                .with_hint("COPY FROM STDIN and TO STDOUT, such as psql's \\copy, use files of the client."))
        }
        (_, CopyTarget::Stdin, true) => Err(near("stdin")),
        (_, CopyTarget::Stdout, false) => Err(near("stdout")),
        (CopySource::Query(_), CopyTarget::Stdin, false) => Err(near("from")),
    }
}

/// The columns that are copied: those that are listed, or all but the generated ones.
fn copied_columns(relation: &Relation, names: &[Ident]) -> Result<Vec<usize>> {
    let is_generated = |position: &usize| relation.columns[*position].generated().is_some();
    if names.is_empty() {
        return Ok((0..relation.columns.len()).filter(|position| !is_generated(position)).collect());
    }
    let columns = super::column_positions(relation, names)?;
    if let Some(generated) = columns.iter().find(|position| is_generated(position)) {
        let message = format!("column \"{}\" is a generated column", relation.columns[*generated].name);
        return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
            .with_detail("Generated columns cannot be used in COPY."));
    }
    Ok(columns)
}

fn is_condition(option: &CopyOption) -> bool {
    matches!(option.value, CopyValue::Condition(_))
}

/// The query for the rows that fulfil the condition of COPY ... WHERE.
fn filter(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    option: &CopyOption,
) -> Result<Option<OverSides>> {
    let CopyValue::Condition(condition) = &option.value else { return Ok(None) };
    if springtide_sql::any_query(condition.as_ref()) {
        let message = "cannot use subquery in COPY FROM WHERE condition";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let side = Side::new(ast::quoted(&table.name), &table.columns, true);
    let (items, condition) = (side.all()?, condition.as_ref().clone());
    OverSides::bind(planner, catalog, &[side], None, &items, Some(condition), &[]).map(Some)
}

fn near(word: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{word}\""))
}

fn out(planner: &Planner, catalog: &Catalog, query: &Query, statement: &Statement) -> Result<Bound> {
    if statement.copy_options.iter().any(is_condition) {
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO"));
    }
    let select = Select::bind(planner, catalog, query, &[])?;
    if !select.parameters().is_empty() {
        return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let names = select.columns().into_iter().map(|column| column.name).collect::<Vec<_>>();
    let format = format(&statement.copy_options, &names, false)?;
    Ok(Bound::CopyOut(CopyOut { select, format }))
}

/// `SELECT columns FROM relation`, of what has rows of its own.
fn rows_of(catalog: &Catalog, name: &ObjectName, columns: &[Ident]) -> Result<Query> {
    let relation = catalog.get(&springtide_sql::object_name(name)?)?;
    if let RelationKind::Sequence { .. } = &relation.kind {
        let message = format!("cannot copy from sequence \"{}\"", relation.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    if matches!(relation.kind, RelationKind::View { .. }) {
        let message = format!("cannot copy from view \"{}\"", relation.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
            .with_hint("Try the COPY (SELECT ...) TO variant."));
    }
    let positions = copied_columns(relation, columns)?;
    let column = |position: usize| Expr::Identifier(ast::quoted(&relation.columns[position].name));
    let items = positions.into_iter().map(|position| SelectItem::UnnamedExpr(column(position)));
    let mut query = ast::parse_query("SELECT 1 FROM t")?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    select.projection = items.collect();
    if let [TableWithJoins { relation: TableFactor::Table { name: from, .. }, .. }] =
        select.from.as_mut_slice()
    {
        from.clone_from(name);
    }
    Ok(query)
}

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Column, Relation};
use springtide_sql::sqlparser::ast::{
    Expr, Insert as InsertAst, Query, SelectItem, SetExpr, TableObject, UnaryOperator, Value, ValueWithSpan,
    Values,
};
use springtide_sql::{BoundQuery, Planner};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType, ZBatch};

use super::ast;
use super::query::Select;
use super::target::Target;
use crate::response::Response;
use crate::transaction::Transaction;

/// A bound INSERT.
#[derive(Clone)]
pub(crate) struct Insert {
    table: Target,
    /// The table's columns that the source gives, in its order.
    columns: Vec<usize>,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// VALUES of literals and parameters: needs no query.
    Constants(Vec<Vec<Cell>>),
    Query(Select),
    /// DEFAULT VALUES
    Defaults,
}

/// A constant in VALUES.
#[derive(Clone)]
enum Cell {
    Null,
    /// The text of a literal, in the input syntax of its column's type.
    Text(String),
    Parameter(usize),
}

impl Insert {
    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        insert: &InsertAst,
        parameters: &[Option<SqlType>],
    ) -> Result<Insert> {
        refuse_unsupported(insert)?;
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into anything but a table"));
        };
        let table = Target::find(catalog, name, "insert into")?;
        let mut columns = target_columns(&table, insert)?;
        let Some(query) = &insert.source else {
            return Ok(Insert { table, columns: Vec::new(), source: Source::Defaults });
        };
        let width = width(query);
        check_width(&mut columns, width, !insert.columns.is_empty())?;
        let targets = columns.iter().map(|column| table.columns[*column].clone()).collect::<Vec<_>>();
        if let Some(cells) = constant_rows(query, &targets, parameters) {
            return Ok(Insert { table, columns, source: Source::Constants(cells) });
        }
        let mut hints = parameters.to_vec();
        let mut query = query.as_ref().clone();
        assign_in_place(&mut query, &targets, &mut hints)?;
        let select = Select::bind(planner, catalog, &query, &hints)?;
        check_width(&mut columns, Some(select.columns().len()), !insert.columns.is_empty())?;
        Ok(Insert { table, columns, source: Source::Query(select) })
    }

    pub(crate) fn scanned(&self) -> &[RelationId] {
        match &self.source {
            Source::Query(select) => select.scanned(),
            Source::Constants(_) | Source::Defaults => &[],
        }
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        match &self.source {
            Source::Query(select) => select.parameters(),
            Source::Defaults => Vec::new(),
            Source::Constants(rows) => {
                let mut types = Vec::new();
                for (cell, column) in rows.iter().flat_map(|row| row.iter().zip(&self.columns)) {
                    if let Cell::Parameter(index) = cell {
                        if types.len() <= *index {
                            types.resize(index + 1, SqlType::Text);
                        }
                        types[*index] = self.table.columns[*column].sql_type;
                    }
                }
                types
            }
        }
    }

    pub(crate) async fn run(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let inserted = match &self.source {
            Source::Constants(rows) => self.insert_constants(planner, transaction, rows, parameters).await?,
            Source::Query(select) => {
                let given = select.collect(planner, transaction, parameters).await?;
                write_batches(planner, transaction, &self.table, &self.columns, &given).await?
            }
            Source::Defaults => write_columns(planner, transaction, &self.table, &[], &[], 1).await?,
        };
        Ok(Response::complete(format!("INSERT 0 {inserted}")))
    }

    async fn insert_constants(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        rows: &[Vec<Cell>],
        parameters: &[ScalarValue],
    ) -> Result<usize> {
        let columns = self.columns.iter().enumerate().map(|(position, column)| {
            constant_column(rows, position, &self.table.columns[*column], parameters)
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        write_columns(planner, transaction, &self.table, &self.columns, &columns, rows.len()).await
    }
}

/// Whole rows of `table` from values for some of its columns: assignment casts, and defaults for the rest.
async fn table_rows(
    planner: &Planner,
    catalog: &Catalog,
    table: &Target,
    columns: &[usize],
    given: &[ArrayRef],
    rows: usize,
) -> Result<RecordBatch> {
    let targets = columns.iter().map(|column| &table.columns[*column]).collect::<Vec<_>>();
    let assigned = springtide_sql::assign(given, &targets)?;
    let mut arrays = Vec::with_capacity(table.columns.len());
    for (position, column) in table.columns.iter().enumerate() {
        arrays.push(match columns.iter().position(|given| *given == position) {
            Some(source) => assigned[source].clone(),
            None => default_values(planner, catalog, column, rows).await?,
        });
    }
    table.rows(arrays)
}

/// Inserts batches that give every column of a table.
pub(super) async fn write_all(
    planner: &Planner,
    transaction: &mut Transaction,
    table: &Target,
    batches: &[RecordBatch],
) -> Result<usize> {
    let columns = (0..table.columns.len()).collect::<Vec<_>>();
    write_batches(planner, transaction, table, &columns, batches).await
}

/// Inserts batches that give some columns of a table. Returns the number of rows.
pub(super) async fn write_batches(
    planner: &Planner,
    transaction: &mut Transaction,
    table: &Target,
    columns: &[usize],
    batches: &[RecordBatch],
) -> Result<usize> {
    let mut inserted = 0;
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let rows = batch.num_rows();
        inserted += write_columns(planner, transaction, table, columns, batch.columns(), rows).await?;
    }
    Ok(inserted)
}

async fn write_columns(
    planner: &Planner,
    transaction: &mut Transaction,
    table: &Target,
    columns: &[usize],
    given: &[ArrayRef],
    rows: usize,
) -> Result<usize> {
    let rows = table_rows(planner, transaction.visible_catalog(), table, columns, given, rows).await?;
    let inserted = rows.num_rows();
    transaction.write(table, ZBatch::inserts(rows), true)?;
    Ok(inserted)
}

/// The query that computes a column's DEFAULT.
pub(super) fn bind_default(
    planner: &Planner,
    catalog: &Catalog,
    column: &Column,
) -> Result<Option<BoundQuery>> {
    let Some(default) = &column.default else { return Ok(None) };
    let expr = ast::assigned(&ast::parse_expr(&default.expr)?, column)?;
    let query = ast::select(vec![SelectItem::UnnamedExpr(expr)], vec![], None)?;
    let bound = planner.bind(&query, catalog, &[])?;
    if !bound.depends_on().is_empty() {
        return Err(SqlError::unsupported("a DEFAULT that reads a table"));
    }
    Ok(Some(bound))
}

async fn default_values(
    planner: &Planner,
    catalog: &Catalog,
    column: &Column,
    rows: usize,
) -> Result<ArrayRef> {
    let Some(bound) = bind_default(planner, catalog, column)? else {
        return Ok(new_null_array(&column.sql_type.arrow(), rows));
    };
    let stream = planner.execute(&bound, &HashMap::new(), &[]).await?;
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    let one = batches.first().ok_or_else(|| SqlError::internal("a DEFAULT has a value"))?;
    let one = springtide_sql::assign(one.columns(), &[column])?;
    ScalarValue::try_from_array(&one[0], 0)
        .and_then(|value| value.to_array_of_size(rows))
        .map_err(|error| springtide_plan::sql_error(&error))
}

fn refuse_unsupported(insert: &InsertAst) -> Result<()> {
    let construct = if insert.on.is_some() {
        "INSERT ... ON CONFLICT"
    } else if insert.returning.is_some() {
        "INSERT ... RETURNING"
    } else if insert.replace_into || insert.overwrite {
        "REPLACE"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(construct))
}

fn target_columns(table: &Relation, insert: &InsertAst) -> Result<Vec<usize>> {
    if insert.columns.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let names = insert.columns.iter().map(|name| name.0.last().and_then(|part| part.as_ident()).cloned());
    let names =
        names.collect::<Option<Vec<_>>>().ok_or_else(|| SqlError::unsupported("this form of column name"))?;
    super::column_positions(table, &names)
}

/// The number of columns of a query, where its text alone tells.
fn width(query: &Query) -> Option<usize> {
    match query.body.as_ref() {
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        _ => None,
    }
}

/// A source may give fewer columns than the table has, but no fewer than were listed.
fn check_width(columns: &mut Vec<usize>, given: Option<usize>, listed: bool) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    let error = |message: &str| Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
    if given > columns.len() {
        return error("INSERT has more expressions than target columns");
    }
    if given < columns.len() && listed {
        return error("INSERT has more target columns than expressions");
    }
    columns.truncate(given);
    Ok(())
}

fn constant_rows(
    query: &Query,
    targets: &[Column],
    parameters: &[Option<SqlType>],
) -> Option<Vec<Vec<Cell>>> {
    let SetExpr::Values(Values { rows, .. }) = query.body.as_ref() else { return None };
    if query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some() {
        return None;
    }
    rows.iter()
        .map(|row| {
            let same_width = row.content.len() == targets.len();
            let cells =
                || row.content.iter().zip(targets).map(|(expr, column)| cell(expr, column, parameters));
            same_width.then(|| cells().collect())?
        })
        .collect()
}

/// The constant that `expr` is, if it can be read as the column's type without any cast.
fn cell(expr: &Expr, column: &Column, parameters: &[Option<SqlType>]) -> Option<Cell> {
    if ast::is_default(expr) {
        return column.default.is_none().then_some(Cell::Null);
    }
    let fits = |digits: &str| match column.sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => digits.bytes().all(|byte| byte.is_ascii_digit()),
        SqlType::Float4 | SqlType::Float8 | SqlType::Numeric(..) => true,
        _ => false,
    };
    if let Some(text) = ast::string_literal(expr) {
        return Some(Cell::Text(text.to_owned()));
    }
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::Null => Some(Cell::Null),
            Value::Number(digits, _) if fits(digits) => Some(Cell::Text(digits.clone())),
            Value::Boolean(value) if column.sql_type == SqlType::Boolean => {
                Some(Cell::Text(value.to_string()))
            }
            Value::Placeholder(_) => {
                let index = ast::placeholder(expr)?;
                let declared = parameters.get(index).copied().flatten();
                declared
                    .is_none_or(|declared| is_same(declared, column.sql_type))
                    .then_some(Cell::Parameter(index))
            }
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if fits(digits) => {
                Some(Cell::Text(format!("-{digits}")))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a parameter that a client declares to be of one type is one of the other without a cast.
fn is_same(declared: SqlType, column: SqlType) -> bool {
    let is_text = |sql_type| matches!(sql_type, SqlType::Text | SqlType::Varchar(_));
    declared == column || (is_text(declared) && is_text(column))
}

fn constant_column(
    rows: &[Vec<Cell>],
    position: usize,
    column: &Column,
    parameters: &[ScalarValue],
) -> Result<ArrayRef> {
    let cells = rows.iter().map(|row| &row[position]);
    if rows.iter().all(|row| !matches!(row[position], Cell::Parameter(_))) {
        let texts = cells.map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let texts = texts.collect::<StringArray>();
        // The length limit of a varchar is checked by the assignment, which words it as such.
        return springtide_sql::parse_text(&texts, column.sql_type);
    }
    let values = cells.map(|cell| match cell {
        Cell::Null => ScalarValue::try_from(&column.sql_type.arrow()),
        Cell::Text(text) => {
            let array = springtide_sql::parse_text(&StringArray::from(vec![text.as_str()]), column.sql_type);
            array
                .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))
                .and_then(|array| ScalarValue::try_from_array(&array, 0))
        }
        Cell::Parameter(index) => parameters[*index].cast_to(&column.sql_type.arrow()),
    });
    let values = values.collect::<datafusion::error::Result<Vec<_>>>();
    values.and_then(ScalarValue::iter_to_array).map_err(|error| springtide_plan::sql_error(&error))
}

/// Gives literals and parameters in the outermost SELECT or VALUES the types of the columns they go to.
fn assign_in_place(query: &mut Query, targets: &[Column], hints: &mut Vec<Option<SqlType>>) -> Result<()> {
    match query.body.as_mut() {
        SetExpr::Values(values) => {
            for (expr, column) in values.rows.iter_mut().flat_map(|row| row.content.iter_mut().zip(targets)) {
                ast::hint_parameter(hints, expr, column);
                *expr = ast::assigned(expr, column)?;
            }
        }
        SetExpr::Select(select) => {
            for (item, column) in select.projection.iter_mut().zip(targets) {
                match item {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                        ast::hint_parameter(hints, expr, column);
                        *expr = ast::assigned(expr, column)?;
                    }
                    _ => return Ok(()),
                }
            }
        }
        _ => {}
    }
    Ok(())
}

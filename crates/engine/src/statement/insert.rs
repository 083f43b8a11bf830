use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::concat_batches;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Column, Default, DefaultKind, Privilege, Relation, Securable, denied};
use springtide_sql::sqlparser::ast::{
    Expr, Insert as InsertAst, ObjectName, Query, SelectItem, SetExpr, TableObject, UnaryOperator, Value,
    ValueWithSpan, Values,
};
use springtide_sql::{BoundQuery, Overriding, Planner, WriteOptions};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::query::Select;
use super::returning::{self, Returning, Scope, Written, answer};
use super::sides::Side;
use super::target::Target;
use super::upsert::Upsert;
use super::{ast, read};
use crate::response::{Column as ResultColumn, Response};
use crate::transaction::Transaction;

/// A bound INSERT.
#[derive(Clone)]
pub(crate) struct Insert {
    table: Target,
    /// The table's columns that the source gives, in its order.
    columns: Vec<usize>,
    source: Source,
    /// Those of the columns whose values are not taken, since OVERRIDING USER VALUE says so.
    overridden: Vec<usize>,
    upsert: Option<Upsert>,
    returning: Option<Returning>,
    /// Types of the parameters, in order.
    parameters: Vec<SqlType>,
}

#[derive(Clone)]
enum Source {
    /// VALUES of literals and parameters: needs no query.
    Constants(Vec<Vec<Cell>>),
    Query(Box<Select>),
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
        write: &WriteOptions,
        parameters: &[Option<SqlType>],
    ) -> Result<Insert> {
        if insert.replace_into || insert.overwrite {
            return Err(SqlError::unsupported("REPLACE"));
        }
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into anything but a table"));
        };
        let table = Target::find(planner, catalog, name, "insert into")?;
        let mut columns = listed_columns(&table, &insert.columns)?;
        let (source, mut hints) = bind_source(planner, catalog, &table, &mut columns, insert, parameters)?;
        let overridden = overridden(&table, &columns, insert.source.as_deref(), write.overriding)?;
        let qualifier = match &insert.table_alias {
            Some(alias) => alias.alias.clone(),
            None => ast::quoted(&table.name),
        };
        let bind_upsert = |on| Upsert::bind(planner, catalog, &table, &qualifier, on, &hints);
        let upsert = insert.on.as_ref().map(bind_upsert).transpose()?;
        if let Some(types) = upsert.as_ref().and_then(Upsert::parameters) {
            hints = types.into_iter().map(Some).collect();
        }
        let target = Side::new(qualifier.clone(), &table.columns, true);
        let names = &write.returning;
        let scope = Scope { target, others: Vec::new(), merges: false, with: None, names };
        let bind_returning =
            |items: &Vec<SelectItem>| Returning::bind(planner, catalog, &scope, items, &hints);
        let returning = insert.returning.as_ref().map(bind_returning).transpose()?;
        let parameters = match &returning {
            Some(returning) => returning.parameters(),
            None => hints.into_iter().map(|known| known.unwrap_or(SqlType::Text)).collect(),
        };
        Ok(Insert { table, columns, source, overridden, upsert, returning, parameters })
    }

    pub(crate) fn scanned(&self) -> Vec<RelationId> {
        let source = match &self.source {
            Source::Query(select) => select.scanned(),
            Source::Constants(_) | Source::Defaults => &[],
        };
        let upsert = self.upsert.as_ref().map_or(&[][..], Upsert::scanned);
        let returning = self.returning.as_ref().map_or(&[][..], Returning::scanned);
        source.iter().chain(upsert).chain(returning).copied().collect()
    }

    pub(super) fn needs(&self) -> Vec<(RelationId, Privilege)> {
        let mut needs = vec![(self.table.id, Privilege::Insert)];
        if let Source::Query(select) = &self.source {
            needs.extend(read(select.depends_on()));
        }
        let upsert = self.upsert.as_ref();
        needs.extend(upsert.filter(|it| it.updates()).map(|_| (self.table.id, Privilege::Update)));
        needs.extend(upsert.into_iter().flat_map(|upsert| read(upsert.depends_on())));
        needs.extend(self.returning.iter().flat_map(|returning| read(returning.depends_on())));
        if self.returning.is_some() || upsert.is_some_and(Upsert::reads) {
            needs.push((self.table.id, Privilege::Select));
        }
        needs
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.parameters.clone()
    }

    pub(crate) fn columns(&self) -> Option<Vec<ResultColumn>> {
        self.returning.as_ref().map(Returning::columns)
    }

    pub(crate) async fn run(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let returning = self.returning.as_ref();
        let read = returning::prepare(returning, planner, transaction, parameters).await?;
        let mut written = Vec::new();
        for (values, rows) in self.source.values(planner, transaction, self, parameters).await? {
            let catalog = transaction.visible_catalog();
            let given = self.columns.iter().copied().zip(values);
            let given = given.filter(|(column, _)| !self.overridden.contains(column));
            let (columns, values) = given.unzip::<_, _, Vec<usize>, Vec<ArrayRef>>();
            let rows = table_rows(planner, catalog, &self.table, &columns, &values, rows).await?;
            match &self.upsert {
                Some(upsert) => {
                    written.extend(upsert.write(planner, transaction, &self.table, rows, parameters).await?);
                }
                None => {
                    self.table.insert(transaction, rows.clone(), true)?;
                    written.push(Written::inserted(&rows));
                }
            }
        }
        answer(returning, planner, read, written, "INSERT 0", parameters).await
    }

    fn constants(&self, rows: &[Vec<Cell>], parameters: &[ScalarValue]) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter().enumerate().map(|(position, column)| {
            constant_column(rows, position, &self.table.columns[*column], parameters)
        });
        columns.collect()
    }
}

impl Source {
    /// Batches of values for the listed columns, and how many rows each has.
    async fn values(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        insert: &Insert,
        parameters: &[ScalarValue],
    ) -> Result<Vec<(Vec<ArrayRef>, usize)>> {
        Ok(match self {
            Source::Constants(rows) => vec![(insert.constants(rows, parameters)?, rows.len())],
            Source::Query(select) => {
                let given = select.collect(planner, transaction, parameters).await?;
                let given = given.iter().filter(|batch| batch.num_rows() > 0);
                given.map(|batch| (batch.columns().to_vec(), batch.num_rows())).collect()
            }
            Source::Defaults => vec![(Vec::new(), 1)],
        })
    }
}

/// Binds what is inserted. Returns the types of the parameters as far as they are known then.
fn bind_source(
    planner: &Planner,
    catalog: &Catalog,
    table: &Target,
    columns: &mut Vec<usize>,
    insert: &InsertAst,
    parameters: &[Option<SqlType>],
) -> Result<(Source, Vec<Option<SqlType>>)> {
    let mut hints = parameters.to_vec();
    let Some(query) = &insert.source else {
        columns.clear();
        return Ok((Source::Defaults, hints));
    };
    check_width(columns, width(query), !insert.columns.is_empty())?;
    let targets = columns.iter().map(|column| table.columns[*column].clone()).collect::<Vec<_>>();
    if let Some(rows) = constant_rows(query, &targets, parameters) {
        for (cell, column) in rows.iter().flat_map(|row| row.iter().zip(&targets)) {
            if let Cell::Parameter(index) = cell {
                hints.resize(hints.len().max(index + 1), None);
                hints[*index] = Some(column.sql_type);
            }
        }
        return Ok((Source::Constants(rows), hints));
    }
    let mut query = query.as_ref().clone();
    assign_in_place(&mut query, &targets, &mut hints)?;
    let select = Select::bind(planner, catalog, &query, &hints)?;
    check_width(columns, Some(select.columns().len()), !insert.columns.is_empty())?;
    let hints = select.parameters().into_iter().map(Some).collect();
    Ok((Source::Query(Box::new(select)), hints))
}

/// Whole rows of `table` from values for some of its columns: assignment casts, and defaults for the rest.
pub(super) async fn table_rows(
    planner: &Planner,
    catalog: &Catalog,
    table: &Target,
    columns: &[usize],
    given: &[ArrayRef],
    rows: usize,
) -> Result<RecordBatch> {
    let arrays = all_columns(planner, catalog, table, columns, given, rows).await?;
    table.rows(planner, arrays).await
}

/// All columns of a table from values for some of them.
pub(super) async fn all_columns(
    planner: &Planner,
    catalog: &Catalog,
    table: &Target,
    columns: &[usize],
    given: &[ArrayRef],
    rows: usize,
) -> Result<Vec<ArrayRef>> {
    let targets = columns.iter().map(|column| &table.columns[*column]).collect::<Vec<_>>();
    let assigned = springtide_sql::assign(given, &targets)?;
    let mut arrays = Vec::with_capacity(table.columns.len());
    for (position, column) in table.columns.iter().enumerate() {
        arrays.push(match columns.iter().position(|given| *given == position) {
            Some(source) => assigned[source].clone(),
            None => default_values(planner, catalog, column, rows).await?,
        });
    }
    Ok(arrays)
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
    let mut inserted = Vec::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let catalog = transaction.visible_catalog();
        let rows = table_rows(planner, catalog, table, columns, batch.columns(), batch.num_rows()).await?;
        inserted.push(rows);
    }
    // As one, so that keys are compared once and not with those of each batch before.
    let Some(schema) = inserted.first().map(RecordBatch::schema) else { return Ok(0) };
    let inserted = concat_batches(&schema, &inserted).map_err(super::internal)?;
    let rows = inserted.num_rows();
    table.insert(transaction, inserted, true)?;
    Ok(rows)
}

/// The query that computes a column's DEFAULT.
pub(super) fn bind_default(
    planner: &Planner,
    catalog: &Catalog,
    column: &Column,
) -> Result<Option<BoundQuery>> {
    let default = column.default.as_ref().filter(|_| column.generated().is_none());
    let Some(default) = default else { return Ok(None) };
    let expr = ast::assigned(&ast::parse_expr(&default.expr)?, column)?;
    let query = ast::select(vec![SelectItem::UnnamedExpr(expr)], vec![], None)?;
    let bound = planner.bind(&query, &catalog.for_stored(), &[])?;
    if !bound.depends_on().is_empty() {
        return Err(SqlError::unsupported("a DEFAULT that reads a table"));
    }
    Ok(Some(bound))
}

/// The values of a column in rows that give none for it.
pub(super) async fn default_values(
    planner: &Planner,
    catalog: &Catalog,
    column: &Column,
    rows: usize,
) -> Result<ArrayRef> {
    let Some(default) = column.default.as_ref().filter(|_| column.generated().is_none()) else {
        return Ok(new_null_array(&column.sql_type.arrow(), rows));
    };
    if let Some(sequence) = default.next_of().and_then(|id| catalog.by_id(id)) {
        check_draws(planner, catalog, default, sequence)?;
        let numbers = (0..rows).map(|_| planner.sequences().next(sequence));
        let numbers: ArrayRef = Arc::new(numbers.collect::<Result<Int64Array>>()?);
        return Ok(springtide_sql::assign(&[numbers], &[column])?.remove(0));
    }
    let bound = default_query(planner, catalog, column, default, rows)?;
    let stream = planner.execute(&bound, &HashMap::new(), &[]).await?;
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    let first = batches.first().ok_or_else(|| SqlError::internal("a DEFAULT has a value"))?;
    let values = concat_batches(&first.schema(), &batches).map_err(super::internal)?;
    Ok(springtide_sql::assign(values.columns(), &[column])?.remove(0))
}

/// Fails with `42501` unless the session may take numbers of the sequence of a serial column. Those of an identity are there for
/// whoever may insert.
fn check_draws(planner: &Planner, catalog: &Catalog, default: &Default, sequence: &Relation) -> Result<()> {
    let (on, role) = (Securable::Relation(sequence.id), planner.session().identity.current);
    let may = |privilege| catalog.has_privilege(role, on, privilege);
    if default.kind.is_identity() || may(Privilege::Usage) || may(Privilege::Update) {
        return Ok(());
    }
    Err(denied(format!("permission denied for sequence {}", sequence.name)))
}

/// The query that computes the DEFAULT of a column for some rows, for each of its own.
fn default_query(
    planner: &Planner,
    catalog: &Catalog,
    column: &Column,
    default: &Default,
    rows: usize,
) -> Result<BoundQuery> {
    let expr = ast::assigned(&ast::parse_expr(&default.expr)?, column)?;
    let mut query = ast::parse_query(&format!("SELECT 1 FROM generate_series(1, {rows})"))?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    if rows == 1 {
        select.from.clear();
    }
    select.projection = vec![SelectItem::UnnamedExpr(expr)];
    planner.bind(&query, &catalog.for_stored(), &[])
}

/// The columns whose values OVERRIDING USER VALUE leaves out. Fails with `428C9` if a value is given for a column that is
/// GENERATED ALWAYS, and nothing says that this is meant.
pub(super) fn overridden(
    table: &Relation,
    columns: &[usize],
    source: Option<&Query>,
    overriding: Overriding,
) -> Result<Vec<usize>> {
    let identities = columns.iter().enumerate();
    let identities = identities
        .filter_map(|(at, column)| table.columns[*column].identity().map(|kind| (at, *column, kind)));
    let mut left_out = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if table.columns[*column].generated().is_some() && !source.is_some_and(|it| is_default_at(it, at)) {
            let name = &table.columns[*column].name;
            let message = format!("cannot insert a non-DEFAULT value into column \"{name}\"");
            return Err(super::generated::given(message, name));
        }
    }
    for (at, column, kind) in identities {
        match overriding {
            Overriding::System => {}
            Overriding::User => left_out.push(column),
            Overriding::No
                if kind == DefaultKind::Always && !source.is_some_and(|it| is_default_at(it, at)) =>
            {
                let name = &table.columns[column].name;
                let message = format!("cannot insert a non-DEFAULT value into column \"{name}\"");
                return Err(
                    generated_always(message, name).with_hint("Use OVERRIDING SYSTEM VALUE to override.")
                );
            }
            Overriding::No => {}
        }
    }
    Ok(left_out)
}

/// Whether all rows of VALUES say DEFAULT at a position.
fn is_default_at(source: &Query, at: usize) -> bool {
    match source.body.as_ref() {
        SetExpr::Values(values) => {
            values.rows.iter().all(|row| row.content.get(at).is_some_and(ast::is_default))
        }
        _ => false,
    }
}

/// The error about a column that only its sequence may fill.
pub(super) fn generated_always(message: String, column: &str) -> SqlError {
    SqlError::new(SqlState::GENERATED_ALWAYS, message)
        .with_detail(format!("Column \"{column}\" is an identity column defined as GENERATED ALWAYS."))
}

/// The columns that are listed, or all if none are.
pub(super) fn listed_columns(table: &Relation, names: &[ObjectName]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let names = names.iter().map(|name| name.0.last().and_then(|part| part.as_ident()).cloned());
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
pub(super) fn check_width(columns: &mut Vec<usize>, given: Option<usize>, listed: bool) -> Result<()> {
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
        return (column.default.is_none() || column.generated().is_some()).then_some(Cell::Null);
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

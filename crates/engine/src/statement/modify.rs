//! UPDATE, DELETE and TRUNCATE. The rows to change are found by a query over the table, which the planner
//! binds like any other.

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, DefaultKind, Privilege, Relation};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{
    Assignment, AssignmentTarget, CascadeOption, Delete as DeleteAst, Expr, FromTable, Ident, ObjectName,
    SelectItem, TableFactor, TableWithJoins, Truncate, TruncateIdentityOption, Update as UpdateAst,
    UpdateTableFromKind,
};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::query::Select;
use super::returning::{Returning, answer};
use super::target::Target;
use super::{Context, ast, internal, permission};
use crate::constraints::{columns, first_of_each_key};
use crate::notice::Notice;
use crate::response::{Column as ResultColumn, Response};
use crate::transaction::Transaction;

/// A bound UPDATE.
#[derive(Clone)]
pub(crate) struct Update {
    table: Target,
    /// The columns that are assigned to, in the order of the values.
    columns: Vec<usize>,
    /// Returns the old row, then the assigned values.
    matching: Select,
    /// Whether FROM may match a row more than once; PostgreSQL then takes any one match.
    may_repeat: bool,
    returning: Option<Returning>,
}

impl Update {
    pub(super) fn needs(&self, update: &UpdateAst) -> Vec<(RelationId, Privilege)> {
        let computes = |assignment: &Assignment| !springtide_sql::columns_named(&assignment.value).is_empty();
        let reads = update.selection.is_some()
            || update.returning.is_some()
            || update.from.is_some()
            || update.assignments.iter().any(computes);
        needs(&self.table, Privilege::Update, reads, &self.matching)
    }

    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        update: &UpdateAst,
        parameters: &[Option<SqlType>],
    ) -> Result<Update> {
        let (name, qualifier) = target(&update.table)?;
        let table = Target::find(planner, catalog, name, "update")?;
        let mut from = vec![update.table.clone()];
        let others = match &update.from {
            Some(UpdateTableFromKind::AfterSet(tables) | UpdateTableFromKind::BeforeSet(tables)) => {
                tables.clone()
            }
            None => Vec::new(),
        };
        let may_repeat = !others.is_empty();
        if may_repeat && table.primary_key().is_none() {
            return Err(SqlError::unsupported("UPDATE ... FROM on a table without PRIMARY KEY"));
        }
        from.extend(others);
        let mut hints = parameters.to_vec();
        let (columns, items) = replacement(&table, &qualifier, &update.assignments, &mut hints)?;
        let query = ast::select(items, from, update.selection.clone())?;
        let matching = Select::bind(planner, catalog, &query, &hints)?;
        let items = update.returning.as_deref();
        let returning = bind_returning(planner, catalog, (name, &qualifier), items, &matching)?;
        Ok(Update { table, columns, matching, may_repeat, returning })
    }

    pub(crate) fn scanned(&self) -> &[RelationId] {
        self.matching.scanned()
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.returning.as_ref().map_or_else(|| self.matching.parameters(), Returning::parameters)
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
        let matched = self.matching.collect(planner, transaction, parameters).await?;
        let matched = concat(&matched)?;
        let mut written = Vec::new();
        if let Some(matched) = matched {
            let matched = if self.may_repeat { self.first_matches(&matched)? } else { matched };
            written.push(self.table.replace(planner, transaction, &self.columns, &matched).await?);
        }
        answer(self.returning.as_ref(), planner, &self.table, written, "UPDATE", parameters).await
    }

    fn first_matches(&self, matched: &RecordBatch) -> Result<RecordBatch> {
        let key = self.table.primary_key().expect("checked when it was bound");
        let first = first_of_each_key(&columns(matched, key));
        arrow::compute::take_record_batch(matched, &first).map_err(internal)
    }
}

/// A bound DELETE.
#[derive(Clone)]
pub(crate) struct Delete {
    table: Target,
    /// Returns the rows to delete.
    matching: Select,
    returning: Option<Returning>,
}

impl Delete {
    pub(super) fn needs(&self, delete: &DeleteAst) -> Vec<(RelationId, Privilege)> {
        let reads = delete.selection.is_some() || delete.returning.is_some() || delete.using.is_some();
        needs(&self.table, Privilege::Delete, reads, &self.matching)
    }

    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        delete: &DeleteAst,
        parameters: &[Option<SqlType>],
    ) -> Result<Delete> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [from] = from.as_slice() else {
            return Err(SqlError::unsupported("DELETE from several tables"));
        };
        let (name, qualifier) = target(from)?;
        let table = Target::find(planner, catalog, name, "delete from")?;
        let selection = match &delete.using {
            None => delete.selection.clone(),
            Some(using) => Some(exists(using.clone(), delete.selection.clone())?),
        };
        let query = ast::select(old_row(&table, &qualifier), vec![from.clone()], selection)?;
        let matching = Select::bind(planner, catalog, &query, parameters)?;
        let items = delete.returning.as_deref();
        let returning = bind_returning(planner, catalog, (name, &qualifier), items, &matching)?;
        Ok(Delete { table, matching, returning })
    }

    pub(crate) fn scanned(&self) -> &[RelationId] {
        self.matching.scanned()
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.returning.as_ref().map_or_else(|| self.matching.parameters(), Returning::parameters)
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
        let mut deleted = Vec::new();
        for rows in self.matching.collect(planner, transaction, parameters).await? {
            deleted.push(self.table.delete(transaction, rows.columns().to_vec())?);
        }
        answer(self.returning.as_ref(), planner, &self.table, deleted, "DELETE", parameters).await
    }
}

/// What is to be allowed for a change of a table, whose rows are read too if the statement says which.
fn needs(table: &Target, change: Privilege, reads: bool, matching: &Select) -> Vec<(RelationId, Privilege)> {
    let read = super::read(matching.depends_on()).filter(|(relation, _)| reads || *relation != table.id);
    std::iter::once((table.id, change)).chain(read).collect()
}

fn bind_returning(
    planner: &Planner,
    catalog: &Catalog,
    names: (&ObjectName, &Ident),
    items: Option<&[SelectItem]>,
    matching: &Select,
) -> Result<Option<Returning>> {
    let parameters = matching.parameters().into_iter().map(Some).collect::<Vec<_>>();
    items.map(|items| Returning::bind(planner, catalog, names, items, &parameters)).transpose()
}

/// The columns that assignments change, and the items of a SELECT that returns the old row and then the new values
/// of those columns.
pub(super) fn replacement(
    table: &Relation,
    qualifier: &Ident,
    set: &[Assignment],
    hints: &mut Vec<Option<SqlType>>,
) -> Result<(Vec<usize>, Vec<SelectItem>)> {
    let mut items = old_row(table, qualifier);
    let mut assigned = Vec::new();
    for (column, value) in assignments(table, set)? {
        let target = &table.columns[column];
        if assigned.contains(&column) {
            let message = format!("multiple assignments to same column \"{}\"", target.name);
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        if target.identity() == Some(DefaultKind::Always) && !ast::is_default(&value) {
            let message = format!("column \"{}\" can only be updated to DEFAULT", target.name);
            return Err(super::insert::generated_always(message, &target.name));
        }
        ast::hint_parameter(hints, &value, target);
        items.push(aliased(ast::assigned(&value, target)?, format!("new{}", assigned.len())));
        assigned.push(column);
    }
    Ok((assigned, items))
}

/// TRUNCATE: deletes every row.
pub(super) async fn truncate(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    truncate: &Truncate,
) -> Result<Response> {
    let mut catalog = transaction.catalog();
    let targets = truncate.table_names.iter();
    let targets = targets.map(|target| Target::find(context.planner, &catalog, &target.name, "truncate"));
    let mut targets = targets.collect::<Result<Vec<_>>>()?;
    let cascades = matches!(truncate.cascade, Some(CascadeOption::Cascade));
    let mut next = 0;
    while next < targets.len() {
        let others = catalog.referencing(targets[next].id).map(|(other, _)| other.clone());
        for other in others.collect::<Vec<_>>() {
            if targets.iter().any(|target| target.id == other.id) {
                continue;
            }
            if !cascades {
                return Err(still_referenced(&targets[next], &other));
            }
            context.notices.push(Notice::new(format!("truncate cascades to table \"{}\"", other.name)));
            targets.push(Target::new(context.planner, &catalog, other)?);
        }
        next += 1;
    }
    let role = transaction.identity().current;
    targets.iter().try_for_each(|table| permission::needs(&catalog, role, table.id, Privilege::Truncate))?;
    for table in &targets {
        for rows in transaction.rows(table.id).await? {
            transaction.write(table, rows.negate(), false)?;
        }
    }
    if matches!(truncate.identity, Some(TruncateIdentityOption::Restart)) {
        targets.iter().for_each(|table| super::sequence::restart_owned(&mut catalog, table.id));
        transaction.set_catalog(catalog);
    }
    Ok(Response::complete("TRUNCATE TABLE"))
}

fn still_referenced(table: &Relation, other: &Relation) -> SqlError {
    let message = "cannot truncate a table referenced in a foreign key constraint";
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_detail(format!("Table \"{}\" references \"{}\".", other.name, table.name))
        .with_hint(format!(
            "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
            other.name
        ))
}

/// The table that a statement changes, and what qualifies its columns.
fn target(table: &TableWithJoins) -> Result<(&ObjectName, Ident)> {
    let TableFactor::Table { name, alias, args: None, version: None, .. } = &table.relation else {
        return Err(SqlError::unsupported("changing anything but a table as it is now"));
    };
    let last = name.0.last().and_then(|part| part.as_ident()).cloned();
    let last = last.ok_or_else(|| SqlError::unsupported("this form of table name"))?;
    Ok((name, alias.as_ref().map_or(last, |alias| alias.name.clone())))
}

fn old_row(table: &Relation, qualifier: &Ident) -> Vec<SelectItem> {
    let columns = table.columns.iter().enumerate().map(|(position, column)| {
        let column = Expr::CompoundIdentifier(vec![qualifier.clone(), ast::quoted(&column.name)]);
        aliased(column, format!("old{position}"))
    });
    columns.collect()
}

fn aliased(expr: Expr, alias: String) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: ast::quoted(&alias) }
}

fn assignments(table: &Relation, assignments: &[Assignment]) -> Result<Vec<(usize, Expr)>> {
    let mut found = Vec::new();
    for assignment in assignments {
        match (&assignment.target, &assignment.value) {
            (AssignmentTarget::ColumnName(name), value) => {
                found.push((assigned_column(table, name)?, value.clone()))
            }
            (AssignmentTarget::Tuple(names), Expr::Tuple(values)) if names.len() == values.len() => {
                for (name, value) in names.iter().zip(values) {
                    found.push((assigned_column(table, name)?, value.clone()));
                }
            }
            (AssignmentTarget::Tuple(_), _) => {
                return Err(SqlError::unsupported("UPDATE ... SET (...) = anything but as many expressions"));
            }
        }
    }
    Ok(found)
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

/// `EXISTS (SELECT 1 FROM <using> WHERE <selection>)`: each row of the table once, however often it matches.
fn exists(using: Vec<TableWithJoins>, selection: Option<Expr>) -> Result<Expr> {
    let one = SelectItem::UnnamedExpr(ast::parse_expr("1")?);
    let subquery = Box::new(ast::select(vec![one], using, selection)?);
    Ok(Expr::Exists { subquery, negated: false })
}

fn concat(batches: &[RecordBatch]) -> Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    if let [single] = batches {
        return Ok((single.num_rows() > 0).then(|| single.clone()));
    }
    let all = arrow::compute::concat_batches(&first.schema(), batches).map_err(internal)?;
    Ok((all.num_rows() > 0).then_some(all))
}

//! UPDATE, DELETE and TRUNCATE. The rows to change are found by a query over the table, which the planner
//! binds like any other.

use datafusion::common::ScalarValue;
use springtide_catalog::{Catalog, Privilege, Relation};
use springtide_sql::sqlparser::ast::{
    Assignment, CascadeOption, Delete as DeleteAst, FromTable, Truncate, TruncateIdentityOption,
    Update as UpdateAst, UpdateTableFromKind,
};
use springtide_sql::{Planner, ReturningNames};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::matching::{Found, Matched, Matching};
use super::query::Select;
use super::returning::{self, Returning, Written, answer};
use super::subject::Subject;
use super::target::Target;
use super::{Context, assignments, permission};
use crate::notice::Notice;
use crate::response::{Column as ResultColumn, Response};
use crate::transaction::Transaction;

/// A bound UPDATE.
#[derive(Clone)]
pub(crate) struct Update {
    table: Target,
    /// The columns that are assigned to, in the order of the values.
    columns: Vec<usize>,
    /// Its values are the assigned ones.
    matching: Matching,
    returning: Option<Returning>,
}

impl Update {
    pub(super) fn needs(&self, update: &UpdateAst) -> Vec<(RelationId, Privilege)> {
        let computes = |assignment: &Assignment| !springtide_sql::columns_named(&assignment.value).is_empty();
        let reads = update.selection.is_some()
            || update.returning.is_some()
            || update.from.is_some()
            || update.assignments.iter().any(computes);
        needs(&self.table, Privilege::Update, reads, &self.matching.query, self.returning.as_ref())
    }

    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        update: &UpdateAst,
        names: &ReturningNames,
        parameters: &[Option<SqlType>],
    ) -> Result<Update> {
        let subject = Subject::find(planner, catalog, &update.table.relation, "update")?;
        let others = match &update.from {
            Some(UpdateTableFromKind::AfterSet(tables) | UpdateTableFromKind::BeforeSet(tables)) => {
                tables.as_slice()
            }
            None => &[],
        };
        let mut hints = parameters.to_vec();
        let (columns, values) = assignments::assigned(&subject.table, &update.assignments, &mut hints)?;
        let found =
            Found { others, selection: update.selection.as_ref(), items: update.returning.as_deref() };
        let (matching, returning) = found.bind(planner, catalog, &subject, values, names, &hints)?;
        Ok(Update { table: subject.table, columns, matching, returning })
    }

    pub(crate) fn scanned(&self) -> Vec<RelationId> {
        scanned(&self.matching, self.returning.as_ref())
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.returning.as_ref().map_or_else(|| self.matching.query.parameters(), Returning::parameters)
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
        if let Some(Matched { rows, others }) = self.matching.rows(planner, transaction, parameters).await? {
            let old = rows.columns()[..self.table.columns.len()].to_vec();
            let new = self.table.replace(planner, transaction, &self.columns, &rows).await?;
            written.push(Written::updated(old, &new).found_by(others));
        }
        answer(returning, planner, read, written, "UPDATE", parameters).await
    }
}

/// A bound DELETE.
#[derive(Clone)]
pub(crate) struct Delete {
    table: Target,
    /// It has no values.
    matching: Matching,
    returning: Option<Returning>,
}

impl Delete {
    pub(super) fn needs(&self, delete: &DeleteAst) -> Vec<(RelationId, Privilege)> {
        let reads = delete.selection.is_some() || delete.returning.is_some() || delete.using.is_some();
        needs(&self.table, Privilege::Delete, reads, &self.matching.query, self.returning.as_ref())
    }

    pub(crate) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        delete: &DeleteAst,
        names: &ReturningNames,
        parameters: &[Option<SqlType>],
    ) -> Result<Delete> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [from] = from.as_slice() else {
            return Err(SqlError::unsupported("DELETE from several tables"));
        };
        let subject = Subject::find(planner, catalog, &from.relation, "delete from")?;
        let others = delete.using.as_deref().unwrap_or_default();
        let found =
            Found { others, selection: delete.selection.as_ref(), items: delete.returning.as_deref() };
        let (matching, returning) = found.bind(planner, catalog, &subject, Vec::new(), names, parameters)?;
        Ok(Delete { table: subject.table, matching, returning })
    }

    pub(crate) fn scanned(&self) -> Vec<RelationId> {
        scanned(&self.matching, self.returning.as_ref())
    }

    pub(crate) fn parameters(&self) -> Vec<SqlType> {
        self.returning.as_ref().map_or_else(|| self.matching.query.parameters(), Returning::parameters)
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
        let mut deleted = Vec::new();
        if let Some(Matched { rows, others }) = self.matching.rows(planner, transaction, parameters).await? {
            let rows = self.table.delete(transaction, rows.columns().to_vec())?;
            deleted.push(Written::deleted(&rows).found_by(others));
        }
        answer(returning, planner, read, deleted, "DELETE", parameters).await
    }
}

/// What is to be allowed for a change of a table, whose rows are read too if the statement says which.
fn needs(
    table: &Target,
    change: Privilege,
    reads: bool,
    matching: &Select,
    returning: Option<&Returning>,
) -> Vec<(RelationId, Privilege)> {
    let read = super::read(matching.depends_on()).filter(|(relation, _)| reads || *relation != table.id);
    let returned = returning.into_iter().flat_map(|returning| super::read(returning.depends_on()));
    std::iter::once((table.id, change)).chain(read).chain(returned).collect()
}

fn scanned(matching: &Matching, returning: Option<&Returning>) -> Vec<RelationId> {
    let returned = returning.map_or(&[][..], Returning::scanned);
    matching.query.scanned().iter().chain(returned).copied().collect()
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

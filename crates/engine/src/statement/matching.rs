//! The rows that UPDATE and DELETE are about.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::common::ScalarValue;
use springtide_catalog::Catalog;
use springtide_sql::sqlparser::ast::{Expr, Ident, SelectItem, TableWithJoins, With};
use springtide_sql::{Planner, ReturningNames};
use springtide_types::{Result, SqlType};

use super::query::Select;
use super::returning::{Returning, Scope};
use super::sides::Side;
use super::subject::{self, Subject};
use super::{assignments, ast, internal};
use crate::constraints::{columns, first_of_each_key};
use crate::transaction::Transaction;

/// How a statement finds its rows.
pub(super) struct Found<'a> {
    /// What FROM or USING names.
    pub(super) others: &'a [TableWithJoins],
    pub(super) selection: Option<&'a Expr>,
    /// What RETURNING lists.
    pub(super) items: Option<&'a [SelectItem]>,
}

/// The bound query for the rows: it returns the old row, some values, what tells the rows apart, and the rows of `others`.
#[derive(Clone)]
pub(super) struct Matching {
    pub(super) query: Select,
    /// How many columns the old row and the values are.
    own: usize,
    /// The columns that tell the rows apart, where several of the others may match one; any one of them counts.
    identity: Option<Vec<usize>>,
    /// How many columns each of the others has, if RETURNING may name them.
    others: Vec<usize>,
}

/// Rows that were found.
pub(super) struct Matched {
    /// The old rows, followed by the values.
    pub(super) rows: RecordBatch,
    /// The columns of each of the others.
    pub(super) others: Vec<Vec<ArrayRef>>,
}

impl Found<'_> {
    /// `values` are the items for the values.
    pub(super) fn bind(
        &self,
        planner: &Planner,
        catalog: &Catalog,
        subject: &Subject,
        values: Vec<SelectItem>,
        names: &ReturningNames,
        parameters: &[Option<SqlType>],
    ) -> Result<(Matching, Option<Returning>)> {
        let others = match self.items {
            Some(_) => sides_of(planner, catalog, self.others, None)?,
            None => Vec::new(),
        };
        let mut items = assignments::old_row(&subject.table, &subject.alias);
        items.extend(values);
        let own = items.len();
        let (target, identity) = match (self.others, subject.table.primary_key()) {
            ([], _) => (subject.plain()?, None),
            (_, Some(key)) => (subject.plain()?, Some(key.to_vec())),
            (_, None) => {
                items.push(subject.number());
                (subject.numbered()?, Some(vec![own]))
            }
        };
        for side in &others {
            items.extend(side.all()?);
        }
        let from = std::iter::once(target).chain(self.others.iter().cloned()).collect();
        let query = ast::select(items, from, self.selection.cloned())?;
        let query = Select::bind(planner, catalog, &query, parameters)?;
        let widths = others.iter().map(|side| side.columns.len()).collect();
        let known = query.parameters().into_iter().map(Some).collect::<Vec<_>>();
        let scope = Scope { target: subject.side(), others, merges: false, with: None, names };
        let bind = |items| Returning::bind(planner, catalog, &scope, items, &known);
        let returning = self.items.map(bind).transpose()?;
        Ok((Matching { query, own, identity, others: widths }, returning))
    }
}

impl Matching {
    /// The rows, if there are any.
    pub(super) async fn rows(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Option<Matched>> {
        let found = self.query.collect(planner, transaction, parameters).await?;
        let Some(mut found) = concat(&found)? else { return Ok(None) };
        if let Some(identity) = &self.identity {
            let first = first_of_each_key(&columns(&found, identity));
            found = take_record_batch(&found, &first).map_err(internal)?;
        }
        let own = (0..self.own).collect::<Vec<_>>();
        let rows = found.project(&own).map_err(internal)?;
        let mut at = found.num_columns() - self.others.iter().sum::<usize>();
        let mut others = Vec::with_capacity(self.others.len());
        for width in &self.others {
            others.push(found.columns()[at..at + width].to_vec());
            at += width;
        }
        Ok(Some(Matched { rows, others }))
    }
}

/// The relations of FROM, each by its name.
pub(super) fn sides_of(
    planner: &Planner,
    catalog: &Catalog,
    from: &[TableWithJoins],
    with: Option<&With>,
) -> Result<Vec<Side>> {
    let names = subject::names(from).into_iter();
    names.map(|name| side_of(planner, catalog, from, with, name)).collect()
}

fn side_of(
    planner: &Planner,
    catalog: &Catalog,
    from: &[TableWithJoins],
    with: Option<&With>,
    name: Ident,
) -> Result<Side> {
    let mut query = ast::parse_query(&format!("SELECT {name}.*"))?;
    if let Some(select) = ast::body(&mut query) {
        select.from = from.to_vec();
    }
    query.with = with.cloned();
    let bound = planner.bind(&query, catalog, &[])?;
    Ok(Side::new(name, &bound.columns(), true))
}

pub(super) fn concat(batches: &[RecordBatch]) -> Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    if let [single] = batches {
        return Ok((single.num_rows() > 0).then(|| single.clone()));
    }
    let all = concat_batches(&first.schema(), batches).map_err(internal)?;
    Ok((all.num_rows() > 0).then_some(all))
}

//! RETURNING: a query over the rows that a statement wrote, as they were and as they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use datafusion::common::ScalarValue;
use futures::stream::{self, StreamExt};
use springtide_catalog::{Catalog, Column as TableColumn};
use springtide_sql::sqlparser::ast::{Expr, Ident, SelectItem, With};
use springtide_sql::{Planner, ReturningNames};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType};

use super::query::result_columns;
use super::sides::{Others, OverSides, Side};
use super::{ast, internal};
use crate::response::{Column, Response, RowsTag};
use crate::transaction::Transaction;

/// The side that says what MERGE did.
const ACTION: &str = "?action";
/// What the names of columns begin with that have to be qualified.
const HIDDEN: &str = "?";
const MERGE_ACTION: &str = "merge_action";

/// What a statement lets RETURNING name.
pub(super) struct Scope<'a> {
    /// The rows that are written.
    pub(super) target: Side,
    /// The rows that they were found by.
    pub(super) others: Vec<Side>,
    /// Whether it is MERGE: `*` gives the others first, and there is `merge_action()`.
    pub(super) merges: bool,
    pub(super) with: Option<&'a With>,
    pub(super) names: &'a ReturningNames,
}

/// Rows that a statement wrote, by columns.
pub(super) struct Written {
    pub(super) rows: usize,
    /// As they were, unless they are new.
    pub(super) old: Option<Vec<ArrayRef>>,
    /// As they are, unless they are gone.
    pub(super) new: Option<Vec<ArrayRef>>,
    /// What they were found by.
    pub(super) others: Vec<Vec<ArrayRef>>,
    /// What MERGE did.
    pub(super) action: &'static str,
}

impl Written {
    pub(super) fn inserted(rows: &RecordBatch) -> Written {
        let new = Some(rows.columns().to_vec());
        Written { rows: rows.num_rows(), old: None, new, others: Vec::new(), action: "INSERT" }
    }

    pub(super) fn deleted(rows: &RecordBatch) -> Written {
        let old = Some(rows.columns().to_vec());
        Written { rows: rows.num_rows(), old, new: None, others: Vec::new(), action: "DELETE" }
    }

    pub(super) fn updated(old: Vec<ArrayRef>, new: &RecordBatch) -> Written {
        let (old, rows) = (Some(old), new.num_rows());
        Written { rows, old, new: Some(new.columns().to_vec()), others: Vec::new(), action: "UPDATE" }
    }

    pub(super) fn found_by(self, others: Vec<Vec<ArrayRef>>) -> Written {
        Written { others, ..self }
    }
}

/// A bound RETURNING.
#[derive(Clone)]
pub(super) struct Returning {
    query: OverSides,
    parts: Vec<Part>,
    /// The columns of the target.
    columns: Arc<[TableColumn]>,
}

/// What a side of the query shows.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The row as it is, or as it was if it is gone.
    Target,
    Old,
    New,
    Other(usize),
    Action,
}

impl Returning {
    pub(super) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        scope: &Scope<'_>,
        items: &[SelectItem],
        parameters: &[Option<SqlType>],
    ) -> Result<Returning> {
        let mut items = items.to_vec();
        let mut sides = scope.sides(&mut items)?;
        if scope.merges {
            let action = [ACTION, MERGE_ACTION].map(ast::quoted).to_vec();
            if springtide_sql::put_for_calls(&mut items, MERGE_ACTION, &Expr::CompoundIdentifier(action)) {
                sides.push((Part::Action, action_side()));
            }
        }
        let (parts, sides) = sides.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let query = OverSides::bind(planner, catalog, &sides, scope.with, &items, None, parameters)?;
        Ok(Returning { query, parts, columns: scope.target.columns.clone().into() })
    }

    pub(super) fn parameters(&self) -> Vec<SqlType> {
        self.query.parameters()
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        result_columns(self.query.bound())
    }

    /// The relations that it names besides the target.
    pub(super) fn depends_on(&self) -> &[RelationId] {
        self.query.depends_on()
    }

    pub(super) fn scanned(&self) -> &[RelationId] {
        self.query.scanned()
    }

    /// What it reads besides the rows, which must be asked for before they are written.
    pub(super) async fn others(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Others> {
        self.query.others(planner, transaction, parameters).await
    }

    /// The answer of a statement that wrote these rows; `tag` comes before their number. Computed at once, so that
    /// an error fails the statement.
    async fn respond(
        &self,
        planner: &Planner,
        others: Others,
        written: Vec<Written>,
        tag: &'static str,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let rows = written.iter().map(|written| written.rows).sum();
        let sides = (0..self.parts.len()).map(|position| self.side(position, &written));
        let sides = sides.collect::<Result<Vec<_>>>()?;
        let batches = self.query.run(planner, others, sides, rows, parameters).await?;
        Ok(Response::Rows {
            columns: self.columns().into(),
            batches: stream::iter(batches.into_iter().map(Ok)).boxed(),
            tag: RowsTag::Counted(tag),
        })
    }

    /// The columns of a side.
    fn side(&self, position: usize, written: &[Written]) -> Result<Vec<ArrayRef>> {
        let part = self.parts[position];
        let nulls =
            |rows| self.columns.iter().map(move |column| new_null_array(&column.sql_type.arrow(), rows));
        let shown = written.iter().map(|written| {
            let row = match part {
                Part::Target => written.new.as_ref().or(written.old.as_ref()),
                Part::Old => written.old.as_ref(),
                Part::New => written.new.as_ref(),
                Part::Other(at) => return written.others[at].clone(),
                Part::Action => {
                    let actions: ArrayRef = Arc::new(StringArray::from(vec![written.action; written.rows]));
                    return vec![actions];
                }
            };
            row.cloned().unwrap_or_else(|| nulls(written.rows).collect())
        });
        let mut shown = shown.collect::<Vec<_>>();
        match shown.len() {
            0 => Ok(self.query.none(position)),
            1 => Ok(shown.remove(0)),
            _ => concat(&shown),
        }
    }
}

/// Columns one below the other.
fn concat(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>> {
    let columns = (0..parts[0].len()).map(|column| {
        let arrays = parts.iter().map(|part| part[column].as_ref()).collect::<Vec<_>>();
        arrow::compute::concat(&arrays).map_err(internal)
    });
    columns.collect()
}

impl Scope<'_> {
    /// The sides that a query of these items needs.
    fn sides(&self, items: &mut Vec<SelectItem>) -> Result<Vec<(Part, Side)>> {
        let others = self.others.iter().enumerate().map(|(at, side)| (Part::Other(at), side.clone()));
        let target = (Part::Target, self.target.clone());
        let mut sides = match self.merges {
            true => others.chain([target]).collect::<Vec<_>>(),
            false => std::iter::once(target).chain(others).collect(),
        };
        let qualifiers = springtide_sql::qualifiers_named(items);
        for (part, given, usual) in [(Part::Old, &self.names.old, "old"), (Part::New, &self.names.new, "new")]
        {
            let name = given.as_deref().unwrap_or(usual);
            let is_taken = sides.iter().any(|(_, side)| ast::fold(&side.alias) == name);
            if is_taken && given.is_some() {
                let message = format!("table name \"{name}\" specified more than once");
                return Err(SqlError::new(SqlState::DUPLICATE_ALIAS, message));
            }
            if !is_taken && qualifiers.contains(name) {
                let mut side = Side::new(ast::quoted(name), &self.target.columns, false);
                *items = super::sides::with_stars_expanded(items, std::slice::from_ref(&side), false)?;
                // A column without a name before it is one of the target.
                springtide_sql::prefix_columns(items, name, HIDDEN);
                side.columns.iter_mut().for_each(|column| column.name.insert_str(0, HIDDEN));
                sides.push((part, side));
            }
        }
        Ok(sides)
    }
}

fn action_side() -> Side {
    let (name, sql_type) = (MERGE_ACTION.to_owned(), SqlType::Text);
    let column = TableColumn { name, sql_type, nullable: false, default: None };
    Side::new(Ident::with_quote('"', ACTION), &[column], false)
}

/// What a statement needs for its RETURNING before it writes.
pub(super) async fn prepare(
    returning: Option<&Returning>,
    planner: &Planner,
    transaction: &mut Transaction,
    parameters: &[ScalarValue],
) -> Result<Others> {
    match returning {
        Some(returning) => returning.others(planner, transaction, parameters).await,
        None => Ok(Others::new()),
    }
}

/// The answer of a statement that wrote rows: what it returns, or else how many they are.
pub(super) async fn answer(
    returning: Option<&Returning>,
    planner: &Planner,
    others: Others,
    written: Vec<Written>,
    tag: &'static str,
    parameters: &[ScalarValue],
) -> Result<Response> {
    match returning {
        Some(returning) => returning.respond(planner, others, written, tag, parameters).await,
        None => {
            let count = written.iter().map(|written| written.rows).sum::<usize>();
            Ok(Response::complete(format!("{tag} {count}")))
        }
    }
}

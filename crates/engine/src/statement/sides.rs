//! Queries over rows that a statement holds: those it found, those it is about to write, those it wrote. Each kind of
//! rows is a *side*, which the query reads under a name of its own; the rows of the sides belong together by position.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Column, Relation, RelationKind, Retention, Rules, SchemaId};
use springtide_sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SelectItemQualifiedWildcardKind, With};
use springtide_sql::{BoundQuery, Planner, Scan};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType, ZBatch};

use super::query::Select;
use super::{ast, internal};
use crate::transaction::Transaction;

/// The column that says which rows of several sides belong together.
const ROW: &str = "?row";

/// Rows that a statement holds.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// What the query calls them.
    pub(super) alias: Ident,
    pub(super) columns: Vec<Column>,
    /// Whether `*` stands for its columns too.
    pub(super) in_star: bool,
}

impl Side {
    /// Rows of these columns, any of which may hold NULL.
    pub(super) fn new(alias: Ident, columns: &[Column], in_star: bool) -> Side {
        let nullable = |column: &Column| Column { nullable: true, default: None, ..column.clone() };
        Side { alias, columns: columns.iter().map(nullable).collect(), in_star }
    }

    /// `alias.*`
    pub(super) fn all(&self) -> Result<Vec<SelectItem>> {
        let mut query = ast::parse_query(&format!("SELECT {}.*", self.alias))?;
        Ok(ast::body(&mut query).map(|select| std::mem::take(&mut select.projection)).unwrap_or_default())
    }
}

/// A bound query over sides.
#[derive(Clone)]
pub(super) struct OverSides {
    query: Select,
    sides: Vec<(RelationId, SchemaRef)>,
    /// The relations that it names besides.
    depends_on: Vec<RelationId>,
    scanned: Vec<RelationId>,
}

/// What a query reads besides the sides.
pub(super) type Others = HashMap<Scan, Vec<ZBatch>>;

impl OverSides {
    /// `SELECT <items> FROM <sides> WHERE <selection>`
    pub(super) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        sides: &[Side],
        with: Option<&With>,
        items: &[SelectItem],
        selection: Option<Expr>,
        parameters: &[Option<SqlType>],
    ) -> Result<OverSides> {
        let mut catalog = catalog.clone();
        let mut relations = Vec::with_capacity(sides.len());
        let numbered = sides.len() > 1;
        for (position, side) in sides.iter().enumerate() {
            let relation = as_relation(&catalog, position, side, numbered);
            let relation = catalog.create(relation)?;
            relations.push((relation.id, relation.schema()));
        }
        let items = if numbered { with_stars_expanded(items, sides, true)? } else { items.to_vec() };
        let mut query = from(sides)?;
        let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
        (select.projection, select.selection) = (items, selection);
        query.with = with.cloned();
        let query = Select::bind(planner, &catalog, &query, parameters)?;
        let others = |all: &[RelationId]| {
            let others = all.iter().filter(|id| relations.iter().all(|(side, _)| side != *id));
            others.copied().collect::<Vec<_>>()
        };
        let (depends_on, scanned) = (others(query.depends_on()), others(query.scanned()));
        Ok(OverSides { query, sides: relations, depends_on, scanned })
    }

    pub(super) fn bound(&self) -> &BoundQuery {
        self.query.bound()
    }

    /// The columns of a side that has no rows.
    pub(super) fn none(&self, side: usize) -> Vec<ArrayRef> {
        let (_, schema) = &self.sides[side];
        let own = schema.fields().iter().filter(|field| field.name() != ROW);
        own.map(|field| new_empty_array(field.data_type())).collect()
    }

    pub(super) fn parameters(&self) -> Vec<SqlType> {
        self.query.parameters()
    }

    /// The relations that it names besides the sides.
    pub(super) fn depends_on(&self) -> &[RelationId] {
        &self.depends_on
    }

    /// The stored relations among them.
    pub(super) fn scanned(&self) -> &[RelationId] {
        &self.scanned
    }

    /// What it reads besides the sides, as it is now: a statement does not see its own writes.
    pub(super) async fn others(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        parameters: &[ScalarValue],
    ) -> Result<Others> {
        if self.scanned.is_empty() {
            return Ok(Others::new());
        }
        let is_side = |id| self.sides.iter().any(|(side, _)| *side == id);
        self.query.contents_but(planner, transaction, parameters, is_side).await
    }

    /// Answers the query for this many rows of the sides, given by their columns, in their order.
    pub(super) async fn run(
        &self,
        planner: &Planner,
        mut others: Others,
        sides: Vec<Vec<ArrayRef>>,
        rows: usize,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        let numbers: ArrayRef = Arc::new((0_i64..).take(rows).collect::<Int64Array>());
        let numbers = (self.sides.len() > 1).then_some(numbers);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        for ((relation, schema), columns) in self.sides.iter().zip(sides) {
            let columns = columns.into_iter().chain(numbers.clone()).collect();
            let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options);
            others.insert(Scan::present(*relation), vec![ZBatch::inserts(batch.map_err(internal)?)]);
        }
        planner.execute(self.bound(), &others, parameters).await?.try_collect().await
    }
}

fn name(position: usize) -> String {
    format!("?side{position}")
}

fn as_relation(catalog: &Catalog, position: usize, side: &Side, numbered: bool) -> Relation {
    let number = Column {
        name: ROW.to_owned(),
        sql_type: SqlType::Int8,
        nullable: false,
        default: None,
        domain: None,
    };
    Relation {
        id: catalog.next_id(),
        in_schema: SchemaId::PUBLIC,
        name: name(position),
        columns: side.columns.iter().cloned().chain(numbered.then_some(number)).collect(),
        kind: RelationKind::Table { primary_key: None, append_only: false, rules: Rules::default() },
        depends_on: Vec::new(),
        functions: Vec::new(),
        types: Vec::new(),
        history: Retention::default(),
    }
}

/// `SELECT` from the sides, joined by the positions of their rows and in their order.
fn from(sides: &[Side]) -> Result<Query> {
    let Some((first, rest)) = sides.split_first() else { return ast::parse_query("SELECT 1") };
    let mut text = format!("SELECT 1 FROM public.\"{}\" AS {}", name(0), first.alias);
    for (position, side) in rest.iter().enumerate() {
        let (name, alias) = (name(position + 1), &side.alias);
        text +=
            &format!(" JOIN public.\"{name}\" AS {alias} ON {}.\"{ROW}\" = {alias}.\"{ROW}\"", first.alias);
    }
    if !rest.is_empty() {
        text += &format!(" ORDER BY {}.\"{ROW}\"", first.alias);
    }
    ast::parse_query(&text)
}

/// The items without `*`, which would show the numbers of the rows, unless there may be other sides than these.
pub(super) fn with_stars_expanded(
    items: &[SelectItem],
    sides: &[Side],
    are_all: bool,
) -> Result<Vec<SelectItem>> {
    let columns = |side: &Side| {
        let named = |column: &Column| {
            let column = vec![side.alias.clone(), ast::quoted(&column.name)];
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(column))
        };
        side.columns.iter().map(named).collect::<Vec<_>>()
    };
    let mut expanded = Vec::new();
    for item in items {
        match item {
            SelectItem::Wildcard(_) if are_all => {
                expanded.extend(sides.iter().filter(|side| side.in_star).flat_map(columns));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) => {
                let of = of.0.last().and_then(|part| part.as_ident()).map(ast::fold).unwrap_or_default();
                let side = sides.iter().find(|side| ast::fold(&side.alias) == of);
                match side {
                    Some(side) => expanded.extend(columns(side)),
                    None if !are_all => expanded.push(item.clone()),
                    None => {
                        let message = format!("missing FROM-clause entry for table \"{of}\"");
                        return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message));
                    }
                }
            }
            other => expanded.push(other.clone()),
        }
    }
    Ok(expanded)
}

//! ALTER TABLE that changes the columns of a table. The table with the new columns takes the place of the old one: it has an
//! identity of its own, with the old rows in the new shape as its first ones, and so a history that begins with them.
//! Views on the table are made again, on the new one.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Column, DefaultKind, Relation, RelationKind, Rules, SequenceOwner};
use springtide_sql::sqlparser::ast::{ColumnDef, DataType, Expr, Ident, SelectItem};
use springtide_sql::{Planner, Scan};
use springtide_types::{RelationId, Result, SqlError, SqlState, ZBatch};
use std::collections::HashMap;

use super::rules::{self, table_of};
use super::substitute::{same_columns, substitute};
use super::target::Target;
use super::{Context, ast, column_position, declaration, generated, insert, internal};
use crate::notice::Notice;
use crate::transaction::Transaction;

/// Where the columns of the table in its new shape come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// The column of the old one at a position.
    Old(usize),
    /// Nowhere: it takes its DEFAULT.
    Default,
}

/// ADD COLUMN. Old rows get the DEFAULT as it is now.
pub(super) async fn add_column(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: &Relation,
    (definition, if_not_exists): (&ColumnDef, bool),
) -> Result<()> {
    let name = ast::fold(&definition.name);
    if table.columns.iter().any(|column| column.name == name) {
        let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
        if if_not_exists {
            let mut notice = Notice::new(format!("{message}, skipping"));
            notice.error.sqlstate = SqlState::DUPLICATE_COLUMN;
            context.notices.push(notice);
            return Ok(());
        }
        return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    let mut constraints = Vec::new();
    let (column, sequence) =
        declaration::column(catalog, (table.in_schema, &table.name), definition, &mut constraints)?;
    let mut columns = table.columns.clone();
    columns.push(column);
    super::ddl::check_defaults(context.planner, catalog, &mut columns[table.columns.len()..])?;
    let mut added = Relation { columns, ..table.clone() };
    generated::check(context.planner, catalog, &mut added)?;
    let columns = added.columns;
    let mut from = (0..table.columns.len()).map(From::Old).collect::<Vec<_>>();
    from.push(From::Default);
    let shape = Shape { columns, from };
    let added = rewrite(context.planner, transaction, catalog, table, &shape).await?;
    if let Some((sequence, identity)) = sequence {
        let owner = SequenceOwner { table: added, column: table.columns.len(), identity };
        super::sequence::set_owner(catalog, sequence, Some(owner));
    }
    for constraint in constraints {
        rules::add(context.planner, transaction, catalog, added, &constraint).await?;
    }
    Ok(())
}

/// DROP COLUMN, with the constraints and indexes that it is in.
pub(super) async fn drop_column(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: &Relation,
    (name, if_exists, cascade): (&Ident, bool, bool),
) -> Result<()> {
    let position = match column_position(table, name) {
        Ok(position) => position,
        Err(error) if if_exists => {
            context.notices.push(Notice::new(format!("{}, skipping", error.message)));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let what = format!("column {} of table {}", table.columns[position].name, table.name);
    let views = dependents_on_column(context.planner, catalog, table, position)?;
    let keys = catalog.referencing(table.id).filter(|(other, key)| {
        key.referenced.contains(&position) && (other.id != table.id || !key.columns.contains(&position))
    });
    let keys = keys.map(|(other, key)| (other.clone(), key.clone())).collect::<Vec<_>>();
    let mut gone = views.iter().map(|view| view.description()).collect::<Vec<_>>();
    let computed = generated::computed_from(table, position)?;
    gone.extend(
        computed.iter().map(|at| format!("column {} of table {}", table.columns[*at].name, table.name)),
    );
    gone.extend(
        keys.iter().map(|(other, key)| format!("constraint {} on {}", key.name, other.description())),
    );
    if !gone.is_empty() && !cascade {
        let message = format!("cannot drop {what} because other objects depend on it");
        let lines = gone.iter().map(|it| format!("{it} depends on {what}")).collect::<Vec<_>>();
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
    }
    for (other, key) in keys {
        let other = table_of(catalog, other.id)?;
        let mut kept = other.rules().clone();
        kept.foreign_keys.retain(|known| known.number != key.number);
        rules::put_rules(catalog, &other, kept);
    }
    let views = views.iter().map(|view| view.id).collect::<Vec<_>>();
    let dropped = catalog.drop(&views, true)?;
    gone.extend(dropped.cascaded);
    context.notices.extend(gone.into_iter().map(|it| Notice::new(format!("drop cascades to {it}"))));
    drop_owned_sequences(catalog, table.id, position)?;
    let table = table_of(catalog, table.id)?;
    let kept = (0..table.columns.len()).filter(|column| *column != position && !computed.contains(column));
    let columns = kept.clone().map(|column| table.columns[column].clone()).collect();
    let shape = Shape { columns, from: kept.map(From::Old).collect() };
    rewrite(context.planner, transaction, catalog, &table, &shape).await.map(|_| ())
}

fn drop_owned_sequences(catalog: &mut Catalog, table: RelationId, column: usize) -> Result<()> {
    let owned = catalog.relations().filter(|relation| match &relation.kind {
        RelationKind::Sequence { owner: Some(owner), .. } => owner.table == table && owner.column == column,
        _ => false,
    });
    for sequence in owned.map(|relation| relation.id).collect::<Vec<_>>() {
        super::sequence::set_owner(catalog, sequence, None);
        let mut changed = table_of(catalog, table)?.as_ref().clone();
        changed.columns[column].default = None;
        catalog.replace(changed);
        catalog.drop(&[sequence], false)?;
    }
    Ok(())
}

/// The views that read a column of a table, and what stands on them, the oldest first.
fn dependents_on_column(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    position: usize,
) -> Result<Vec<Arc<Relation>>> {
    let mut without = catalog.clone();
    let mut changed = table.clone();
    changed.columns.remove(position);
    if let RelationKind::Table { primary_key, rules, .. } = &mut changed.kind {
        (*primary_key, *rules) = (None, Rules::default());
    }
    without.replace(changed);
    let mut reading = Vec::<Arc<Relation>>::new();
    for view in catalog.dependents(table.id).into_iter().rev() {
        let on_another = reading.iter().any(|other| view.depends_on.contains(&other.id));
        if on_another || (view.depends_on.contains(&table.id) && !is_the_same(planner, &without, &view)) {
            reading.push(view);
        }
    }
    Ok(reading)
}

/// Whether the query of a view gives the columns of the view under a catalog.
fn is_the_same(planner: &Planner, catalog: &Catalog, view: &Relation) -> bool {
    let (RelationKind::View { query } | RelationKind::MaterializedView { query, .. }) = &view.kind else {
        return false;
    };
    let bound = ast::parse_query(query).and_then(|query| planner.bind(&query, &catalog.for_stored(), &[]));
    bound.is_ok_and(|bound| same_columns(&bound.columns(), &view.columns))
}

/// ALTER COLUMN TYPE, with the values that USING gives or else those of an assignment.
pub(super) async fn set_type(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: &Relation,
    (name, data_type, using): (&Ident, &DataType, Option<&Expr>),
) -> Result<()> {
    let position = column_position(table, name)?;
    if let Some(view) = dependents_on_column(context.planner, catalog, table, position)?.first() {
        let message = "cannot alter type of a column used by a view or rule";
        let detail = format!("{} depends on column \"{}\"", view.description(), table.columns[position].name);
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
    }
    if let Some(computed) = generated::computed_from(table, position)?.first() {
        let message = "cannot alter type of a column used by a generated column";
        let (name, computed) = (&table.columns[position].name, &table.columns[*computed].name);
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("Column \"{name}\" is used by generated column \"{computed}\".")));
    }
    let in_key = |key: &springtide_catalog::ForeignKey| key.referenced.contains(&position);
    if let Some((other, key)) = catalog.referencing(table.id).find(|(_, key)| in_key(key)) {
        let what =
            format!("the type of a column that constraint \"{}\" of \"{}\" references", key.name, other.name);
        return Err(SqlError::unsupported(format!("changing {what}")));
    }
    let mut columns = table.columns.clone();
    columns[position].sql_type = springtide_sql::sql_type(data_type, catalog.types())?;
    columns[position].domain = springtide_sql::types_domain(data_type, catalog.types()).map(|it| it.id);
    let is_expression =
        columns[position].default.as_ref().is_some_and(|default| default.kind == DefaultKind::Expression);
    if is_expression {
        super::ddl::check_defaults(context.planner, catalog, &mut columns[position..=position])?;
    }
    let shape = Shape { columns, from: (0..table.columns.len()).map(From::Old).collect() };
    let given = match using {
        Some(using) => using.clone(),
        None => Expr::Identifier(ast::quoted(&table.columns[position].name)),
    };
    let values = Computed { position, expr: given, is_using: using.is_some() };
    rewrite_with(context.planner, transaction, catalog, table, &shape, Some(&values)).await.map(|_| ())
}

/// The columns of a table in its new shape.
struct Shape {
    columns: Vec<Column>,
    from: Vec<From>,
}

impl Shape {
    /// Where a column of the old table is.
    fn place(&self, column: usize) -> Option<usize> {
        self.from.iter().position(|from| *from == From::Old(column))
    }

    /// Where columns are, if all are there.
    fn places(&self, columns: &[usize]) -> Option<Vec<usize>> {
        columns.iter().map(|column| self.place(*column)).collect()
    }
}

/// A column whose values are computed from the old rows.
struct Computed {
    position: usize,
    expr: Expr,
    is_using: bool,
}

async fn rewrite(
    planner: &Planner,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: &Relation,
    shape: &Shape,
) -> Result<RelationId> {
    rewrite_with(planner, transaction, catalog, table, shape, None).await
}

/// Puts the table in its new shape, with its rows, in the place of the old one. Returns its identity.
async fn rewrite_with(
    planner: &Planner,
    transaction: &mut Transaction,
    catalog: &mut Catalog,
    table: &Relation,
    shape: &Shape,
    computed: Option<&Computed>,
) -> Result<RelationId> {
    let rows = transaction.rows(table.id).await?;
    let before = catalog.clone();
    let id = replace(planner, catalog, table, shape)?;
    let target = Target::new(planner, catalog, table_of(catalog, id)?)?;
    for batch in rows.iter().filter(|batch| !batch.is_empty()) {
        let mut columns = Vec::with_capacity(shape.columns.len());
        for (column, from) in target.columns.iter().zip(&shape.from) {
            columns.push(match from {
                From::Old(position) => batch.columns()[*position].clone(),
                From::Default => insert::default_values(planner, catalog, column, batch.len()).await?,
            });
        }
        if let Some(computed) = computed {
            let values = compute(planner, &before, table, computed, batch).await?;
            let column = &target.columns[computed.position];
            columns[computed.position] = converted(&values, column, computed.is_using)?;
        }
        target.fill(planner, &mut columns).await?;
        check_new_nulls(&target, shape, &columns)?;
        let rows = target.rows(planner, columns).await?;
        transaction.write(&target, ZBatch::new(rows, batch.weights().clone()), computed.is_some())?;
    }
    Ok(id)
}

/// A column that is new and NOT NULL needs a DEFAULT as soon as there are rows.
fn check_new_nulls(table: &Relation, shape: &Shape, columns: &[ArrayRef]) -> Result<()> {
    use arrow::array::Array;
    for (position, values) in columns.iter().enumerate() {
        if shape.from[position] == From::Default && !table.is_nullable(position) && values.null_count() > 0 {
            let (column, name) = (&table.columns[position].name, &table.name);
            let message = format!("column \"{column}\" of relation \"{name}\" contains null values");
            return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message));
        }
    }
    Ok(())
}

/// The values of an expression for each row of a batch, in its order.
async fn compute(
    planner: &Planner,
    catalog: &Catalog,
    table: &Relation,
    computed: &Computed,
    batch: &ZBatch,
) -> Result<ArrayRef> {
    let mut query = ast::parse_query(&format!("SELECT 1 FROM {}", ast::in_full(catalog, table)))?;
    let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
    select.projection = vec![SelectItem::UnnamedExpr(computed.expr.clone())];
    let bound = planner.bind(&query, catalog, &[])?;
    if bound.depends_on().len() > 1 {
        return Err(SqlError::unsupported("a subquery in USING"));
    }
    let mut values = Vec::new();
    // In pieces that are computed by one thread each, and so in order.
    for start in (0..batch.len()).step_by(MOST_IN_ORDER) {
        let piece = batch.rows().slice(start, MOST_IN_ORDER.min(batch.len() - start));
        let contents = HashMap::from([(Scan::present(table.id), vec![ZBatch::inserts(piece)])]);
        let rows: Vec<RecordBatch> = planner.execute(&bound, &contents, &[]).await?.try_collect().await?;
        values.extend(rows.iter().map(|rows| rows.column(0).clone()));
    }
    let values = values.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    arrow::compute::concat(&values).map_err(internal)
}

/// Rows that a query goes through one after the other.
const MOST_IN_ORDER: usize = 8192;

/// The values in the type of a column, which an assignment can give them.
fn converted(values: &ArrayRef, column: &Column, is_using: bool) -> Result<ArrayRef> {
    springtide_sql::assign(std::slice::from_ref(values), &[column])
        .map(|mut values| values.remove(0))
        .map_err(|error| match error.sqlstate {
            SqlState::DATATYPE_MISMATCH if is_using => {
                let message = format!(
                    "result of USING clause for column \"{}\" cannot be cast automatically to type {}",
                    column.name, column.sql_type
                );
                SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                    .with_hint("You might need to add an explicit cast.")
            }
            SqlState::DATATYPE_MISMATCH => {
                let message = format!(
                    "column \"{}\" cannot be cast automatically to type {}",
                    column.name, column.sql_type
                );
                let hint =
                    format!("You might need to specify \"USING {}::{}\".", column.name, column.sql_type);
                SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_hint(hint)
            }
            _ => error,
        })
}

/// Puts the definition of the table in its new shape in the place of the old one, and makes the views on it again.
fn replace(planner: &Planner, catalog: &mut Catalog, table: &Relation, shape: &Shape) -> Result<RelationId> {
    let id = catalog.next_id();
    let on_commit = catalog.on_commit_of(table.id);
    let kind = reshaped(table, shape, id);
    let new = Relation { id, columns: shape.columns.clone(), kind, ..table.clone() };
    let what = format!("cannot change the columns of {}", table.description());
    substitute(planner, catalog, table, new, |column| shape.place(column), &what)?;
    move_references(catalog, table.id, id, shape);
    catalog.set_on_commit(id, on_commit);
    Ok(id)
}

/// What a table in its new shape is, without the constraints and indexes over columns that are gone.
fn reshaped(table: &Relation, shape: &Shape, id: RelationId) -> RelationKind {
    let RelationKind::Table { primary_key, append_only, rules } = &table.kind else {
        return table.kind.clone();
    };
    let mut rules = rules.clone();
    let kept = |columns: &mut Vec<usize>| match shape.places(columns) {
        Some(places) => {
            *columns = places;
            true
        }
        None => false,
    };
    let mut not_null = std::mem::take(&mut rules.not_null);
    not_null = not_null.into_iter().filter_map(|column| shape.place(column)).collect();
    rules.not_null = not_null;
    rules.checks.retain_mut(|check| kept(&mut check.columns));
    rules.indexes.retain_mut(|index| kept(&mut index.columns));
    rules.foreign_keys.retain_mut(|key| kept(&mut key.columns));
    for key in rules.foreign_keys.iter_mut().filter(|key| key.table == table.id) {
        key.table = id;
        if let Some(places) = shape.places(&key.referenced) {
            key.referenced = places;
        }
    }
    let primary_key = primary_key.as_ref().and_then(|key| shape.places(key));
    RelationKind::Table { primary_key, append_only: *append_only, rules }
}

/// The foreign keys and sequences of the old table are those of the new one.
fn move_references(catalog: &mut Catalog, old: RelationId, new: RelationId, shape: &Shape) {
    for relation in catalog.relations().cloned().collect::<Vec<_>>() {
        let mut moved = relation.as_ref().clone();
        match &mut moved.kind {
            RelationKind::Table { rules, .. } => {
                for key in rules.foreign_keys.iter_mut().filter(|key| key.table == old) {
                    key.table = new;
                    if let Some(places) = shape.places(&key.referenced) {
                        key.referenced = places;
                    }
                }
            }
            RelationKind::Sequence { owner: Some(owner), .. } if owner.table == old => {
                owner.table = new;
                owner.column = shape.place(owner.column).unwrap_or(owner.column);
            }
            _ => continue,
        }
        catalog.replace(moved);
    }
}

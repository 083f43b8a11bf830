//! INSERT ... ON CONFLICT. The rows whose key is there already are joined with those that have it, by a query in
//! which the new ones are called `excluded`.

use std::collections::{HashMap, HashSet};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use springtide_catalog::{Catalog, Column, Relation, RelationKind, Retention};
use springtide_sql::sqlparser::ast::{
    ConflictTarget, DoUpdate, Ident, ObjectName, OnConflict, OnConflictAction, OnInsert,
};
use springtide_sql::{BoundQuery, Planner, Scan, Time};
use springtide_types::{RelationId, Result, SqlError, SqlState, SqlType, ZBatch};

use super::target::Target;
use super::{ast, internal, modify};
use crate::constraints::{columns, row_keys};
use crate::transaction::Transaction;

/// What the rows in conflict are called.
const EXCLUDED: &str = "excluded";

/// A bound ON CONFLICT.
#[derive(Clone)]
pub(super) struct Upsert {
    /// `None` stands for DO NOTHING.
    update: Option<ConflictUpdate>,
}

#[derive(Clone)]
struct ConflictUpdate {
    /// The columns that are assigned to, in the order of the values.
    columns: Vec<usize>,
    /// Returns the old row, then the assigned values.
    matching: BoundQuery,
    excluded: RelationId,
}

impl Upsert {
    /// `name` and `qualifier` are what the statement calls its table.
    pub(super) fn bind(
        planner: &Planner,
        catalog: &Catalog,
        table: &Target,
        names: (&ObjectName, &Ident),
        on: &OnInsert,
        parameters: &[Option<SqlType>],
    ) -> Result<Upsert> {
        let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
            return Err(SqlError::unsupported("ON DUPLICATE KEY UPDATE").with_hint("Use ON CONFLICT."));
        };
        if let Some(target) = conflict_target {
            check_target(table, target)?;
        }
        match action {
            OnConflictAction::DoNothing => Ok(Upsert { update: None }),
            OnConflictAction::DoUpdate(_) if conflict_target.is_none() => {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message)
                    .with_hint("For example, ON CONFLICT (column_name)."))
            }
            OnConflictAction::DoUpdate(update) => {
                let update = ConflictUpdate::bind(planner, catalog, table, names, update, parameters)?;
                Ok(Upsert { update: Some(update) })
            }
        }
    }

    pub(super) fn parameters(&self) -> Option<Vec<SqlType>> {
        self.update.as_ref().map(|update| update.matching.parameters())
    }

    /// Writes rows of the table, or does what was said for those whose key is there. Returns the rows that were
    /// written.
    pub(super) async fn write(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        table: &Target,
        rows: RecordBatch,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        let Some(key) = table.primary_key() else {
            transaction.write(table, ZBatch::inserts(rows.clone()), false)?;
            return Ok(vec![rows]);
        };
        let keys = columns(&rows, key);
        let existing = transaction.rows_by_key(table.id, keys.clone());
        let existing = existing.iter().map(ZBatch::rows).collect::<Vec<_>>();
        let existing = concat_batches(&rows.schema(), existing).map_err(internal)?;
        let there = row_keys(&columns(&existing, key)).into_iter().collect::<HashSet<_>>();
        let mut seen = HashSet::new();
        let (mut fresh, mut conflicting) = (Vec::new(), Vec::new());
        for (row, row_key) in (0_u32..).zip(row_keys(&keys)) {
            let is_there = there.contains(&row_key);
            let is_first = seen.insert(row_key);
            match &self.update {
                Some(_) if !is_first => return Err(affected_twice()),
                Some(_) if is_there => conflicting.push(row),
                _ if is_there || !is_first => {}
                _ => fresh.push(row),
            }
        }
        let fresh = take_record_batch(&rows, &UInt32Array::from(fresh)).map_err(internal)?;
        transaction.write(table, ZBatch::inserts(fresh.clone()), false)?;
        let mut written = vec![fresh];
        if let (Some(update), false) = (&self.update, conflicting.is_empty()) {
            let excluded = take_record_batch(&rows, &UInt32Array::from(conflicting)).map_err(internal)?;
            written.extend(update.run(planner, transaction, table, existing, excluded, parameters).await?);
        }
        Ok(written)
    }
}

impl ConflictUpdate {
    fn bind(
        planner: &Planner,
        catalog: &Catalog,
        table: &Target,
        (name, qualifier): (&ObjectName, &Ident),
        update: &DoUpdate,
        parameters: &[Option<SqlType>],
    ) -> Result<ConflictUpdate> {
        let mut catalog = catalog.clone();
        let excluded = catalog.next_id();
        let nullable = |column: &Column| Column { nullable: true, default: None, ..column.clone() };
        catalog.create(Relation {
            id: excluded,
            name: EXCLUDED.to_owned(),
            columns: table.columns.iter().map(nullable).collect(),
            kind: RelationKind::Table { primary_key: None, append_only: false },
            depends_on: Vec::new(),
            functions: Vec::new(),
            history: Retention::default(),
        })?;
        let mut hints = parameters.to_vec();
        let (columns, items) = modify::replacement(table, qualifier, &update.assignments, &mut hints)?;
        let key = table.primary_key().expect("a conflict target names the primary key");
        let pairs = key.iter().map(|column| {
            let column = ast::quoted(&table.columns[*column].name);
            format!("{qualifier}.{column} = {EXCLUDED}.{column}")
        });
        let on = pairs.collect::<Vec<_>>().join(" AND ");
        let mut query =
            ast::parse_query(&format!("SELECT 1 FROM {name} AS {qualifier} JOIN {EXCLUDED} ON {on}"))?;
        let select = ast::body(&mut query).ok_or_else(|| SqlError::internal("a SELECT has a body"))?;
        select.projection = items;
        select.selection = update.selection.clone();
        let matching = planner.bind(&query, &catalog, &hints)?;
        let is_past = |scan: &Scan| scan.time != Time::Present;
        if matching.depends_on().len() > 2 || matching.scans().iter().any(is_past) {
            return Err(SqlError::unsupported("a subquery in ON CONFLICT DO UPDATE"));
        }
        Ok(ConflictUpdate { columns, matching, excluded })
    }

    async fn run(
        &self,
        planner: &Planner,
        transaction: &mut Transaction,
        table: &Target,
        existing: RecordBatch,
        excluded: RecordBatch,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        let inserts = |relation, rows| (Scan::present(relation), vec![ZBatch::inserts(rows)]);
        let contents = HashMap::from([inserts(table.id, existing), inserts(self.excluded, excluded)]);
        let matched = planner.execute(&self.matching, &contents, parameters).await?;
        let matched: Vec<RecordBatch> = matched.try_collect().await?;
        let mut written = Vec::new();
        for matched in matched.iter().filter(|matched| matched.num_rows() > 0) {
            written.push(table.replace(transaction, &self.columns, matched)?);
        }
        Ok(written)
    }
}

/// What is in conflict must be the primary key: there is no other constraint that rows can violate together.
fn check_target(table: &Target, target: &ConflictTarget) -> Result<()> {
    let key = table.primary_key();
    match target {
        ConflictTarget::Columns(names) => {
            let mut named =
                names.iter().map(|name| super::column_position(table, name)).collect::<Result<Vec<_>>>()?;
            let mut key = key.map(<[usize]>::to_vec);
            named.sort_unstable();
            key.iter_mut().for_each(|key| key.sort_unstable());
            if key == Some(named) {
                return Ok(());
            }
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message))
        }
        ConflictTarget::OnConstraint(name) => {
            let name = match name.0.as_slice() {
                [part] => part.as_ident().map(ast::fold),
                _ => None,
            };
            let name = name.unwrap_or_default();
            if key.is_some() && name == format!("{}_pkey", table.name) {
                return Ok(());
            }
            let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
            Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}

fn affected_twice() -> SqlError {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    SqlError::new(SqlState::CARDINALITY_VIOLATION, message).with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}

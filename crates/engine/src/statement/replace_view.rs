//! CREATE OR REPLACE VIEW and MATERIALIZED VIEW.

use std::sync::Arc;

use springtide_catalog::{Catalog, Column, Relation, RelationKind};
use springtide_sql::Planner;
use springtide_types::{Result, SqlError, SqlState};

use super::alter::check_unchanged;
use super::substitute::substitute;

/// Puts a view in the place of another of its kind.
pub(super) fn replace(
    planner: &Planner,
    catalog: &mut Catalog,
    known: &Arc<Relation>,
    new: Relation,
) -> Result<()> {
    match (&known.kind, &new.kind) {
        (RelationKind::View { query: old }, RelationKind::View { query }) => {
            let is_other_query = old != query;
            replace_plain(planner, catalog, known, new, is_other_query)
        }
        (RelationKind::MaterializedView { .. }, RelationKind::MaterializedView { .. }) => {
            replace_materialized(planner, catalog, known, new)
        }
        (_, kind) => {
            let what = if matches!(kind, RelationKind::View { .. }) { "view" } else { "materialized view" };
            let message = format!("\"{}\" is not a {what}", known.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

/// Puts a new version in the place of a materialized view, and of the views on it. Columns may change as long as those views
/// go on giving what they gave.
fn replace_materialized(
    planner: &Planner,
    catalog: &mut Catalog,
    known: &Relation,
    new: Relation,
) -> Result<()> {
    refuse_recursion(catalog, known, &new)?;
    if is_the_same(known, &new) {
        return Ok(());
    }
    let columns = new.columns.clone();
    let place = |column: usize| columns.iter().position(|other| other.name == known.columns[column].name);
    substitute(planner, catalog, known, new, place, &format!("cannot replace {}", known.description()))
}

/// Whether the one definition means what the other does.
fn is_the_same(known: &Relation, new: &Relation) -> bool {
    let query = |relation: &Relation| match &relation.kind {
        RelationKind::MaterializedView { query, .. } => Some(query.clone()),
        _ => None,
    };
    let meaning = |relation: &Relation| {
        let (depends_on, functions) = (relation.depends_on.clone(), relation.functions.clone());
        (query(relation), relation.history, depends_on, functions)
    };
    meaning(known) == meaning(new)
}

/// A view can't read itself, nor what reads it.
fn refuse_recursion(catalog: &Catalog, known: &Relation, new: &Relation) -> Result<()> {
    let dependents = catalog.dependents(known.id);
    if new.depends_on.iter().any(|id| *id == known.id || dependents.iter().any(|other| other.id == *id)) {
        let message = format!("infinite recursion detected in rules for relation \"{}\"", known.name);
        return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(())
}

/// Puts a new definition in the place of a plain view. The plain views on it follow; materialized ones hold results of the
/// old definition, and are made again.
fn replace_plain(
    planner: &Planner,
    catalog: &mut Catalog,
    known: &Arc<Relation>,
    new: Relation,
    is_other_query: bool,
) -> Result<()> {
    check_columns(&known.columns, &new.columns)?;
    refuse_recursion(catalog, known, &new)?;
    let dependents = catalog.dependents(known.id);
    let is_maintained = |view: &Arc<Relation>| matches!(view.kind, RelationKind::MaterializedView { .. });
    if is_other_query && dependents.iter().any(is_maintained) {
        let what = format!("cannot replace {}", known.description());
        let new = Relation { id: catalog.next_id(), history: known.history, ..new };
        return substitute(planner, catalog, known, new, Some, &what);
    }
    catalog.replace(Relation { id: known.id, history: known.history, ..new });
    for dependent in dependents.iter().rev() {
        check_unchanged(planner, catalog, dependent).map_err(|error| {
            let (view, user) = (known.description(), dependent.description());
            let message = format!("cannot replace {view} because {user} would change with it");
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(error.message).with_hint(
                format!("Drop {user} first, or name the columns that it reads instead of all (*)."),
            )
        })?;
    }
    Ok(())
}

/// Columns may only be added at the end.
fn check_columns(old: &[Column], new: &[Column]) -> Result<()> {
    let refused = |message: String| Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    if new.len() < old.len() {
        return refused("cannot drop columns from view".to_owned());
    }
    for (old, new) in old.iter().zip(new) {
        if old.name != new.name {
            return refused(format!(
                "cannot change name of view column \"{}\" to \"{}\"",
                old.name, new.name
            ));
        }
        if old.sql_type != new.sql_type {
            return refused(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name, old.sql_type, new.sql_type
            ));
        }
    }
    Ok(())
}

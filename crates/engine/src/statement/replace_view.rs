//! CREATE OR REPLACE VIEW, of plain views.

use std::sync::Arc;

use springtide_catalog::{Catalog, Column, Relation, RelationKind};
use springtide_sql::Planner;
use springtide_types::{Result, SqlError, SqlState};

use super::alter::check_unchanged;

/// Puts a new definition in the place of a view. The plain views on it follow; materialized ones hold results of the
/// old definition.
pub(super) fn replace(
    planner: &Planner,
    catalog: &mut Catalog,
    known: &Arc<Relation>,
    new: Relation,
) -> Result<()> {
    let (RelationKind::View { query: old_query }, RelationKind::View { query: new_query }) =
        (&known.kind, &new.kind)
    else {
        let message = format!("\"{}\" is not a view", known.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    };
    let dependents = catalog.dependents(known.id);
    check_columns(&known.columns, &new.columns)?;
    if new.depends_on.iter().any(|id| *id == known.id || dependents.iter().any(|other| other.id == *id)) {
        let message = format!("infinite recursion detected in rules for relation \"{}\"", known.name);
        return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    if old_query != new_query {
        refuse_maintained(known, &dependents)?;
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

fn refuse_maintained(view: &Relation, dependents: &[Arc<Relation>]) -> Result<()> {
    let maintained = dependents.iter().filter(|it| matches!(it.kind, RelationKind::MaterializedView { .. }));
    let lines = maintained.map(|it| format!("{} depends on {}", it.description(), view.description()));
    let lines = lines.collect::<Vec<_>>();
    if lines.is_empty() {
        return Ok(());
    }
    let message = format!("cannot replace {} because materialized views use it", view.description());
    Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(lines.join("\n"))
        .with_hint("Drop the materialized views first."))
}

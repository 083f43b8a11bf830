//! A relation in the place of another. It has an identity of its own, and the views on it are made again, with identities of
//! their own as well.

use std::collections::HashMap;
use std::sync::Arc;

use springtide_catalog::{Catalog, Column, Commented, Relation, RelationKind, Securable};
use springtide_sql::Planner;
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::ast;

/// Puts `new`, under [`Catalog::next_id`], in the place of `old`, and makes the views on it again. What was said of the old
/// ones holds of the new ones; `place` is where a column of the old one is in the new one. `what`, as in "cannot do this",
/// begins the message of the error when a view would not be what it was.
pub(super) fn substitute(
    planner: &Planner,
    catalog: &mut Catalog,
    old: &Relation,
    new: Relation,
    place: impl Fn(usize) -> Option<usize>,
    what: &str,
) -> Result<()> {
    let views = catalog.dependents(old.id);
    let mut replaced = views.iter().map(|view| view.id).collect::<Vec<_>>();
    replaced.push(old.id);
    let comments = comments_on(catalog, &replaced);
    let access = |id: &RelationId| (*id, catalog.access(Securable::Relation(*id)).clone());
    let accesses = replaced.iter().map(access).collect::<Vec<_>>();
    catalog.take_out(&replaced);
    let mut identities = HashMap::from([(old.id, new.id)]);
    catalog.create(new)?;
    for view in views.iter().rev() {
        let again = catalog.next_id();
        let made = made_again(planner, catalog, view, what)?;
        catalog.create(Relation { id: again, ..made })?;
        identities.insert(view.id, again);
    }
    for (of, access) in accesses {
        catalog.set_access(Securable::Relation(identities[&of]), access);
    }
    for (on, text) in comments {
        let moved = |id: RelationId| identities.get(&id).copied().unwrap_or(id);
        let on = match on {
            Commented::Relation(of) => Some(Commented::Relation(moved(of))),
            Commented::Column(of, column) if of == old.id => {
                place(column).map(|column| Commented::Column(moved(of), column))
            }
            Commented::Column(of, column) => Some(Commented::Column(moved(of), column)),
            other => Some(other),
        };
        if let Some(on) = on {
            catalog.set_comment(on, Some(&text));
        }
    }
    Ok(())
}

fn comments_on(catalog: &Catalog, relations: &[RelationId]) -> Vec<(Commented, String)> {
    let comments = catalog.comments().filter(|(on, _)| match on {
        Commented::Relation(id) | Commented::Column(id, _) => relations.contains(id),
        _ => false,
    });
    comments.map(|(on, text)| (on, text.to_owned())).collect()
}

/// A view whose query is bound anew. It must give the columns that it gave.
fn made_again(planner: &Planner, catalog: &Catalog, view: &Relation, what: &str) -> Result<Relation> {
    let (RelationKind::View { query } | RelationKind::MaterializedView { query, .. }) = &view.kind else {
        return Err(SqlError::internal("views alone depend on others"));
    };
    let would_change = |detail: String| {
        let message = format!("{what} because {} would change", view.description());
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail).with_hint(format!(
            "Drop {} first, or name the columns that it reads instead of all (*).",
            view.description()
        ))
    };
    let bound = planner.bind(&ast::parse_query(query)?, &catalog.for_stored(), &[]);
    let bound = bound.map_err(|error| would_change(error.message))?;
    if !same_columns(&bound.columns(), &view.columns) {
        return Err(would_change("Its query would give other columns.".to_owned()));
    }
    let (depends_on, functions) = (bound.depends_on().to_vec(), bound.functions().to_vec());
    let types = bound.types().to_vec();
    let kind = match &view.kind {
        RelationKind::MaterializedView { query, .. } => {
            let plan = Arc::new(planner.lower(&bound, catalog)?);
            RelationKind::MaterializedView { query: query.clone(), plan }
        }
        kind => kind.clone(),
    };
    Ok(Relation { columns: bound.columns(), kind, depends_on, functions, types, ..view.clone() })
}

/// Whether columns have the same names and types.
pub(super) fn same_columns(one: &[Column], other: &[Column]) -> bool {
    let shape = |columns: &[Column]| {
        columns.iter().map(|column| (column.name.clone(), column.sql_type)).collect::<Vec<_>>()
    };
    shape(one) == shape(other)
}

use std::collections::{BTreeMap, BTreeSet};

use super::SHARED_VIEWS;
use super::connection::{Connection, Failure};
use super::model::Model;

/// What a database holds of one session.
struct Found {
    /// The rows of each table; `None` if it is not there.
    tables: BTreeMap<String, Option<Vec<String>>>,
    /// Whether a view is there, of those that are in doubt.
    views: BTreeMap<String, bool>,
    ledger: Vec<String>,
}

/// Finds out which of several states that a session may have left behind the database is in, and checks the views in it.
/// Fails with what is wrong if it is in none of them.
pub async fn settle(connection: &mut impl Connection, candidates: &[Model]) -> Result<Model, String> {
    let found = find(connection, candidates).await?;
    let mut differences = Vec::new();
    for candidate in candidates {
        // Two states may differ in nothing but the query of a view.
        match judge(connection, candidate, &found).await {
            Ok(()) => return Ok(candidate.clone()),
            Err(difference) => differences.push(difference),
        }
    }
    Err(differences.join("\nand, had the last transaction taken effect: "))
}

async fn judge(connection: &mut impl Connection, model: &Model, found: &Found) -> Result<(), String> {
    if let Some(difference) = difference(model, found) {
        return Err(difference);
    }
    for (name, view) in &model.views {
        check_view(connection, name, &view.query).await?;
    }
    Ok(())
}

/// Checks the views over what all sessions share.
pub async fn check_shared(connection: &mut impl Connection) -> Result<(), String> {
    for (name, query) in SHARED_VIEWS {
        check_view(connection, name, query).await?;
    }
    Ok(())
}

async fn find(connection: &mut impl Connection, candidates: &[Model]) -> Result<Found, String> {
    let names = |of: fn(&Model) -> Vec<&String>| candidates.iter().flat_map(of).collect::<BTreeSet<_>>();
    let mut tables = BTreeMap::new();
    for name in names(|model| model.tables.keys().collect()) {
        let query = format!("SELECT k, g, v, s, z, p, f, b, y, at, i FROM {name}");
        let rows = match connection.rows(&query).await {
            Ok(rows) => Some(rows),
            Err(failure) if is_missing(&failure) => None,
            Err(failure) => return Err(format!("{name} can't be read: {failure}")),
        };
        tables.insert(name.clone(), rows);
    }
    let mut views = BTreeMap::new();
    for name in names(|model| model.views.keys().collect()) {
        if candidates.iter().all(|model| model.views.contains_key(name)) {
            // It is compared with its query later.
            continue;
        }
        let outcome = connection.rows(&format!("SELECT * FROM {name}")).await;
        views.insert(name.clone(), !outcome.is_err_and(|failure| is_missing(&failure)));
    }
    let query = candidates.first().map(Model::query_of_ledger).unwrap_or_default();
    let ledger = connection.rows(&query).await.map_err(|failure| format!("{query}: {failure}"))?;
    Ok(Found { tables, views, ledger })
}

fn is_missing(failure: &Failure) -> bool {
    failure.sqlstate.as_deref() == Some("42P01")
}

/// In what a database is not as a session has it; `None` if in nothing.
fn difference(model: &Model, found: &Found) -> Option<String> {
    for (name, rows) in &found.tables {
        let expected = model.rows(name);
        if *rows != expected {
            return Some(format!("{name} holds\n  {rows:?}\nand not\n  {expected:?}"));
        }
    }
    for (name, is_there) in &found.views {
        if *is_there != model.views.contains_key(name) {
            return Some(format!("view {name} is there: {is_there}"));
        }
    }
    let expected = model.rows_of_ledger();
    let session = model.session;
    (found.ledger != expected).then(|| {
        format!("the ledger holds of session {session}\n  {:?}\nand not\n  {expected:?}", found.ledger)
    })
}

async fn check_view(connection: &mut impl Connection, name: &str, query: &str) -> Result<(), String> {
    let maintained = connection.rows(&format!("SELECT * FROM {name}")).await;
    let scratch = connection.rows(query).await;
    match (&maintained, &scratch) {
        (Ok(maintained), Ok(scratch)) if maintained == scratch => Ok(()),
        (Err(maintained), Err(scratch)) if is_same_error(maintained, scratch) => Ok(()),
        _ => Err(format!("{name} is not its query, {query}:\n  {maintained:?}\n  {scratch:?}")),
    }
}

fn is_same_error(one: &Failure, other: &Failure) -> bool {
    one.sqlstate == other.sqlstate && !matches!(one.sqlstate.as_deref(), None | Some("XX000"))
}

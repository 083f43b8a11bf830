//! The system catalogue in queries: its relations and functions, and the SQL in which clients ask for them.
//!
//! The catalogue that a query is bound under goes into its plan, so that it answers for one moment.

mod arrays;
mod empty;
mod from;
mod lookup;
mod named;
mod rewrite;
mod single;
mod subqueries;
mod table;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart};
use springtide_catalog::system::{Facts, SystemRelation, system_relation};

use crate::names::fold;

pub(crate) use arrays::higher_order;
pub(crate) use rewrite::rewrite;
pub(crate) use table::source;

/// The schemas of the system.
const SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "springtide_catalog"];

/// Whether a name says that it is of a schema of the system.
pub(crate) fn in_system_schema(name: &ObjectName) -> bool {
    match idents(name).as_deref() {
        Some([.., schema, _]) => SCHEMAS.contains(&schema.as_str()),
        _ => false,
    }
}

/// The system relation that a name in FROM stands for. `pg_catalog` need not be named.
pub(crate) fn relation(name: &ObjectName) -> Option<&'static SystemRelation> {
    match idents(name)?.as_slice() {
        [name] => system_relation(None, name),
        [.., schema, name] => system_relation(Some(schema), name),
        [] => None,
    }
}

fn idents(name: &ObjectName) -> Option<Vec<String>> {
    let ident = |part: &ObjectNamePart| part.as_ident().map(fold);
    name.0.iter().map(ident).collect()
}

/// The function of this name over a catalog, if there is one.
pub(crate) fn function(name: &str, facts: impl FnOnce() -> Facts) -> Option<Arc<ScalarUDF>> {
    if let Some(named) = named::function(name) {
        return Some(Arc::new(ScalarUDF::from(named(facts()))));
    }
    let lookup = springtide_catalog::system::lookup(name)?;
    Some(Arc::new(ScalarUDF::from(lookup::LookupFunction::new(lookup, facts()))))
}

/// Whether there is a function of this name over the catalog.
pub(crate) fn is_function(name: &str) -> bool {
    named::function(name).is_some() || springtide_catalog::system::lookup(name).is_some()
}

/// Whether the function of this name over the catalog gives something else each time that it is called.
pub(crate) fn is_volatile(name: &str) -> bool {
    springtide_catalog::system::lookup(name).is_some_and(|lookup| lookup.volatile)
}

/// Functions that need no catalog.
pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    arrays::functions()
}

/// Aggregates that only [`rewrite`] writes.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![single::function()]
}

//! The functions of SQL/JSON, as [`sql_json`](crate::sql_json) calls them.

mod construct;
mod is_json;
mod passed;
mod query;
mod table;
mod text;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    query::functions()
        .into_iter()
        .chain(construct::functions())
        .chain([is_json::function(), table::function()])
        .collect()
}

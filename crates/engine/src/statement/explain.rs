use springtide_catalog::RelationKind;
use springtide_plan::{ViewPlan, explain as plan_text};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{ObjectName, Query, Statement};
use springtide_types::{Result, SqlError, SqlState};

use crate::response::Response;
use crate::transaction::Transaction;

/// `EXPLAIN <query>`: the plan that answers the query from snapshots. `EXPLAIN CREATE MATERIALIZED VIEW`: the
/// incremental plan that the view would have.
pub(super) fn explain(
    planner: &Planner,
    transaction: &Transaction,
    statement: &Statement,
    analyze: bool,
) -> Result<Response> {
    if analyze {
        return Err(SqlError::unsupported("EXPLAIN ANALYZE"));
    }
    match statement {
        Statement::CreateView(create) if create.materialized => {
            let plan = incremental_plan(planner, transaction, &create.query)?;
            Ok(lines(&plan_text(&plan)))
        }
        Statement::Query(query) => {
            let bound = planner.bind(query, &transaction.query_catalog(), &[])?;
            Ok(lines(&planner.explain(&bound)?))
        }
        _ => Err(SqlError::unsupported("EXPLAIN of anything but a query or CREATE MATERIALIZED VIEW")),
    }
}

/// `EXPLAIN <materialized view>`: the plan that maintains it.
pub(super) fn explain_relation(transaction: &Transaction, name: &ObjectName) -> Result<Response> {
    let catalog = transaction.catalog();
    let relation = catalog.get(&springtide_sql::object_name(name)?)?;
    match &relation.kind {
        RelationKind::MaterializedView { plan, .. } => Ok(lines(&plan_text(plan))),
        _ => {
            let message = format!("\"{}\" is not a materialized view", relation.name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(
                "EXPLAIN shows the incremental plan of a materialized view, or the plan of a query.",
            ))
        }
    }
}

fn incremental_plan(planner: &Planner, transaction: &Transaction, query: &Query) -> Result<ViewPlan> {
    let catalog = transaction.catalog();
    let bound = planner.bind(query, &catalog, &[])?;
    planner.lower(&bound, &catalog)
}

fn lines(text: &str) -> Response {
    Response::text("QUERY PLAN", "EXPLAIN", text.lines().map(str::to_owned).collect())
}

mod analysis;
mod options;

use springtide_catalog::RelationKind;
use springtide_plan::{ViewPlan, explain as plan_text, lines as plan_lines};
use springtide_sql::Planner;
use springtide_sql::sqlparser::ast::{ObjectName, Query, Statement};
use springtide_types::{RelationId, Result, SqlError, SqlState};

use super::permission;
use super::query::Select;
use crate::response::Response;
use crate::transaction::Transaction;

pub(super) use options::Options;

/// `EXPLAIN <query>`: the plan that answers the query from snapshots; with ANALYZE, what it took to do so. `EXPLAIN
/// CREATE MATERIALIZED VIEW`: the incremental plan that the view would have.
pub(super) async fn explain(
    planner: &Planner,
    transaction: &mut Transaction,
    statement: &Statement,
    options: &Options,
) -> Result<Response> {
    match statement {
        Statement::CreateView(create) if create.materialized => {
            options.check_of_view()?;
            let plan = incremental_plan(planner, transaction, &create.query)?;
            Ok(lines(&plan_text(&plan)))
        }
        Statement::Query(query) => {
            let select = Select::bind(planner, &transaction.query_catalog(), query, &[])?;
            check_readable(transaction, select.depends_on())?;
            if options.analyze {
                let analysis = select.analyze(planner, transaction).await?;
                return Ok(whole(options.json, &analysis::shown(&analysis, options)));
            }
            Ok(whole(options.json, &select.explain(planner, options.json)?))
        }
        _ => Err(SqlError::unsupported("EXPLAIN of anything but a query or CREATE MATERIALIZED VIEW")),
    }
}

/// `EXPLAIN <materialized view>`: the plan that maintains it; with ANALYZE, what the operators have done and what they hold,
/// once all is through them that the transaction sees.
pub(super) async fn explain_relation(
    planner: &Planner,
    transaction: &Transaction,
    name: &ObjectName,
    analyze: bool,
) -> Result<Response> {
    let catalog = transaction.catalog();
    let relation = catalog.get(&springtide_sql::object_name(name)?)?;
    match &relation.kind {
        RelationKind::MaterializedView { plan, .. } if analyze => {
            let contents = transaction.bytes_when_complete(relation.id).await?;
            let live = planner.session().live.iter();
            let operators = live.flat_map(|live| live.operators()).filter(|it| it.view == relation.name);
            Ok(lines(&analysis::of_view(&plan_lines(plan), &operators.collect::<Vec<_>>(), contents)))
        }
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
    check_readable(transaction, bound.depends_on())?;
    planner.lower(&bound, &catalog)
}

fn check_readable(transaction: &Transaction, relations: &[RelationId]) -> Result<()> {
    permission::may_read_all(transaction.visible_catalog(), transaction.identity().current, relations)
}

/// A text line by line, or JSON as one value.
fn whole(json: bool, text: &str) -> Response {
    if json { Response::text("QUERY PLAN", "EXPLAIN", vec![text.to_owned()]) } else { lines(text) }
}

fn lines(text: &str) -> Response {
    Response::text("QUERY PLAN", "EXPLAIN", text.lines().map(str::to_owned).collect())
}

//! What no incremental plan exists for (yet), by the name that the user knows it by.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, Volatility};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::asof::is_asof_join;
use crate::errors::{external, plan_error};
use crate::functions::{ENUM_FUNCTIONS, cast_target};
use crate::moments::AS_OF;
use crate::relation_table::scanned;
use crate::scan::Time;
use crate::system::is_function;

/// Refuses what has to be judged before the optimizer: it folds `now()` into a constant.
pub(super) fn check(plan: &LogicalPlan) -> springtide_types::Result<()> {
    let visited = plan.apply_with_subqueries(|node| {
        if is_asof_join(node) {
            return Err(external(in_view("ASOF JOIN")));
        }
        if let LogicalPlan::TableScan(scan) = node
            && let Some(construct) = time_travel(scan)
        {
            return Err(external(in_view(construct)));
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| match check_expr(expr) {
                Some(error) => Err(external(error)),
                None => Ok(TreeNodeRecursion::Continue),
            })
        })
    });
    visited.map(|_| ()).map_err(|error| plan_error(&error))
}

fn time_travel(scan: &TableScan) -> Option<&'static str> {
    match scanned(scan)?.1.time {
        Time::Present => None,
        Time::At(_) => Some(AS_OF),
        Time::Changes { .. } => Some("changes()"),
        Time::Versions { .. } => Some("versions()"),
    }
}

fn check_expr(expr: &Expr) -> Option<SqlError> {
    match expr {
        // It would fail or not by the labels that there are at the time.
        Expr::ScalarFunction(function) if reads_labels(function) => Some(
            in_view("a cast of texts to an enum type")
                .with_hint("Cast where the values are inserted: a column can be of the enum type."),
        ),
        Expr::ScalarFunction(function) => {
            let name = function.name();
            let changes = match function.func.signature().volatility {
                Volatility::Volatile => true,
                Volatility::Stable => {
                    CLOCKS.contains(&name) || ENUM_FUNCTIONS.contains(&name) || is_function(name)
                }
                Volatility::Immutable => false,
            };
            changes.then(|| {
                in_view(format!("{name}()")).with_hint(
                    "The rows of a view change only with its inputs: pass the value in as a column.",
                )
            })
        }
        Expr::Placeholder(placeholder) => {
            let message = format!("there is no parameter {}", placeholder.id);
            Some(SqlError::new(SqlState::UNDEFINED_PARAMETER, message))
        }
        _ => None,
    }
}

/// Whether a call makes values of an enum, which is not done by its key.
fn reads_labels(call: &ScalarFunction) -> bool {
    let target = cast_target(call).map(|target| target.element().unwrap_or(target));
    matches!(target, Some(SqlType::Enum(_)))
}

const CLOCKS: [&str; 5] = ["now", "current_date", "current_time", "today", "current_timestamp"];

/// The error for a construct in a materialized view.
pub(super) fn in_view(construct: impl std::fmt::Display) -> SqlError {
    SqlError::unsupported(format!("{construct} in a materialized view"))
        .with_hint("A plain VIEW supports it: it is computed when it is read.")
}

/// The error for a plan node that has no counterpart.
pub(super) fn plan(plan: &LogicalPlan) -> SqlError {
    in_view(match plan {
        LogicalPlan::RecursiveQuery(_) => "WITH RECURSIVE",
        LogicalPlan::Subquery(_) => "a correlated subquery",
        other => return in_view(other.display()),
    })
}

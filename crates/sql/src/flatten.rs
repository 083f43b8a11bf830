//! Plain views and subqueries in FROM over one relation, unfolded into the query around them.
//!
//! ```text
//! SELECT x FROM (SELECT a + 1 AS x, b / c AS y FROM t) AS v WHERE x > 1
//! SELECT a + 1 FROM t WHERE a + 1 > 1
//! ```
//!
//! As in PostgreSQL, a column that nobody asks for is not computed, nor is one in a row that the query around
//! filters out; so neither can fail. Joins and aggregates are left to the optimizer.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Volatility};

use crate::errors::plan_error;

/// Columns that are used more than once are computed more than once; beyond this many nodes that costs more
/// than it is worth.
const MOST_NODES: usize = 512;

/// See the module.
pub(crate) fn flatten(plan: LogicalPlan) -> springtide_types::Result<LogicalPlan> {
    if !is_layered(&plan) {
        return Ok(plan);
    }
    let flat = collapse(&plan).and_then(|flat| flat.map(|flat| flat.build(plan.schema())).transpose());
    Ok(flat.map_err(|error| plan_error(&error))?.unwrap_or(plan))
}

/// Whether a projection stands below something that may make it superfluous.
fn is_layered(plan: &LogicalPlan) -> bool {
    fn has_projection(plan: &LogicalPlan) -> bool {
        matches!(plan, LogicalPlan::Projection(_)) || plan.inputs().into_iter().any(has_projection)
    }
    plan.inputs().into_iter().any(has_projection)
}

/// A relation, what its rows must fulfil, and what is computed from those that do.
struct Flat {
    source: LogicalPlan,
    filters: Vec<Expr>,
    outputs: Vec<Expr>,
}

impl Flat {
    fn build(self, schema: &DFSchema) -> Result<LogicalPlan> {
        let outputs =
            self.outputs.into_iter().zip(schema.iter()).map(|(expr, (qualifier, field))| match expr {
                Expr::Column(column)
                    if column.name == *field.name() && column.relation.as_ref() == qualifier =>
                {
                    Expr::Column(column)
                }
                expr => expr.alias_qualified(qualifier.cloned(), field.name()),
            });
        let mut plan = LogicalPlanBuilder::from(self.source);
        for filter in self.filters {
            plan = plan.filter(filter)?;
        }
        plan.project(outputs.collect::<Vec<_>>())?.build()
    }
}

fn collapse(plan: &LogicalPlan) -> Result<Option<Flat>> {
    let (input, exprs) = match plan {
        LogicalPlan::TableScan(_) => {
            let outputs = plan.schema().columns().into_iter().map(Expr::Column).collect();
            return Ok(Some(Flat { source: plan.clone(), filters: Vec::new(), outputs }));
        }
        LogicalPlan::SubqueryAlias(alias) => return collapse(&alias.input),
        LogicalPlan::Filter(filter) => (&filter.input, std::slice::from_ref(&filter.predicate)),
        LogicalPlan::Projection(projection) => (&projection.input, projection.expr.as_slice()),
        _ => return Ok(None),
    };
    let Some(mut flat) = collapse(input)? else { return Ok(None) };
    let mut exprs = substitute(exprs, input.schema(), &flat.outputs)?;
    if !exprs.iter().chain(&flat.filters).all(is_movable) || nodes(&exprs) > MOST_NODES {
        return Ok(None);
    }
    match plan {
        LogicalPlan::Filter(_) => flat.filters.append(&mut exprs),
        _ => flat.outputs = exprs,
    }
    Ok(Some(flat))
}

/// The expressions over what the columns of their input are.
fn substitute(exprs: &[Expr], schema: &DFSchema, columns: &[Expr]) -> Result<Vec<Expr>> {
    let replaced = exprs.iter().map(|expr| {
        let replaced = expr.clone().transform_up(|expr| match &expr {
            Expr::Column(column) => {
                Ok(Transformed::yes(columns[schema.index_of_column(column)?].clone().unalias()))
            }
            Expr::Alias(_) => Ok(Transformed::yes(expr.unalias())),
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(replaced.data)
    });
    replaced.collect()
}

/// Whether it makes no difference where, or how often for a row, the expression is computed.
fn is_movable(expr: &Expr) -> bool {
    let fixed = expr.exists(|expr| {
        Ok(match expr {
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => true,
            Expr::ScalarFunction(function) => function.func.signature().volatility == Volatility::Volatile,
            _ => false,
        })
    });
    fixed.is_ok_and(|fixed| !fixed)
}

fn nodes(exprs: &[Expr]) -> usize {
    let mut count = 0;
    for expr in exprs {
        let visited = expr.apply(|_| {
            count += 1;
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(visited.is_ok(), "the visitor never fails");
    }
    count
}

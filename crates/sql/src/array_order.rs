//! The order of the elements that `array_agg` puts together.
//!
//! The rows of a relation come in no order of their own. So that an array is the same in a query and in a view over
//! it, its elements then are in their own order, as are those that tie in an ORDER BY. Where a subquery in FROM has an
//! ORDER BY, they come in that.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Sort as SortExpr;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::functions::collected;
use crate::relation_table::scanned;

/// How rows come to an aggregation.
pub(crate) enum Arrival {
    /// Those of a relation, in no order.
    AnyOrder,
    /// In the order of a subquery.
    Ordered(Vec<SortExpr>),
    /// In an order that a query may rely on, such as that of VALUES.
    AsIs,
}

impl Arrival {
    /// How the rows come that a plan aggregates, if it is of the kind.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<Arrival> {
        let LogicalPlan::Aggregate(aggregate) = plan else { return None };
        Some(match (order_of(&aggregate.input), is_sorted(&aggregate.input)) {
            (Some(order), _) => Arrival::Ordered(order),
            (None, false) if reads_relations(&aggregate.input) => Arrival::AnyOrder,
            _ => Arrival::AsIs,
        })
    }

    /// The expression with the order of its elements said, if it is an `array_agg`.
    pub(crate) fn ordered(&self, expr: Expr) -> Expr {
        let Expr::AggregateFunction(mut call) = expr else { return expr };
        let (params, element) = match (call.func.name(), call.params.args.first().cloned()) {
            ("array_agg", Some(element)) => (&mut call.params, element),
            _ => return Expr::AggregateFunction(call),
        };
        let is_said = !params.order_by.is_empty();
        if let (Arrival::Ordered(order), false, false) = (self, is_said, params.distinct) {
            params.order_by.clone_from(order);
        }
        let is_complete = params.order_by.iter().any(|sort| sort.expr == element);
        if !is_complete && (params.distinct || !matches!(self, Arrival::AsIs)) {
            params.order_by.push(element.sort(true, false));
        }
        Expr::AggregateFunction(collected(call))
    }
}

/// The ORDER BY of the rows, in terms of the plan's columns.
fn order_of(plan: &LogicalPlan) -> Option<Vec<SortExpr>> {
    let renamed = |order: Vec<SortExpr>, output: &dyn Fn(&Expr) -> Option<Expr>| {
        order.into_iter().map(|sort| Some(SortExpr { expr: output(&sort.expr)?, ..sort })).collect()
    };
    match plan {
        LogicalPlan::Sort(sort) => Some(sort.expr.clone()),
        LogicalPlan::Limit(limit) => order_of(&limit.input),
        LogicalPlan::Filter(filter) => order_of(&filter.input),
        LogicalPlan::Projection(projection) => {
            let columns = projection.schema.columns();
            renamed(order_of(&projection.input)?, &|expr| {
                let position = projection.expr.iter().position(|output| output.clone().unalias() == *expr)?;
                Some(Expr::Column(columns[position].clone()))
            })
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = alias.schema.columns();
            renamed(order_of(&alias.input)?, &|expr| {
                let renamed = expr.clone().transform_up(|expr| match &expr {
                    Expr::Column(column) => {
                        let position = alias.input.schema().index_of_column(column)?;
                        Ok(Transformed::yes(Expr::Column(columns[position].clone())))
                    }
                    _ => Ok(Transformed::no(expr)),
                });
                renamed.ok().map(|renamed| renamed.data)
            })
        }
        _ => None,
    }
}

/// Whether rows come in the order of a subquery, be it known or not.
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Limit(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::SubqueryAlias(_) => plan.inputs().into_iter().all(is_sorted),
        _ => false,
    }
}

fn reads_relations(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let visited = plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::TableScan(scan) if scanned(scan).is_some());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
    found
}

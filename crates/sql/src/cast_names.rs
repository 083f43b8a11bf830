//! Keeps expressions apart that differ in their casts only. DataFusion names `sum(a::int8)` and `sum(a::float8)`
//! both `sum(a)`, and refuses a query that computes two things of one name.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visitor, VisitorMut,
};
use springtide_types::Result;

use crate::desugar::call;
use crate::functions::LABELLED;
use crate::walk::{Stop, flow, flow_until, walk, walk_mut};

/// Labels the casts of every SELECT in which names would clash.
pub(crate) fn tell_casts_apart(query: &mut Query) -> Result<()> {
    walk_mut(query, &mut Selects)
}

struct Selects;

impl VisitorMut for Selects {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            return flow(label_clashes(select, query.order_by.as_mut()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        flow(label_clashes(select, None))
    }
}

fn label_clashes(select: &mut Select, order_by: Option<&mut OrderBy>) -> Result<()> {
    let mut names = Names::default();
    let clash = walk(&select.projection, &mut names).is_break()
        || walk(&select.group_by, &mut names).is_break()
        || walk(&select.having, &mut names).is_break()
        || order_by.as_ref().is_some_and(|order_by| walk(&**order_by, &mut names).is_break())
        || grouped(select).any(|expr| names.clash(expr));
    if clash {
        walk_mut(&mut select.projection, &mut Labels)?;
        walk_mut(&mut select.group_by, &mut Labels)?;
        walk_mut(&mut select.having, &mut Labels)?;
        walk_mut(&mut select.named_window, &mut Labels)?;
        if let Some(OrderBy { kind: OrderByKind::Expressions(exprs), .. }) = order_by {
            walk_mut(exprs, &mut Labels)?;
        }
    }
    Ok(())
}

/// What GROUP BY may name, also by its position or alias.
fn grouped(select: &Select) -> impl Iterator<Item = &Expr> {
    let by = match &select.group_by {
        GroupByExpr::Expressions(exprs, _) => exprs.as_slice(),
        GroupByExpr::All(_) => &[],
    };
    let outputs = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    by.iter().chain(outputs.filter(|_| !by.is_empty()))
}

/// Expressions by their name without casts; stops where two share one.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn clash(&mut self, expr: &Expr) -> bool {
        let full = expr.to_string();
        let mut bare = expr.clone();
        if walk_mut(&mut bare, &mut Strip).is_err() {
            return false;
        }
        *self.0.entry(bare.to_string()).or_insert_with(|| full.clone()) != full
    }
}

impl Visitor for Names {
    type Break = Stop;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
        flow_until(matches!(expr, Expr::Function(_)) && self.clash(expr))
    }
}

struct Strip;

impl VisitorMut for Strip {
    type Break = Stop;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        match expr {
            Expr::Cast { expr: operand, .. } | Expr::Nested(operand) => *expr = operand.as_ref().clone(),
            // A column is the same with its table and without.
            Expr::CompoundIdentifier(parts) => {
                if let Some(column) = parts.pop() {
                    *expr = Expr::Identifier(column);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

struct Labels;

impl VisitorMut for Labels {
    type Break = Stop;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        if let Expr::Cast { data_type, .. } = expr {
            let label = Expr::value(Value::SingleQuotedString(data_type.to_string()));
            *expr = call(LABELLED, vec![expr.clone(), label]);
        }
        ControlFlow::Continue(())
    }
}

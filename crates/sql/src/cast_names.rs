//! Keeps expressions apart that differ in their casts only. DataFusion names `sum(a::int8)` and `sum(a::float8)`
//! both `sum(a)`, and refuses a query that computes two things of one name.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use crate::desugar::call;
use crate::functions::LABELLED;

/// Labels the casts of every SELECT in which names would clash.
pub(crate) fn tell_casts_apart(query: &mut Query) {
    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Selects);
}

struct Selects;

impl VisitorMut for Selects {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            label_clashes(select, query.order_by.as_mut())?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        label_clashes(select, None)
    }
}

fn label_clashes(
    select: &mut Select,
    order_by: Option<&mut OrderBy>,
) -> ControlFlow<std::convert::Infallible> {
    let mut names = Names::default();
    let clash = select.projection.visit(&mut names).is_break()
        || select.group_by.visit(&mut names).is_break()
        || select.having.visit(&mut names).is_break()
        || order_by.as_ref().is_some_and(|order_by| Visit::visit(&**order_by, &mut names).is_break())
        || grouped(select).try_for_each(|expr| names.take(expr)).is_break();
    if clash {
        VisitMut::visit(&mut select.projection, &mut Labels)?;
        VisitMut::visit(&mut select.group_by, &mut Labels)?;
        VisitMut::visit(&mut select.having, &mut Labels)?;
        VisitMut::visit(&mut select.named_window, &mut Labels)?;
        if let Some(OrderBy { kind: OrderByKind::Expressions(exprs), .. }) = order_by {
            VisitMut::visit(exprs, &mut Labels)?;
        }
    }
    ControlFlow::Continue(())
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

/// Expressions by their name without casts; breaks where two share one.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn take(&mut self, expr: &Expr) -> ControlFlow<()> {
        let full = expr.to_string();
        let mut bare = expr.clone();
        let ControlFlow::Continue(()) = VisitMut::visit(&mut bare, &mut Strip);
        match self.0.entry(bare.to_string()).or_insert_with(|| full.clone()) {
            known if *known == full => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_)) { self.take(expr) } else { ControlFlow::Continue(()) }
    }
}

struct Strip;

impl VisitorMut for Strip {
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
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
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Cast { data_type, .. } = expr {
            let label = Expr::value(Value::SingleQuotedString(data_type.to_string()));
            *expr = call(LABELLED, vec![expr.clone(), label]);
        }
        ControlFlow::Continue(())
    }
}

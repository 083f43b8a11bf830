//! Queries over relations that never have rows.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, GroupByExpr, Ident, Query, Select, SelectItem, Value,
};

use super::from::is_always_empty;
use super::subqueries::{aggregates, plain_select};
use crate::output_names::output_name;
use crate::walk::any_query;

/// Puts NULL in the place of what a SELECT without rows would compute by subqueries. Clients ask for triggers,
/// policies and publications with correlated subqueries that could not be planned, and need not be.
pub(super) fn forget_subqueries(select: &mut Select, is_aggregate: &dyn Fn(&str) -> bool) {
    let groups = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    if groups || !is_always_empty(select) || aggregates(&select.projection, is_aggregate) {
        return;
    }
    for item in &mut select.projection {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (&*expr, Ident::with_quote('"', output_name(expr))),
            SelectItem::ExprWithAlias { expr, alias } => (&*expr, alias.clone()),
            _ => continue,
        };
        if any_query(expr) {
            let null = Box::new(Expr::value(Value::Null));
            let (kind, data_type) = (CastKind::DoubleColon, DataType::Text);
            let expr = Expr::Cast { kind, expr: null, data_type, array: false, format: None };
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}

/// Whether a subquery, plain as it is, has no rows.
pub(super) fn has_no_rows(query: &mut Query, is_aggregate: &dyn Fn(&str) -> bool) -> bool {
    plain_select(query, is_aggregate).is_some_and(|select| is_always_empty(select))
}

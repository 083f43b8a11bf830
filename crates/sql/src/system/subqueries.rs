//! Subqueries that stand for a value or an array, as aggregates of their rows.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident, LambdaFunction,
    LambdaFunctionParameter, LambdaSyntax, OneOrManyWithParens, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, Statement, TableFactor, Value,
};

use super::arrays::{OR_EMPTY, TRANSFORM};
use super::empty::forget_subqueries;
use super::from::name_functions;
use super::single::SINGLE;
use crate::desugar::call;
use crate::names::fold;
use crate::output_names::output_name;
use crate::walk::{any_expr, change_exprs};

/// `ARRAY(SELECT ...)` as a subquery that aggregates; `None` for all else.
pub(super) fn array_of(expr: &Expr, is_aggregate: &dyn Fn(&str) -> bool) -> Option<Expr> {
    let Expr::Function(function) = expr else { return None };
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    let mut query = query.as_ref().clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        name_functions(select);
    }
    if let Some(array) = transformed(&query) {
        return Some(call(OR_EMPTY, vec![array]));
    }
    aggregated(&query, is_aggregate)
        .or_else(|| gathered(query))
        .map(|query| call(OR_EMPTY, vec![Expr::Subquery(Box::new(query))]))
}

/// The rows of any query, in its order, as `SELECT array_agg(element) FROM (query) rows(element)`.
fn gathered(query: Query) -> Option<Query> {
    let Statement::Query(mut gathering) =
        crate::parse("SELECT element FROM t AS rows(element)").ok()?.pop()?.ast
    else {
        return None;
    };
    let SetExpr::Select(select) = gathering.body.as_mut() else { return None };
    select.projection = vec![SelectItem::UnnamedExpr(array_agg(only_output(select)?, Vec::new())?)];
    let factor = &mut select.from.first_mut()?.relation;
    let TableFactor::Table { alias, .. } = factor else { return None };
    let (lateral, subquery, alias) = (false, Box::new(query), alias.take());
    *factor = TableFactor::Derived { lateral, subquery, alias, sample: None };
    Some(*gathering)
}

/// The query with its rows aggregated in it, as a correlated one must be, if it is simple enough.
fn aggregated(query: &Query, is_aggregate: &dyn Fn(&str) -> bool) -> Option<Query> {
    let mut query = query.clone();
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(exprs)) => exprs.clone(),
        _ => Vec::new(),
    };
    let select = plain_select(&mut query, is_aggregate)?;
    forget_subqueries(select, is_aggregate);
    let item = only_output(select)?;
    let order = order.into_iter().map(|by| ordered_by(by, &item)).collect::<Vec<_>>();
    select.projection = vec![SelectItem::UnnamedExpr(array_agg(item, order)?)];
    query.order_by = None;
    Some(query)
}

/// `ARRAY(SELECT f(x) FROM unnest(array) x)` is the array with `f` applied to its elements. As a subquery it could
/// not be correlated.
fn transformed(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let ([table], None, None) = (select.from.as_slice(), &select.selection, &query.order_by) else {
        return None;
    };
    let TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } = &table.relation else { return None };
    let ([array], [], item) = (array_exprs.as_slice(), table.joins.as_slice(), only_output(select)?) else {
        return None;
    };
    let name = alias.columns.first().map_or(&alias.name, |column| &column.name);
    if matches!(&item, Expr::Identifier(column) if fold(column) == fold(name)) {
        return Some(array.clone());
    }
    let element = LambdaFunctionParameter { name: name.clone(), data_type: None };
    let function = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(element),
        body: Box::new(item),
        syntax: LambdaSyntax::Arrow,
    });
    Some(call(TRANSFORM, vec![array.clone(), function]))
}

fn array_agg(item: Expr, order: Vec<OrderByExpr>) -> Option<Expr> {
    let Expr::Function(mut function) = call("array_agg", vec![item]) else { return None };
    if let FunctionArguments::List(list) = &mut function.args
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    Some(Expr::Function(function))
}

/// `ORDER BY 1` is by the item.
fn ordered_by(mut by: OrderByExpr, item: &Expr) -> OrderByExpr {
    if matches!(&by.expr, Expr::Value(value) if matches!(value.value, Value::Number(..))) {
        by.expr = item.clone();
    }
    by
}

/// Makes a subquery that stands for a value an aggregate, unless it is one or has no rows to aggregate.
pub(super) fn single(query: &mut Query, is_aggregate: &dyn Fn(&str) -> bool) {
    if query.order_by.is_some() {
        return;
    }
    let Some(select) = plain_select(query, is_aggregate) else { return };
    let name = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr)] => output_name(expr),
        [SelectItem::ExprWithAlias { alias, .. }] => fold(alias),
        _ => return,
    };
    if let Some(item) = only_output(select) {
        let alias = Ident::with_quote('"', name);
        select.projection = vec![SelectItem::ExprWithAlias { expr: call(SINGLE, vec![item]), alias }];
    }
}

fn only_output(select: &Select) -> Option<Expr> {
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr.clone()),
        _ => None,
    }
}

/// The SELECT of a query that gives each row of its FROM that WHERE lets through.
pub(super) fn plain_select<'a>(
    query: &'a mut Query,
    is_aggregate: &dyn Fn(&str) -> bool,
) -> Option<&'a mut Select> {
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let groups = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    let plain = !groups
        && select.having.is_none()
        && select.distinct.is_none()
        && !select.from.is_empty()
        && !aggregates(&select.projection, is_aggregate);
    plain.then_some(select)
}

/// Whether an expression is an EXISTS over the elements of arrays, of which there is no semi join.
pub(super) fn of_elements(expr: &Expr) -> bool {
    let Expr::Exists { subquery, .. } = expr else { return false };
    let SetExpr::Select(select) = subquery.body.as_ref() else { return false };
    select.from.iter().any(|table| matches!(table.relation, TableFactor::UNNEST { .. }))
}

/// EXISTS as a count, which can stand in a projection; `None` for all else.
pub(super) fn counted(expr: &Expr, is_aggregate: &dyn Fn(&str) -> bool) -> Option<Expr> {
    let Expr::Exists { subquery, negated } = expr else { return None };
    let mut query = subquery.as_ref().clone();
    let select = plain_select(&mut query, is_aggregate)?;
    let number = |digits: &str| Expr::value(Value::Number(digits.to_owned(), false));
    select.projection = vec![SelectItem::UnnamedExpr(call("count", vec![number("1")]))];
    query.order_by = None;
    let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
    let (left, right) = (Box::new(Expr::Subquery(Box::new(query))), Box::new(number("0")));
    Some(Expr::Nested(Box::new(Expr::BinaryOp { left, op, right })))
}

/// Whether a projection calls an aggregate.
pub(super) fn aggregates(projection: &[SelectItem], is_aggregate: &dyn Fn(&str) -> bool) -> bool {
    let calls = |expr: &Expr| match expr {
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident()).map(fold);
            name.is_some_and(|name| is_aggregate(&name))
        }
        _ => false,
    };
    projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            any_expr(&without_subqueries(expr), calls)
        }
        _ => false,
    })
}

/// The expression with NULLs for the subqueries in it, whose aggregates are their own.
fn without_subqueries(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    change_exprs(&mut expr, |part| {
        let is_subquery = match part {
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => true,
            Expr::Function(function) => matches!(function.args, FunctionArguments::Subquery(_)),
            _ => false,
        };
        if is_subquery {
            *part = Expr::value(Value::Null);
        }
    });
    expr
}

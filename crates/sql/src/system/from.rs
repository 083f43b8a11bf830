//! What FROM says of system relations and functions.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinOperator, ObjectName, Select, SelectItem, TableFactor,
    Value,
};

use super::{in_system_schema, relation};
use crate::names::fold;
use crate::scope::qualifier;
use crate::walk::change_exprs;

/// Whether FROM and its joins never give a row, since a relation in them never does.
pub(super) fn is_always_empty(select: &Select) -> bool {
    select.from.iter().any(|table| {
        is_empty(&table.relation) && table.joins.iter().all(keeps_left_empty)
            || table.joins.iter().any(|join| is_inner(join) && is_empty(&join.relation))
                && table.joins.iter().all(keeps_left_empty)
    })
}

fn is_empty(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => {
            relation(name).is_some_and(|relation| relation.is_always_empty())
        }
        _ => false,
    }
}

fn is_inner(join: &Join) -> bool {
    matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_))
}

/// Whether a join has no rows if its left side has none.
fn keeps_left_empty(join: &Join) -> bool {
    is_inner(join) || matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_))
}

/// The tables of FROM, one after the other.
fn factors(select: &mut Select) -> impl Iterator<Item = &mut TableFactor> {
    select.from.iter_mut().flat_map(|table| {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        std::iter::once(&mut table.relation).chain(joined)
    })
}

/// Functions in FROM without their schema. `unnest` is known to the parser only without.
pub(super) fn name_functions(select: &mut Select) {
    factors(select).for_each(name_function);
}

fn name_function(factor: &mut TableFactor) {
    let TableFactor::Table { name, args: Some(args), alias, .. } = factor else { return };
    if name.0.len() < 2 || !in_system_schema(name) {
        return;
    }
    let Some(last) = name.0.last().cloned() else { return };
    let is_unnest = last.as_ident().map(fold).as_deref() == Some("unnest");
    let exprs = args.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    match exprs.collect::<Option<Vec<_>>>() {
        Some(array_exprs) if is_unnest => {
            *factor = TableFactor::UNNEST {
                alias: alias.clone(),
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            };
        }
        _ => *name = ObjectName(vec![last]),
    }
}

/// Puts its OID in the place of the hidden column by which a system relation says what it is.
pub(super) fn resolve_table_oids(select: &mut Select) {
    let tables = factors(select).filter_map(|factor| {
        let TableFactor::Table { name, args: None, .. } = &*factor else { return None };
        Some((qualifier(factor)?, relation(name)?.oid()))
    });
    let tables = tables.collect::<Vec<_>>();
    let resolve = |expr: &mut Expr| {
        let Expr::CompoundIdentifier(parts) = &*expr else { return };
        let [.., table, column] = parts.as_slice() else { return };
        if fold(column) == "tableoid"
            && let Some((_, oid)) = tables.iter().find(|(name, _)| *name == fold(table))
        {
            *expr = Expr::value(Value::Number(oid.to_string(), false));
        }
    };
    // The output keeps the name of the column.
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) = &*item
            && let Some(column) = parts.last().filter(|column| fold(column) == "tableoid")
        {
            let (expr, alias) = (Expr::CompoundIdentifier(parts.clone()), column.clone());
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
    change_exprs(&mut select.projection, resolve);
    change_exprs(&mut select.selection, resolve);
    change_exprs(&mut select.from, resolve);
}

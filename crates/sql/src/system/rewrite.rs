//! The SQL in which clients ask for the catalogue, as our binder reads it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, Ident, ObjectName,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visitor, VisitorMut,
};
use springtide_catalog::Types;
use springtide_types::Result;

use super::arrays::EXPANDED;
use super::empty::{forget_subqueries, has_no_rows};
use super::from::{name_functions, resolve_table_oids};
use super::named;
use super::subqueries::{array_of, counted, of_elements, single};
use crate::array_text::elements;
use crate::desugar::call;
use crate::functions::{SERIES, SUBSCRIPTS};
use crate::names::fold;
use crate::output_names::{UNNAMED_MARK, output_name};
use crate::sql_types::sql_type;
use crate::walk::{Stop, any_expr, change_exprs, flow, flow_until, walk, walk_mut};

/// See the module. `is_aggregate` tells the functions that are aggregates.
pub(crate) fn rewrite(query: &mut Query, types: &Types, is_aggregate: &dyn Fn(&str) -> bool) -> Result<()> {
    let of_system = walk(query, &mut Search).is_break();
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection.iter_mut().for_each(show_name);
    }
    if of_system {
        change_exprs(query, as_membership);
    }
    let singles = of_system && !any_expr(query, compares_with_rows);
    walk_mut(query, &mut Rewrite { of_system, singles, types, is_aggregate })
}

/// Looks for a system relation.
struct Search;

impl Visitor for Search {
    type Break = Stop;

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Stop> {
        flow_until(super::relation(name).is_some())
    }
}

struct Rewrite<'a> {
    /// Whether the query names a system relation. Others are left alone as far as they are understood anyway.
    of_system: bool,
    /// Whether every subquery in an expression stands for one value.
    singles: bool,
    types: &'a Types,
    is_aggregate: &'a dyn Fn(&str) -> bool,
}

impl VisitorMut for Rewrite<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        hide_ordered_names(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        select.projection.iter_mut().for_each(keep_name);
        if self.of_system {
            resolve_table_oids(select);
            forget_subqueries(select, self.is_aggregate);
            change_exprs(&mut select.projection, |expr| {
                if let Some(counted) = counted(expr, self.is_aggregate) {
                    *expr = counted;
                }
            });
        }
        name_functions(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        if let Some(array) = array_of(expr, self.is_aggregate) {
            *expr = array;
        } else if of_elements(expr)
            && let Some(counted) = counted(expr, self.is_aggregate)
        {
            *expr = counted;
        } else if self.singles
            && let Expr::Subquery(query) = expr
        {
            if has_no_rows(query, self.is_aggregate) {
                *expr = Expr::value(Value::Null);
            } else {
                single(query, self.is_aggregate);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        flow(rewrite_expr(expr, self.types))
    }
}

/// A literal that is cast to `regclass` is shown by its name, where the client sees it.
fn show_name(item: &mut SelectItem) {
    let (expr, alias) = match item {
        SelectItem::UnnamedExpr(expr) => (&*expr, Ident::with_quote('"', output_name(expr))),
        SelectItem::ExprWithAlias { expr, alias } => (&*expr, alias.clone()),
        _ => return,
    };
    let Expr::Cast { expr: operand, data_type, .. } = expr else { return };
    let literal =
        matches!(operand.as_ref(), Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    if literal && type_name(data_type).is_some_and(|name| named::is_type(&name)) {
        let (kind, data_type) = (CastKind::DoubleColon, DataType::Text);
        let expr = Expr::Cast { kind, expr: Box::new(expr.clone()), data_type, array: false, format: None };
        *item = SelectItem::ExprWithAlias { expr, alias };
    }
}

/// Marks the names of computed output columns that are also names of columns in ORDER BY with their table. The
/// binder would not know which of the two a name means, though the table says it.
fn hide_ordered_names(query: &mut Query) {
    let Some(OrderByKind::Expressions(order)) = query.order_by.as_ref().map(|order| &order.kind) else {
        return;
    };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for (position, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let name = output_name(expr);
        let is_qualified = |expr: &Expr| match expr {
            Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|column| fold(column) == name),
            _ => false,
        };
        let is_bare = |by: &OrderByExpr| matches!(&by.expr, Expr::Identifier(column) if fold(column) == name);
        if order.iter().any(|by| any_expr(&by.expr, is_qualified)) && !order.iter().any(is_bare) {
            let alias = Ident::with_quote('"', format!("{name}{UNNAMED_MARK}{position}"));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// `x = ANY (SELECT ...)` is `x IN (SELECT ...)`.
fn as_membership(expr: &mut Expr) {
    let (left, right, negated) = match &*expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return,
    };
    if let Expr::Subquery(query) = right.as_ref() {
        *expr = Expr::InSubquery { expr: left.clone(), subquery: query.clone(), negated };
    }
}

/// Whether an expression compares with all rows of a subquery.
fn compares_with_rows(expr: &Expr) -> bool {
    match expr {
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => matches!(right.as_ref(), Expr::Subquery(_)),
        _ => false,
    }
}

/// Writes down the name of an output column whose expression will change.
fn keep_name(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expr) = item
        && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
    {
        let changes = matches!(expr, Expr::Cast { .. } | Expr::Subquery(_))
            || matches!(expr, Expr::Function(function) if array_of_name(function));
        if changes {
            let alias = Ident::with_quote('"', output_name(expr));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

fn array_of_name(function: &Function) -> bool {
    let name = function.name.0.last().and_then(|part| part.as_ident()).map(fold);
    name.is_some_and(|name| name == "array" || SET_RETURNING.contains(&name.as_str()))
}

/// Functions that give a row for each element of what they are here, an array.
const SET_RETURNING: [&str; 5] = [
    "pg_partition_ancestors",
    "generate_series",
    "generate_subscripts",
    "_pg_expandarray",
    "string_to_table",
];

fn rewrite_expr(expr: &mut Expr, types: &Types) -> Result<()> {
    match expr {
        Expr::BinaryOp { left, op, right } if is_comparison(op) => compare_oids(left, right),
        // There is one collation, by whatever name.
        Expr::Collate { expr: operand, collation } if is_known_collation(collation) => {
            *expr = operand.as_ref().clone();
        }
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                && let Some(known) = operator(parts)
            {
                *op = known;
            }
        }
        Expr::Cast { expr: operand, data_type, kind, .. } => {
            if let Some(written) = cast(operand, data_type, kind, types)? {
                *expr = written;
            }
        }
        // A part of a row, which only functions of the system give.
        Expr::CompoundFieldAccess { root, access_chain } => {
            if let (Expr::Nested(row), [AccessExpr::Dot(Expr::Identifier(part))]) =
                (root.as_ref(), access_chain.as_slice())
            {
                let part = Expr::value(Value::SingleQuotedString(fold(part)));
                *expr = call("get_field", vec![row.as_ref().clone(), part]);
            }
        }
        Expr::Function(function) if is_set_returning(function) => {
            let name = match fold(&last_ident(function)).as_str() {
                "generate_series" => Ident::with_quote('"', SERIES),
                "generate_subscripts" => Ident::with_quote('"', SUBSCRIPTS),
                "string_to_table" => Ident::new("string_to_array"),
                "_pg_expandarray" => Ident::with_quote('"', EXPANDED),
                _ => last_ident(function),
            };
            let bare = Function { name: ObjectName::from(vec![name]), ..function.clone() };
            *expr = call("unnest", vec![Expr::Function(bare)]);
        }
        _ => {}
    }
    Ok(())
}

fn last_ident(function: &Function) -> Ident {
    let last = function.name.0.last().and_then(|part| part.as_ident());
    last.cloned().unwrap_or_else(|| Ident::new(""))
}

fn is_set_returning(function: &Function) -> bool {
    SET_RETURNING.contains(&fold(&last_ident(function)).as_str())
}

fn is_known_collation(name: &ObjectName) -> bool {
    let last = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
    last.is_some_and(|name| ["default", "c", "posix", "ucs_basic"].contains(&name.as_str()))
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// What is cast to `regclass` compares by its OID, with a literal too.
fn compare_oids(left: &mut Expr, right: &mut Expr) {
    let (of_left, of_right) = (named::oids_with(left, right), named::oids_with(right, left));
    if let Some((this, other)) = of_left {
        (*left, *right) = (this, other);
    } else if let Some((this, other)) = of_right {
        (*left, *right) = (other, this);
    }
}

/// What `OPERATOR(pg_catalog.~)` means.
fn operator(parts: &[String]) -> Option<BinaryOperator> {
    use BinaryOperator::*;
    let known = [
        ("~", PGRegexMatch),
        ("~*", PGRegexIMatch),
        ("!~", PGRegexNotMatch),
        ("!~*", PGRegexNotIMatch),
        ("=", Eq),
        ("<>", NotEq),
        ("!=", NotEq),
        ("<", Lt),
        ("<=", LtEq),
        (">", Gt),
        (">=", GtEq),
        ("+", Plus),
        ("-", Minus),
        ("*", Multiply),
        ("/", Divide),
        ("||", StringConcat),
    ];
    let symbol = parts.last()?;
    known.into_iter().find(|(written, _)| written == symbol).map(|(_, op)| op)
}

/// A cast to a type that is none of ours, or whose name says its schema.
fn cast(operand: &Expr, data_type: &DataType, kind: &CastKind, types: &Types) -> Result<Option<Expr>> {
    let to = |data_type: DataType| Expr::Cast {
        kind: kind.clone(),
        expr: Box::new(operand.clone()),
        data_type,
        array: false,
        format: None,
    };
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = data_type {
        let item = plain_type(item)?.unwrap_or_else(|| item.as_ref().clone());
        if sql_type(&item, types).is_ok() {
            return Ok(Some(to(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None)))));
        }
        return Ok(match operand {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => Some(array_literal(text, &item)?),
                _ => None,
            },
            // What is an array already keeps its elements.
            _ => Some(operand.clone()),
        });
    }
    let plain = plain_type(data_type)?;
    let target = plain.as_ref().unwrap_or(data_type);
    if let Some(name) = type_name(target) {
        if let Some(call) = named::cast_to(&name, operand.clone()) {
            return Ok(Some(call));
        }
        let further = |to_oid| match operand {
            Expr::Function(function) => named::cast_further(function, to_oid),
            _ => None,
        };
        match name.as_str() {
            "oid" | "xid" | "bigint" | "int8" => {
                return Ok(Some(further(true).unwrap_or_else(|| to(DataType::BigInt(None)))));
            }
            "text" | "varchar" | "name" | "char" => {
                if let Some(name) = further(false) {
                    return Ok(Some(name));
                }
            }
            _ => {}
        }
        // The type of single letters, unlike `char`.
        if matches!(target, DataType::Custom(..)) && name == "char" {
            return Ok(Some(to(DataType::Text)));
        }
    }
    Ok(plain.map(to))
}

/// The name of a type, in lower case and without its length.
fn type_name(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Custom(name, _) => name.0.last()?.as_ident().map(fold),
        other => Some(other.to_string().to_lowercase()),
    }
}

/// The type that a name in `pg_catalog` stands for.
fn plain_type(data_type: &DataType) -> Result<Option<DataType>> {
    let DataType::Custom(name, modifiers) = data_type else { return Ok(None) };
    let [schema, last] = name.0.as_slice() else { return Ok(None) };
    if schema.as_ident().map(fold).as_deref() != Some("pg_catalog") {
        return Ok(None);
    }
    let text = match modifiers.as_slice() {
        [] => last.to_string(),
        modifiers => format!("{last}({})", modifiers.join(",")),
    };
    Ok(crate::parser(&text)?.parse_data_type().ok())
}

/// `'{a,b}'` as an array.
fn array_literal(text: &str, item: &DataType) -> Result<Expr> {
    let is_oid = matches!(type_name(item).as_deref(), Some("oid"));
    let value = |element: Option<String>| Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::value(element.map_or(Value::Null, Value::SingleQuotedString))),
        data_type: if is_oid { DataType::BigInt(None) } else { item.clone() },
        array: false,
        format: None,
    };
    let elem = elements(text)?.into_iter().map(value).collect();
    Ok(Expr::Array(datafusion::sql::sqlparser::ast::Array { elem, named: true }))
}

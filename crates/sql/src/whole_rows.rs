//! Rows as arguments of functions of JSON, by the names and values of their columns:
//!
//! ```text
//! SELECT row_to_json(t) FROM t          is SELECT row_to_json("$row"('a', t.a, 'b', t.b)) FROM t
//! SELECT to_jsonb(ROW(1, 'x'))          is SELECT to_jsonb("$row"('f1', 1, 'f2', 'x'))
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, TableFactor,
    TableWithJoins, Value, VisitorMut,
};
use springtide_catalog::Catalog;
use springtide_types::Result;

use crate::desugar::{call, unnamed_arguments};
use crate::functions::{PRETTY_ROW, ROW};
use crate::names::{fold, quoted};
use crate::scope::{Environment, qualifier};
use crate::walk::{Stop, any_expr, change_exprs, flow, walk_mut};

/// Functions that take rows.
const FUNCTIONS: [&str; 21] = [
    "row_to_json",
    "to_json",
    "to_jsonb",
    "json_agg",
    "jsonb_agg",
    "json_agg_strict",
    "jsonb_agg_strict",
    "json_build_array",
    "jsonb_build_array",
    "json_build_object",
    "jsonb_build_object",
    "json_object_agg",
    "jsonb_object_agg",
    "json_object_agg_strict",
    "jsonb_object_agg_strict",
    "json_object_agg_unique",
    "jsonb_object_agg_unique",
    "$json_arrayagg",
    "$json_objectagg",
    "json_object_agg_unique_strict",
    "jsonb_object_agg_unique_strict",
];

/// See the module.
pub(crate) fn spell_out_rows(query: &mut Query, catalog: &Catalog) -> Result<()> {
    if !any_expr(query, |expr| takes_rows(expr).is_some()) {
        return Ok(());
    }
    walk_mut(query, &mut Rows { environments: vec![Environment::new(catalog)] })
}

/// The name of a function that takes rows, in a call of it.
fn takes_rows(expr: &Expr) -> Option<&'static str> {
    let Expr::Function(function) = expr else { return None };
    let name = fold(function.name.0.last()?.as_ident()?);
    FUNCTIONS.into_iter().find(|known| *known == name)
}

struct Rows<'a> {
    /// Of the queries around, the innermost last.
    environments: Vec<Environment<'a>>,
}

impl VisitorMut for Rows<'_> {
    type Break = Stop;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Stop> {
        let Some(mut inner) = self.environments.last().cloned() else { return ControlFlow::Continue(()) };
        let mut define = || {
            for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
                let columns = inner.outputs(&cte.query)?;
                inner.define(&cte.alias, columns);
            }
            Ok(())
        };
        let defined = define();
        self.environments.push(inner);
        flow(defined)
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Stop> {
        self.environments.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        let Some(environment) = self.environments.last() else { return ControlFlow::Continue(()) };
        let tables = match tables(&select.from, environment) {
            Ok(tables) => tables,
            Err(error) => return ControlFlow::Break(Stop::Failed(error)),
        };
        let change = |expr: &mut Expr| spell_out(expr, &tables);
        change_exprs(&mut select.projection, change);
        change_exprs(&mut select.selection, change);
        change_exprs(&mut select.having, change);
        ControlFlow::Continue(())
    }
}

/// The tables of FROM with the names of their columns, as far as they are known.
fn tables(from: &[TableWithJoins], environment: &Environment<'_>) -> Result<Vec<(String, Vec<String>)>> {
    let mut found = Vec::new();
    for table in from {
        for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                found.extend(tables(std::slice::from_ref(table_with_joins), environment)?);
            } else if let Some(name) = qualifier(factor)
                && let Some(scope) = environment.factor(factor)?
            {
                found.push((name, scope.0.into_iter().map(|column| column.name).collect()));
            }
        }
    }
    Ok(found)
}

fn spell_out(expr: &mut Expr, tables: &[(String, Vec<String>)]) {
    let Some(name) = takes_rows(expr) else { return };
    let Expr::Function(function) = expr else { return };
    let mut pretty = None;
    if name == "row_to_json"
        && let Some([row, Expr::Value(flag)]) = unnamed_arguments(function).as_deref()
        && let Value::Boolean(is_pretty) = flag.value
    {
        pretty = Some((row.clone(), is_pretty));
    }
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let Some((row, _)) = &pretty {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(row.clone()))];
    }
    let function = if matches!(pretty, Some((_, true))) { PRETTY_ROW } else { ROW };
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg
            && let Some(fields) = fields(arg, tables)
        {
            *arg = call(function, fields);
        }
    }
}

/// The names and values of a row by turns, if an argument is one.
fn fields(arg: &Expr, tables: &[(String, Vec<String>)]) -> Option<Vec<Expr>> {
    let text = |text: String| Expr::value(Value::SingleQuotedString(text));
    let numbered = |values: &[Expr]| {
        let pair = |(at, value): (usize, &Expr)| [text(format!("f{}", at + 1)), value.clone()];
        values.iter().enumerate().flat_map(pair).collect::<Vec<_>>()
    };
    match arg {
        Expr::Nested(inner) => fields(inner, tables),
        Expr::Tuple(values) => Some(numbered(values)),
        Expr::Function(function) if is_row(function) => Some(numbered(&unnamed_arguments(function)?)),
        Expr::Identifier(ident) => {
            let name = fold(ident);
            if tables.iter().any(|(_, columns)| columns.contains(&name)) {
                return None;
            }
            let (table, columns) = tables.iter().find(|(table, _)| *table == name)?;
            let value = |column: &str| Expr::CompoundIdentifier(vec![quoted(table), quoted(column)]);
            Some(columns.iter().flat_map(|column| [text(column.clone()), value(column)]).collect())
        }
        _ => None,
    }
}

fn is_row(function: &Function) -> bool {
    let is_it = |name: &Ident| name.quote_style.is_none() && name.value.eq_ignore_ascii_case("row");
    matches!(function.name.0.as_slice(), [name] if name.as_ident().is_some_and(is_it))
}

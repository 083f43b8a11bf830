//! Users' functions in FROM, as the subqueries that they stand for:
//!
//! ```text
//! f(a, b) AS t (x)   is   (SELECT CAST(r.c AS type) AS x
//!                          FROM (SELECT CAST(a AS type) AS p, CAST(b AS type) AS q) AS args
//!                          CROSS JOIN LATERAL (body of f) AS r (c)) AS t
//! ```
//!
//! A function that gives a set may stand in a list too, where it unnests the array of its rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value, VisitorMut,
};
use springtide_catalog::{Catalog, Function as Definition, FunctionRows, Name};
use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::bind::Names;
use crate::desugar::{call, unnamed_arguments};
use crate::names::{alias, object_name, quoted, written};
use crate::planner::body_query;
use crate::renaming::shown;
use crate::walk::{Stop, any_expr, any_query, change_exprs, flow, walk_mut};

/// How many calls a query may consist of, those in the bodies of functions included.
const MOST_CALLS: usize = 64;

/// Puts subqueries in the place of all calls.
pub(crate) fn expand_functions(query: &mut Query, names: &Names<'_>) -> Result<()> {
    if names.catalog().has_functions() { walk_mut(query, &mut Expand { names, calls: 0 }) } else { Ok(()) }
}

struct Expand<'a> {
    names: &'a Names<'a>,
    calls: usize,
}

impl VisitorMut for Expand<'_> {
    type Break = Stop;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Stop> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr @ Expr::Function(_)) = item
                && let Some(definition) = self.set_of(expr)
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&definition.name) };
            }
        }
        flow(self.expand_from(&mut select.from))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        flow(self.expand_expr(expr))
    }
}

impl Expand<'_> {
    fn expand_from(&mut self, from: &mut [TableWithJoins]) -> Result<()> {
        let mut is_first = true;
        for table in from {
            let joined = table.joins.iter_mut().map(|join| &mut join.relation);
            for factor in std::iter::once(&mut table.relation).chain(joined) {
                if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                    self.expand_from(std::slice::from_mut(&mut **table_with_joins))?;
                } else if let Some(called) = Called::of(factor)
                    && let Some(definition) =
                        self.definition(&called.name, called.args.len() + called.named.len())?
                {
                    self.count()?;
                    self.names.call(&definition);
                    let called = called.in_order(&definition)?;
                    *factor = called.expanded(self.names.catalog(), &definition, is_first)?;
                }
                is_first = false;
            }
        }
        Ok(())
    }

    fn expand_expr(&mut self, expr: &mut Expr) -> Result<()> {
        let Some(definition) = self.set_of(expr) else { return Ok(()) };
        let Some(rows) = &definition.rows else { return Ok(()) };
        if rows.columns.len() != 1 || !rows.set {
            let what = format!("a row of function {} as a value", definition.signature());
            return Err(SqlError::unsupported(what).with_hint("Call the function in FROM."));
        }
        let Expr::Function(function) = expr else { return Ok(()) };
        let mut query = query("SELECT * FROM (SELECT 1) AS \"$rows\"")?;
        let called = Called {
            name: Name::bare(&definition.name),
            args: unnamed_arguments(function).unwrap_or_default(),
            named: Vec::new(),
            with_ordinality: false,
            alias: Some(alias(&definition.name)),
        };
        self.count()?;
        self.names.call(&definition);
        *factor_mut(&mut query, 0)? = called.expanded(self.names.catalog(), &definition, true)?;
        let array = Function {
            name: ObjectName::from(vec![Ident::new("ARRAY")]),
            args: FunctionArguments::Subquery(Box::new(query)),
            ..function.clone()
        };
        *expr = call("unnest", vec![Expr::Function(array)]);
        Ok(())
    }

    /// The function that an expression calls, if that gives rows.
    fn set_of(&self, expr: &Expr) -> Option<Arc<Definition>> {
        let Expr::Function(function) = expr else { return None };
        let name = object_name(&function.name).ok()?;
        let count = unnamed_arguments(function)?.len();
        self.definition(&name, count).ok().flatten().filter(|definition| definition.rows.is_some())
    }

    fn definition(&self, name: &Name, count: usize) -> Result<Option<Arc<Definition>>> {
        let mut found = self.names.catalog().functions(name).into_iter();
        let mut fitting = found.by_ref().filter(|function| function.parameters.len() == count);
        match (fitting.next(), fitting.next()) {
            (Some(function), None) => Ok(Some(function)),
            (None, _) => Ok(None),
            (Some(function), Some(_)) if function.rows.is_none() => Ok(None),
            _ => Err(SqlError::unsupported(format!(
                "a choice between several functions {name} that give rows by the types of their arguments"
            ))),
        }
    }

    fn count(&mut self) -> Result<()> {
        self.calls += 1;
        if self.calls <= MOST_CALLS {
            return Ok(());
        }
        let hint = "A call stands for the body of the function: functions can't be recursive.";
        Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").with_hint(hint))
    }
}

/// A call in FROM.
struct Called {
    name: Name,
    args: Vec<Expr>,
    /// `name => value`
    named: Vec<(String, Expr)>,
    with_ordinality: bool,
    alias: Option<TableAlias>,
}

impl Called {
    fn of(factor: &TableFactor) -> Option<Called> {
        let (name, args, with_ordinality, alias) = match factor {
            TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
                (name, &args.args, *with_ordinality, alias)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                (name, args, *with_ordinality, alias)
            }
            _ => return None,
        };
        let (mut unnamed, mut named) = (Vec::new(), Vec::new());
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => unnamed.push(expr.clone()),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                    named.push((crate::fold(name), expr.clone()));
                }
                FunctionArg::ExprNamed {
                    name: Expr::Identifier(name),
                    arg: FunctionArgExpr::Expr(expr),
                    ..
                } => named.push((crate::fold(name), expr.clone())),
                _ => return None,
            }
        }
        let name = object_name(name).ok()?;
        Some(Called { name, args: unnamed, named, with_ordinality, alias: alias.clone() })
    }

    /// The call with its arguments in the order of the parameters.
    fn in_order(mut self, function: &Definition) -> Result<Called> {
        let mut named = std::mem::take(&mut self.named);
        for parameter in &function.parameters[self.args.len()..] {
            let is_it = |(name, _): &(String, Expr)| parameter.name.as_ref() == Some(name);
            let Some(at) = named.iter().position(is_it) else {
                let message = format!("function {} has no such named arguments", function.signature());
                return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message));
            };
            self.args.push(named.remove(at).1);
        }
        Ok(self)
    }

    fn expanded(self, catalog: &Catalog, function: &Definition, is_first: bool) -> Result<TableFactor> {
        let names_column = |expr: &Expr| {
            any_query(expr)
                || any_expr(expr, |expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
        };
        let lateral = !is_first && self.args.iter().any(names_column);
        let mut query = match &function.rows {
            Some(rows) => self.of_rows(catalog, function, rows)?,
            None => self.of_value(function)?,
        };
        if self.with_ordinality {
            select_mut(&mut query)?.projection.push(SelectItem::ExprWithAlias {
                expr: parsed("CAST(row_number() OVER () AS bigint)")?,
                alias: quoted("ordinality"),
            });
        }
        self.name_columns(&mut query)?;
        let given = self.alias.unwrap_or_else(|| alias(&self.name.name));
        let alias = Some(TableAlias { columns: Vec::new(), ..given });
        Ok(TableFactor::Derived { lateral, subquery: Box::new(query), alias, sample: None })
    }

    fn of_value(&self, function: &Definition) -> Result<Query> {
        let mut query = query("SELECT 1")?;
        select_mut(&mut query)?.projection = vec![SelectItem::ExprWithAlias {
            expr: called(&self.name, self.args.clone()),
            alias: quoted(&function.name),
        }];
        Ok(query)
    }

    fn of_rows(&self, catalog: &Catalog, function: &Definition, rows: &FunctionRows) -> Result<Query> {
        let mut body = body_query(function)?;
        shown(catalog).query(&mut body)?;
        name_parameters(&mut body, function);
        if !rows.set {
            let mut first = query("SELECT * FROM (SELECT 1) AS \"$body\" LIMIT 1")?;
            *subquery_mut(factor_mut(&mut first, 0)?)? = body;
            body = first;
        }
        let columns = rows.columns.iter().map(|(name, _)| quoted(name).to_string()).collect::<Vec<_>>();
        let (join, condition) = if rows.set { ("CROSS", "") } else { ("LEFT", " ON true") };
        let mut whole = query(&format!(
            "SELECT 1 FROM (SELECT 1 AS \"$none\") AS {ARGUMENTS} {join} JOIN LATERAL (SELECT 1) AS \"$rows\" ({}){condition}",
            columns.join(", ")
        ))?;
        *subquery_mut(factor_mut(&mut whole, 1)?)? = body;
        if !self.args.is_empty() {
            let arguments = subquery_mut(factor_mut(&mut whole, 0)?)?;
            select_mut(arguments)?.projection = self.arguments(function)?;
        }
        let select = select_mut(&mut whole)?;
        let value = |(name, sql_type): &(String, SqlType)| {
            let column = quoted(name);
            let expr = parsed(&format!("CAST(\"$rows\".{column} AS {sql_type})"))?;
            Ok(SelectItem::ExprWithAlias { expr, alias: column })
        };
        select.projection = rows.columns.iter().map(value).collect::<Result<_>>()?;
        if function.strict && rows.set && !self.args.is_empty() {
            let known = (0..self.args.len()).map(|at| format!("{} IS NOT NULL", parameter(function, at)));
            select.selection = Some(parsed(&known.collect::<Vec<_>>().join(" AND "))?);
        }
        Ok(whole)
    }

    fn arguments(&self, function: &Definition) -> Result<Vec<SelectItem>> {
        let items = self.args.iter().zip(function.types()).enumerate();
        let items = items.map(|(at, (argument, sql_type))| {
            let Expr::Cast { data_type, .. } = parsed(&format!("CAST(NULL AS {sql_type})"))? else {
                return Err(SqlError::internal("a cast is a cast"));
            };
            let expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(argument.clone()),
                data_type,
                array: false,
                format: None,
            };
            Ok(SelectItem::ExprWithAlias { expr, alias: quoted(&parameter_name(function, at)) })
        });
        items.collect()
    }

    /// The columns under the names of the alias. A single one goes by that of the table.
    fn name_columns(&self, query: &mut Query) -> Result<()> {
        let Some(given) = &self.alias else { return Ok(()) };
        let items = &mut select_mut(query)?.projection;
        let values = items.len() - usize::from(self.with_ordinality);
        if given.columns.len() > items.len() {
            let message = format!(
                "table \"{}\" has {} columns available but {} columns specified",
                given.name.value,
                items.len(),
                given.columns.len()
            );
            return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        for (position, item) in items.iter_mut().enumerate() {
            let SelectItem::ExprWithAlias { alias, .. } = item else { continue };
            match given.columns.get(position) {
                Some(column) => *alias = column.name.clone(),
                None if values == 1 && position == 0 && *alias == quoted(&self.name.name) => {
                    *alias = given.name.clone();
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// A call by a name that may say its schema.
fn called(name: &Name, args: Vec<Expr>) -> Expr {
    let mut expr = call(&name.name, args);
    if let Expr::Function(function) = &mut expr {
        function.name = written(name);
    }
    expr
}

const ARGUMENTS: &str = "\"$arguments\"";

fn parameter_name(function: &Definition, at: usize) -> String {
    function.parameters[at].name.clone().unwrap_or_else(|| format!("${}", at + 1))
}

fn parameter(function: &Definition, at: usize) -> String {
    format!("{ARGUMENTS}.{}", quoted(&parameter_name(function, at)))
}

/// Columns of the arguments in the place of `$1` and `f.name`.
fn name_parameters(body: &mut Query, function: &Definition) {
    let column = |at: usize| {
        let name = quoted(&parameter_name(function, at));
        Expr::CompoundIdentifier(vec![Ident::with_quote('"', ARGUMENTS.trim_matches('"')), name])
    };
    change_exprs(body, |expr| match expr {
        Expr::Value(value) => {
            let Value::Placeholder(name) = &value.value else { return };
            let at = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
            if let Some(at) = at.filter(|at| (1..=function.parameters.len()).contains(at)) {
                *expr = column(at - 1);
            }
        }
        Expr::CompoundIdentifier(parts) => {
            let [table, name] = parts.as_slice() else { return };
            let (table, name) = (crate::fold(table), crate::fold(name));
            let named = |parameter: &springtide_catalog::Parameter| parameter.name.as_deref() == Some(&name);
            if table == function.name
                && let Some(at) = function.parameters.iter().position(named)
            {
                *expr = column(at);
            }
        }
        _ => {}
    });
}

fn query(text: &str) -> Result<Query> {
    match crate::parse(text)?.pop().map(|statement| statement.ast) {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(SqlError::internal("a query is a query")),
    }
}

fn parsed(text: &str) -> Result<Expr> {
    let mut parser = crate::parser(text)?;
    parser.parse_expr().map_err(|error| SqlError::internal(error.to_string()))
}

fn select_mut(query: &mut Query) -> Result<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(select),
        _ => Err(SqlError::internal("a SELECT is one")),
    }
}

/// The items of the only entry of FROM, in order.
fn factor_mut(query: &mut Query, position: usize) -> Result<&mut TableFactor> {
    let [table] = select_mut(query)?.from.as_mut_slice() else {
        return Err(SqlError::internal("FROM has one entry"));
    };
    match position {
        0 => Ok(&mut table.relation),
        _ => Ok(&mut table.joins[position - 1].relation),
    }
}

fn subquery_mut(factor: &mut TableFactor) -> Result<&mut Query> {
    match factor {
        TableFactor::Derived { subquery, .. } => Ok(subquery),
        _ => Err(SqlError::internal("a subquery is one")),
    }
}

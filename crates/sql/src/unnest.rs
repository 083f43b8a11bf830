//! `unnest` in FROM, as a subquery with it in its list:
//!
//! ```text
//! unnest(a, b) AS u(x, y)            is (SELECT unnest(a) AS x, unnest(b) AS y) AS u
//! unnest(a) WITH ORDINALITY u(x, n)  is (SELECT unnest(a) AS x, unnest(series(1, cardinality(a))) AS n) AS u
//! ```
//!
//! So are other functions that give rows, and several of them side by side in `ROWS FROM (...)`.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query,
    SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value,
};

use crate::desugar::{call, unnamed_arguments};
use crate::functions::{REGEXP_ROWS, SERIES, SUBSCRIPTS};
use crate::names::{alias, object_name};
use crate::output_names::UNNAMED_MARK;
use crate::set_returning;
use crate::walk::{any_expr, any_query};

const UNNEST: &str = "unnest";
const REGEXP_SPLIT_TO_TABLE: &str = "regexp_split_to_table";
const REGEXP_MATCHES: &str = "regexp_matches";
const STRING_TO_TABLE: &str = "string_to_table";
const GENERATE_SUBSCRIPTS: &str = "generate_subscripts";
const GENERATE_SERIES: &str = "generate_series";
/// What the parser makes of `ROWS FROM (...)`.
pub(crate) const ROWS_FROM: &str = "$rows_from";

/// Rewrites what FROM says.
pub(crate) fn unnest_in_lists(from: &mut [TableWithJoins]) {
    let mut is_first = true;
    for table in from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                unnest_in_lists(std::slice::from_mut(&mut **table_with_joins));
            } else if let Some(derived) = Rows::of(factor).and_then(|rows| rows.derived(is_first)) {
                *factor = derived;
            }
            is_first = false;
        }
    }
}

/// What makes rows of arrays.
struct Rows {
    name: &'static str,
    /// The names of the columns, if there are several or they are not that of the function.
    columns: &'static [&'static str],
    arrays: Vec<Expr>,
    with_ordinality: bool,
    alias: Option<TableAlias>,
}

impl Rows {
    fn of(factor: &TableFactor) -> Option<Rows> {
        let (name, args, with_ordinality, alias) = match factor {
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
                let (arrays, with_ordinality, alias) = (array_exprs.clone(), *with_ordinality, alias.clone());
                return Some(Rows { name: UNNEST, columns: &[], arrays, with_ordinality, alias });
            }
            TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
                (name, &args.args, *with_ordinality, alias)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                (name, args, *with_ordinality, alias)
            }
            _ => return None,
        };
        let args = args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        });
        let args = args.collect::<Option<Vec<_>>>()?;
        let (name, arrays) = match plain_name(name)?.as_str() {
            UNNEST => (UNNEST, args),
            REGEXP_SPLIT_TO_TABLE => (REGEXP_SPLIT_TO_TABLE, vec![call("regexp_split_to_array", args)]),
            REGEXP_MATCHES => (REGEXP_MATCHES, vec![call(REGEXP_ROWS, args)]),
            STRING_TO_TABLE => (STRING_TO_TABLE, vec![call("string_to_array", args)]),
            GENERATE_SUBSCRIPTS => (GENERATE_SUBSCRIPTS, vec![call(SUBSCRIPTS, args)]),
            // The series of constants has a plan of its own, which keeps no array.
            GENERATE_SERIES if with_ordinality || args.iter().any(|arg| any_query(arg) || is_open(arg)) => {
                (GENERATE_SERIES, vec![call(SERIES, args)])
            }
            ROWS_FROM => {
                let arrays = args.iter().map(array_of_rows).collect::<Option<Vec<_>>>()?;
                (ROWS_FROM, arrays)
            }
            other => {
                let function = set_returning::find(other)?;
                let (name, columns) = (function.name, function.columns);
                let arrays = function.lists.iter().map(|list| call(list, args.clone())).collect();
                return Some(Rows { name, columns, arrays, with_ordinality, alias: alias.clone() });
            }
        };
        Some(Rows { name, columns: &[], arrays, with_ordinality, alias: alias.clone() })
    }

    /// The subquery. It sees the tables before it, of which the first of FROM has none.
    fn derived(self, is_first: bool) -> Option<TableFactor> {
        let mut columns = self.arrays.clone();
        if self.with_ordinality {
            columns.push(self.numbers());
        }
        let item = |(position, array): (usize, Expr)| SelectItem::ExprWithAlias {
            expr: call(UNNEST, vec![array]),
            alias: self.column(position),
        };
        let projection = columns.into_iter().enumerate().map(item).collect();
        let lateral = !is_first && self.arrays.iter().any(|array| any_query(array) || names_column(array));
        let given = self.alias.unwrap_or_else(|| alias(self.name));
        let alias = Some(TableAlias { columns: Vec::new(), ..given });
        Some(TableFactor::Derived { lateral, subquery: Box::new(select(projection)?), alias, sample: None })
    }

    /// The numbers of the rows: as many as the longest array has elements.
    fn numbers(&self) -> Expr {
        let one = Expr::value(Value::Number("1".to_owned(), false));
        let lengths = self.arrays.iter().map(|array| call("cardinality", vec![array.clone()]));
        bigints(call(SERIES, vec![one, call("greatest", lengths.collect())]))
    }

    /// The name of a column. A single one without a name goes by that of the table.
    fn column(&self, position: usize) -> Ident {
        let named = self.alias.as_ref().and_then(|alias| alias.columns.get(position));
        if let Some(column) = named {
            return column.name.clone();
        }
        match &self.alias {
            _ if position == self.arrays.len() => Ident::new("ordinality"),
            _ if self.columns.len() > 1 => Ident::new(self.columns[position]),
            None if self.columns.len() == 1 => Ident::new(self.columns[0]),
            Some(alias) if self.arrays.len() == 1 => alias.name.clone(),
            _ if self.arrays.len() == 1 => Ident::new(self.name),
            _ => Ident::with_quote('"', format!("{}{UNNAMED_MARK}{position}", self.name)),
        }
    }
}

fn names_column(expr: &Expr) -> bool {
    any_expr(expr, |expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
}

/// Whether the value of an expression is not known before rows or parameters are.
fn is_open(expr: &Expr) -> bool {
    let is_parameter =
        |expr: &Expr| matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
    names_column(expr) || any_expr(expr, is_parameter)
}

/// The array whose elements are the rows of a call.
fn array_of_rows(expr: &Expr) -> Option<Expr> {
    let Expr::Function(function) = expr else { return None };
    match plain_name(&function.name)?.as_str() {
        UNNEST => <[Expr; 1]>::try_from(unnamed_arguments(function)?).ok().map(|[array]| array),
        _ => Some(call("make_array", vec![expr.clone()])),
    }
}

fn plain_name(name: &ObjectName) -> Option<String> {
    let name = object_name(name).ok()?;
    name.schema.is_none().then_some(name.name)
}

fn bigints(array: Expr) -> Expr {
    let element = Box::new(DataType::BigInt(None));
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(array),
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)),
        array: false,
        format: None,
    }
}

/// A SELECT of these, without FROM.
pub(crate) fn select(projection: Vec<SelectItem>) -> Option<Query> {
    let Statement::Query(mut query) = crate::parse("SELECT 1").ok()?.pop()?.ast else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    select.projection = projection;
    Some(*query)
}

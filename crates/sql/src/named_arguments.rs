//! Arguments of built-in functions by name, `f(a, name => b)`, which get their positions here.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArguments,
    ObjectName, Query, TableFactor, VisitorMut,
};
use springtide_catalog::Name;
use springtide_types::{Result, SqlError, SqlState};

use crate::names::{fold, object_name};
use crate::walk::{Stop, flow, walk_mut};

/// What a parameter is called, and the SQL of what it is where no argument is given for it.
type Parameter = (&'static str, Option<&'static str>);

const PATH: &[Parameter] =
    &[("target", None), ("path", None), ("vars", Some("'{}'")), ("silent", Some("false"))];
const SET: &[Parameter] =
    &[("jsonb_in", None), ("path", None), ("replacement", None), ("create_if_missing", Some("true"))];
const STRIP: &[Parameter] = &[("target", None), ("strip_in_arrays", Some("false"))];

/// The parameters of functions that have names.
const FUNCTIONS: &[(&str, &[Parameter])] = &[
    ("jsonb_path_exists", PATH),
    ("jsonb_path_exists_tz", PATH),
    ("jsonb_path_match", PATH),
    ("jsonb_path_match_tz", PATH),
    ("jsonb_path_query", PATH),
    ("jsonb_path_query_tz", PATH),
    ("jsonb_path_query_array", PATH),
    ("jsonb_path_query_array_tz", PATH),
    ("jsonb_path_query_first", PATH),
    ("jsonb_path_query_first_tz", PATH),
    ("jsonb_set", SET),
    (
        "jsonb_set_lax",
        &[
            ("jsonb_in", None),
            ("path", None),
            ("replacement", None),
            ("create_if_missing", Some("true")),
            ("null_value_treatment", Some("'use_json_null'")),
        ],
    ),
    (
        "jsonb_insert",
        &[("jsonb_in", None), ("path", None), ("replacement", None), ("insert_after", Some("false"))],
    ),
    ("json_strip_nulls", STRIP),
    ("jsonb_strip_nulls", STRIP),
    (
        "make_interval",
        &[
            ("years", Some("0")),
            ("months", Some("0")),
            ("weeks", Some("0")),
            ("days", Some("0")),
            ("hours", Some("0")),
            ("mins", Some("0")),
            ("secs", Some("0.0")),
        ],
    ),
    ("make_date", &[("year", None), ("month", None), ("day", None)]),
    ("make_time", &[("hour", None), ("min", None), ("sec", None)]),
    (
        "make_timestamp",
        &[("year", None), ("month", None), ("mday", None), ("hour", None), ("min", None), ("sec", None)],
    ),
    (
        "make_timestamptz",
        &[
            ("year", None),
            ("month", None),
            ("mday", None),
            ("hour", None),
            ("min", None),
            ("sec", None),
            ("timezone", None),
        ],
    ),
];

/// Puts the arguments of a query's calls where they belong.
pub(crate) fn position_arguments(query: &mut Query) -> Result<()> {
    walk_mut(query, &mut Positions)
}

struct Positions;

impl VisitorMut for Positions {
    type Break = Stop;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Stop> {
        flow(match factor {
            TableFactor::Table { name, args: Some(args), .. } => position(name, &mut args.args),
            TableFactor::Function { name, args, .. } => position(name, args),
            _ => Ok(()),
        })
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Stop> {
        flow(match expr {
            Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) => {
                position(name, &mut list.args)
            }
            _ => Ok(()),
        })
    }
}

/// The name and the value of an argument.
fn parts(arg: &FunctionArg) -> (Option<String>, &FunctionArgExpr) {
    match arg {
        FunctionArg::Named { name, arg, .. } => (Some(fold(name)), arg),
        FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => (Some(fold(name)), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
        FunctionArg::Unnamed(arg) => (None, arg),
    }
}

/// `name := value` is an operation to the parser.
fn assigned_as_named(arg: &mut FunctionArg) {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp { left, op, right })) = arg else { return };
    if let (Expr::Identifier(name), BinaryOperator::Assignment) = (left.as_ref(), &*op) {
        let (name, value) = (name.clone(), FunctionArgExpr::Expr(right.as_ref().clone()));
        *arg = FunctionArg::Named { name, arg: value, operator: FunctionArgOperator::Assignment };
    }
}

fn position(function: &ObjectName, args: &mut Vec<FunctionArg>) -> Result<()> {
    args.iter_mut().for_each(assigned_as_named);
    if args.iter().all(|arg| parts(arg).0.is_none()) {
        return Ok(());
    }
    let Ok(Name { name, .. }) = object_name(function) else { return Ok(()) };
    let Some((_, parameters)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else { return Ok(()) };
    let wrong = || {
        let message = format!("function {name} does not exist with these argument names");
        let hint = "No function matches the given name, argument types and argument names.";
        SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(hint)
    };
    let mut values = vec![None; parameters.len()];
    let mut named = false;
    for (at, arg) in args.iter().enumerate() {
        let (name, value) = parts(arg);
        if name.is_none() && named {
            let message = "positional argument cannot follow named argument";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, message));
        }
        named |= name.is_some();
        let at = match &name {
            Some(name) => parameters.iter().position(|(known, _)| known == name).ok_or_else(wrong)?,
            None => at,
        };
        match values.get_mut(at) {
            Some(free @ None) => *free = Some(value.clone()),
            _ => return Err(wrong()),
        }
    }
    let last = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let positioned = values.into_iter().zip(*parameters).take(last).map(|(value, (_, default))| {
        let default = || -> Result<FunctionArgExpr> {
            let mut parser = crate::parser(default.ok_or_else(wrong)?)?;
            let parsed = parser.parse_expr().map_err(|error| SqlError::internal(error.to_string()));
            parsed.map(FunctionArgExpr::Expr)
        };
        value.map_or_else(default, Ok).map(FunctionArg::Unnamed)
    });
    *args = positioned.collect::<Result<_>>()?;
    Ok(())
}

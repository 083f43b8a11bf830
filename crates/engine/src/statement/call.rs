//! The calls that stand for statements, whose arguments are literals.

use springtide_sql::sqlparser::ast::{Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use springtide_types::{Result, SqlError, SqlState};

use super::ast;

/// The arguments of a call.
pub(crate) fn texts(call: &Function) -> Result<Vec<&str>> {
    let FunctionArguments::List(list) = &call.args else { return Err(unknown(call)) };
    let text = |argument| match argument {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => ast::string_literal(expr),
        _ => None,
    };
    list.args.iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(|| unknown(call))
}

/// The arguments before and after the first empty one.
pub(super) fn two_lists<'a, 'b>(
    call: &Function,
    texts: &'b [&'a str],
) -> Result<(&'b [&'a str], &'b [&'a str])> {
    let end = texts.iter().position(|text| text.is_empty()).ok_or_else(|| unknown(call))?;
    Ok((&texts[..end], &texts[end + 1..]))
}

/// There is no such procedure, or none with such arguments.
pub(super) fn unknown(call: &Function) -> SqlError {
    let message = format!("procedure {} does not exist", call.name);
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
}

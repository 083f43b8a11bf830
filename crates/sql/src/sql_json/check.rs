use datafusion::sql::sqlparser::ast::{Expr, Function};
use springtide_types::{Result, SqlError, SqlState};

use super::{QUERY, VALUE};
use crate::desugar::unnamed_arguments;
use crate::walk::{any_expr, any_query};

/// Where the arguments are that `DEFAULT` gives.
const DEFAULTS: std::ops::Range<usize> = 3..5;

/// Refuses columns, subqueries and window functions after `DEFAULT`.
pub(crate) fn check_defaults(name: &str, function: &Function) -> Result<()> {
    if ![VALUE, QUERY].contains(&name) {
        return Ok(());
    }
    let args = unnamed_arguments(function).unwrap_or_default();
    let defaults = args.get(DEFAULTS).unwrap_or_default();
    let is_refused = |expr: &Expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Function(function) => function.over.is_some(),
        _ => false,
    };
    if !defaults.iter().any(|default| any_query(default) || any_expr(default, is_refused)) {
        return Ok(());
    }
    let message = "can only specify a constant, non-aggregate function, or operator expression for DEFAULT";
    Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message))
}

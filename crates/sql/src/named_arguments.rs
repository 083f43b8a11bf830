//! Calls that name the parameters of their arguments.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use crate::desugar::{call, cast};
use crate::names::fold;

/// The names of parameters that calls may give their arguments by.
const PARAMETERS: [(&str, &[&str]); 5] = [
    ("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"]),
    ("make_date", &["year", "month", "day"]),
    ("make_time", &["hour", "min", "sec"]),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"]),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"]),
];

/// The name of an argument, if it has one, and its value: `name => value` or `name := value`.
fn named_argument(arg: &FunctionArg) -> Option<(Option<String>, &Expr)> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp {
            left,
            op: BinaryOperator::Assignment,
            right,
        })) => match left.as_ref() {
            Expr::Identifier(name) => Some((Some(fold(name)), right)),
            _ => None,
        },
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some((None, value)),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => Some((Some(fold(name)), value)),
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), ..
        } => Some((Some(fold(name)), value)),
        _ => None,
    }
}

/// The call with arguments by position, of which those that are not given are 0.
pub(crate) fn in_order(name: &str, function: &Function) -> Option<Expr> {
    let parameters = PARAMETERS.iter().find(|(known, _)| *known == name)?.1;
    let FunctionArguments::List(list) = &function.args else { return None };
    let named = list.args.iter().map(named_argument).collect::<Option<Vec<_>>>()?;
    if named.iter().all(|(name, _)| name.is_none()) {
        return None;
    }
    let mut values = vec![None; parameters.len()];
    for (position, (name, value)) in named.into_iter().enumerate() {
        let at = match name {
            None => position,
            Some(name) => parameters.iter().position(|known| *known == name)?,
        };
        *values.get_mut(at)? = Some(value.clone());
    }
    let given = values.iter().rposition(Option::is_some)? + 1;
    let zero = || cast(Expr::value(Value::Number("0".to_owned(), false)), DataType::Int32);
    Some(call(name, values.into_iter().take(given).map(|value| value.unwrap_or_else(zero)).collect()))
}

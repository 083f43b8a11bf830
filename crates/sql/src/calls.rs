//! What a call means for the types of its arguments, where DataFusion would take bytea for text.

use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;
use springtide_types::{SqlError, SqlState, SqlType};

use crate::convert::family;
use crate::errors::external;
use crate::functions::{byte_parameters, cast_function, is_cast, overload};
use crate::operators::{as_type, describe, known_type};

/// The call with its function chosen among those of the name, and its arguments in the types of that.
pub(crate) fn resolve_call(mut call: ScalarFunction, schema: &DFSchema) -> Result<ScalarFunction> {
    let types = argument_types(&call.args, schema);
    if let Some(function) = overload(&call, types.first().copied().flatten()) {
        call.func = function;
    }
    if let Some((parameters, required)) = byte_parameters(&call) {
        let fit = (required..=parameters.len()).contains(&types.len())
            && types.iter().zip(parameters).all(|(given, parameter)| fits(*given, *parameter));
        if !fit {
            return Err(no_function(call.name(), &types));
        }
        let args = call.args.into_iter().zip(parameters);
        call.args = args.map(|(arg, parameter)| as_type(arg, *parameter, schema)).collect::<Result<_>>()?;
        return Ok(call);
    }
    if !types.contains(&Some(SqlType::Bytea)) || is_cast(&call) {
        return Ok(call);
    }
    match call.name() {
        "guard" | "md5" | "pg_typeof" => Ok(call),
        "concat" | "concat_ws" => {
            let as_text = |(arg, given)| match given {
                Some(SqlType::Bytea) => cast_function(arg, SqlType::Text),
                _ => arg,
            };
            call.args = call.args.into_iter().zip(types).map(as_text).collect();
            Ok(call)
        }
        name => Err(no_function(name, &types)),
    }
}

/// Refuses aggregates of bytea, but for those that take any type.
pub(crate) fn check_aggregate(name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let types = argument_types(args, schema);
    let takes_any = matches!(name, "count" | "first_value" | "last_value" | "nth_value" | "array_agg");
    if takes_any || !types.contains(&Some(SqlType::Bytea)) { Ok(()) } else { Err(no_function(name, &types)) }
}

/// The types as far as SQL knows them: DataFusion's functions pass lists and the like among themselves.
fn argument_types(args: &[Expr], schema: &DFSchema) -> Vec<Option<SqlType>> {
    args.iter().map(|arg| known_type(arg, schema).ok().flatten()).collect()
}

/// Whether PostgreSQL converts the argument to the type of the parameter by itself.
fn fits(given: Option<SqlType>, parameter: SqlType) -> bool {
    match (given, parameter) {
        (None, _) | (Some(SqlType::Int2), SqlType::Int4) => true,
        (Some(given), SqlType::Text) => family(given) == family(parameter),
        (Some(given), parameter) => given == parameter,
    }
}

fn no_function(name: &str, types: &[Option<SqlType>]) -> DataFusionError {
    let types = types.iter().map(|sql_type| describe(*sql_type)).collect::<Vec<_>>().join(", ");
    let message = format!("function {name}({types}) does not exist");
    external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    ))
}

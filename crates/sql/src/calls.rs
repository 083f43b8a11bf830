//! What a call means for the types of its arguments, where DataFusion would take bytes for text.

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{Expr, lit};
use springtide_types::SqlType;

use crate::convert::{Family, family, is_disguised};
use crate::errors::external;
use crate::functions::{
    COLLECT, ENUM_FUNCTIONS, FORMAT_OF_ARRAY, byte_parameters, cast_function, decide, decide_array, is_cast,
    overload, several_dimensions, takes_texts,
};
use crate::operators::{as_type, known_type};
use crate::overload::no_function;
use crate::system::is_function;

/// The call with its function chosen among those of the name, and its arguments in the types of that.
pub(crate) fn resolve_call(mut call: ScalarFunction, schema: &DFSchema) -> Result<ScalarFunction> {
    if let Some(decided) = decide_array(&call, schema)? {
        return Ok(decided);
    }
    let types = argument_types(&call.args, schema);
    if let Some(function) = overload(&call, &types) {
        call.func = function;
    }
    if let Some(decided) = decide(&call, &types, schema)? {
        return Ok(decided);
    }
    if let Some((parameters, required)) = byte_parameters(&call) {
        let fit = (required..=parameters.len()).contains(&types.len())
            && types.iter().zip(parameters).all(|(given, parameter)| fits(*given, *parameter));
        if !fit {
            return Err(external(no_function(call.name(), &types)));
        }
        let args = call.args.into_iter().zip(parameters);
        call.args = args.map(|(arg, parameter)| as_type(arg, *parameter, schema)).collect::<Result<_>>()?;
        return Ok(call);
    }
    if takes_texts(call.name()) {
        call.args = call.args.into_iter().zip(types).map(|(arg, given)| written(arg, given)).collect();
        return Ok(call);
    }
    if takes_texts_alone(call.name()) && !types.iter().all(|given| fits(*given, SqlType::Text)) {
        return Err(external(no_function(call.name(), &types)));
    }
    if !has_disguised(&types) || is_cast(&call) {
        return Ok(call);
    }
    match call.name() {
        "guard" | "pg_typeof" | FORMAT_OF_ARRAY => Ok(call),
        // What only the binder itself writes, and what asks the catalogue.
        name if name.starts_with('$')
            || name.starts_with("extract_")
            || is_function(name)
            || ENUM_FUNCTIONS.contains(&name) =>
        {
            Ok(call)
        }
        "array_to_json" if matches!(types.as_slice(), [Some(SqlType::Array(_))]) => Ok(call),
        "row_to_json" if matches!(types.as_slice(), [Some(SqlType::Json)]) => Ok(call),
        "to_json" | "to_jsonb" | "json_build_array" | "jsonb_build_array" | "json_build_object"
        | "jsonb_build_object" => Ok(call),
        "md5" if types == [Some(SqlType::Bytea)] => Ok(call),
        name => Err(external(no_function(name, &types))),
    }
}

/// Whether DataFusion would make texts of numbers and the like, where PostgreSQL has no such function.
fn takes_texts_alone(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "ascii",
        "bit_length",
        "character_length",
        "initcap",
        "length",
        "lower",
        "octet_length",
        "replace",
        "starts_with",
        "translate",
        "upper",
        "char_length",
    ];
    NAMES.contains(&name)
}

fn has_disguised(types: &[Option<SqlType>]) -> bool {
    types.iter().copied().flatten().any(is_disguised)
}

/// A value as clients see it: a boolean is `t` or `f`, where a cast to text makes `true` or `false` of it.
fn written(value: Expr, sql_type: Option<SqlType>) -> Expr {
    match sql_type {
        None => value,
        Some(known) if family(known) == Family::Text => value,
        Some(SqlType::Boolean) => {
            let letter = |condition: Expr, letter: &str| (Box::new(condition), Box::new(lit(letter)));
            let letters = vec![letter(value.clone(), "t"), letter(Expr::Not(Box::new(value)), "f")];
            Expr::Case(Case::new(None, letters, None))
        }
        Some(_) => cast_function(value, SqlType::Text),
    }
}

/// Refuses aggregates of bytea, uuid, JSON, enums and arrays, but for those that take any type, and the extremes of enums.
pub(crate) fn check_aggregate(name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let types = argument_types(args, schema);
    // What only the binder itself writes takes whatever it is given.
    let takes_any = name == COLLECT
        || name.starts_with('$')
        || matches!(name, "any_value" | "count" | "first_value" | "last_value" | "nth_value" | "array_agg");
    if name == "count" && args.len() > 1 {
        return Err(external(no_function(name, &types)));
    }
    if name == "array_agg" && matches!(types.as_slice(), [Some(SqlType::Array(_))]) {
        return Err(external(several_dimensions()));
    }
    let is_ordered = matches!(name, "min" | "max") && matches!(types.as_slice(), [Some(SqlType::Enum(_))]);
    if takes_any || is_ordered || !has_disguised(&types) {
        Ok(())
    } else {
        Err(external(no_function(name, &types)))
    }
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

//! Aggregates of JSON, as what is made of an array:
//!
//! ```text
//! json_agg(x ORDER BY y)      is $json_agg(array_agg($json_element(x) ORDER BY y))
//! json_object_agg(k, v)       is $json_object_agg(array_agg($json_pair(k, v)))
//! json_agg_strict(x)          is $json_agg_strict(array_agg($json_element(x))), which leaves NULLs out
//! ```

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
};

use crate::desugar::{call, unnamed_arguments};

/// An element of an array, or the JSON of what can be none.
pub(crate) const ELEMENT: &str = "$json_element";

/// The call in terms of `array_agg`, if it is one of these aggregates.
pub(crate) fn rewritten(name: &str, function: &Function) -> Option<Expr> {
    let (plain, strict) = name.strip_suffix("_strict").map_or((name, false), |plain| (plain, true));
    let args = unnamed_arguments(function)?;
    let json = if name.starts_with("jsonb") { "jsonb" } else { "json" };
    let pair = |kind: &str| call(&format!("${json}_pair{kind}"), args.clone());
    let (element, gather) = match (plain, args.as_slice()) {
        ("json_agg" | "jsonb_agg", [_]) => (call(ELEMENT, args), name),
        ("json_object_agg" | "jsonb_object_agg", [_, _]) if strict => (pair("_strict"), plain),
        ("json_object_agg" | "jsonb_object_agg", [_, _]) => (pair(""), name),
        ("json_object_agg_unique" | "jsonb_object_agg_unique", [_, _]) => (pair(""), name),
        _ => return None,
    };
    let mut collect = function.clone();
    collect.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(list) = &mut collect.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(element))];
    }
    Some(call(&format!("${gather}"), vec![Expr::Function(collect)]))
}

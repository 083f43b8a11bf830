//! JSON_ARRAYAGG and JSON_OBJECTAGG as what is made of an array; see [`json_aggregates`](crate::json_aggregates).

use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArguments, Ident, ObjectName, Value};

use super::parse::arguments;
use super::{ARRAYAGG, OBJECTAGG, Options, SERIALIZE};
use crate::desugar::{call, unnamed_arguments};
use crate::json_aggregates::ELEMENT;

/// The call in terms of `array_agg`, if it is one of these aggregates.
pub(crate) fn rewritten_aggregate(name: &str, function: &Function) -> Option<Expr> {
    let args = unnamed_arguments(function)?;
    let (options, values) = args.split_first()?;
    if ![ARRAYAGG, OBJECTAGG].contains(&name) {
        return None;
    }
    let Expr::Value(text) = options else { return None };
    let Value::SingleQuotedString(text) = &text.value else { return None };
    let options = serde_json::from_str::<Options>(text).ok()?;
    let is_jsonb =
        options.returning.as_deref().is_some_and(|returning| returning.eq_ignore_ascii_case("jsonb"));
    let json = if is_jsonb { "jsonb" } else { "json" };
    let (element, gather) = match (name, values) {
        (ARRAYAGG, [value]) => {
            let strict = if options.absent_on_null { "_strict" } else { "" };
            (call(ELEMENT, vec![value.clone()]), format!("${json}_agg{strict}"))
        }
        (OBJECTAGG, [key, value]) => {
            let strict = if options.absent_on_null && !options.unique { "_strict" } else { "" };
            let pair = format!("${json}_pair{strict}");
            let unique = match (options.unique, options.absent_on_null) {
                (true, true) => "_unique_strict",
                (true, false) => "_unique",
                (false, _) => "",
            };
            (call(&pair, vec![key.clone(), value.clone()]), format!("${json}_object_agg{unique}"))
        }
        _ => return None,
    };
    let mut collect = function.clone();
    collect.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(list) = &mut collect.args {
        list.args = arguments(vec![element]);
    }
    let gathered = call(&gather, vec![Expr::Function(collect)]);
    let is_json =
        options.returning.as_deref().is_none_or(|name| name.to_ascii_lowercase().starts_with("json"));
    if is_json {
        return Some(gathered);
    }
    let options = Expr::value(Value::SingleQuotedString(options.to_text()));
    Some(call(SERIALIZE, vec![gathered, options]))
}

//! Functions that make rows, each as one or several that make arrays, which are then unnested.

use datafusion::sql::sqlparser::ast::{Expr, Function};

use crate::desugar::{call, unnamed_arguments};

/// A function that makes rows.
pub(crate) struct SetReturning {
    pub name: &'static str,
    /// The names of its columns in FROM.
    pub columns: &'static [&'static str],
    /// The function of the array that each column has the elements of.
    pub lists: &'static [&'static str],
    /// The function of the array of its rows in a list.
    row: &'static str,
}

static FUNCTIONS: [SetReturning; 12] = [
    of("jsonb_path_query", &[], &["$jsonb_path_query"], "$jsonb_path_query"),
    of("jsonb_path_query_tz", &[], &["$jsonb_path_query_tz"], "$jsonb_path_query_tz"),
    of("jsonb_array_elements", VALUE, &["$jsonb_array_elements"], "$jsonb_array_elements"),
    of("json_array_elements", VALUE, &["$json_array_elements"], "$json_array_elements"),
    of("jsonb_array_elements_text", VALUE, &["$jsonb_array_elements_text"], "$jsonb_array_elements_text"),
    of("json_array_elements_text", VALUE, &["$json_array_elements_text"], "$json_array_elements_text"),
    of("jsonb_object_keys", &[], &["$jsonb_object_keys"], "$jsonb_object_keys"),
    of("json_object_keys", &[], &["$json_object_keys"], "$json_object_keys"),
    of("jsonb_each", PAIR, &["$jsonb_each_key", "$jsonb_each_value"], "$jsonb_each"),
    of("json_each", PAIR, &["$json_each_key", "$json_each_value"], "$json_each"),
    of("jsonb_each_text", PAIR, &["$jsonb_each_key", "$jsonb_each_text_value"], "$jsonb_each_text"),
    of("json_each_text", PAIR, &["$json_each_key", "$json_each_text_value"], "$json_each_text"),
];

const VALUE: &[&str] = &["value"];
const PAIR: &[&str] = &["key", "value"];

const fn of(
    name: &'static str,
    columns: &'static [&'static str],
    lists: &'static [&'static str],
    row: &'static str,
) -> SetReturning {
    SetReturning { name, columns, lists, row }
}

/// The function of a name, if it is one of these.
pub(crate) fn find(name: &str) -> Option<&'static SetReturning> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// A call in the list of a SELECT.
pub(crate) fn in_list(name: &str, function: &Function) -> Option<Expr> {
    let rows = find(name)?.row;
    Some(call("unnest", vec![call(rows, unnamed_arguments(function)?)]))
}

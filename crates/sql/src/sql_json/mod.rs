//! The functions and predicates of SQL/JSON, which have a grammar of their own. Calls of them become calls of plain functions,
//! one of whose arguments is a text that says what their clauses do.

mod aggregates;
mod check;
mod options;
mod parse;
mod table;

pub(crate) use aggregates::rewritten_aggregate;
pub(crate) use check::check_defaults;
pub(crate) use options::{Behavior, Options, Wrapper};
pub(crate) use parse::{parse_call, parse_is_json};
pub(crate) use table::{Level, ROWS, Rows, TABLE};

/// The functions that the calls become. Those with a mark are named without it in output.
pub(crate) const VALUE: &str = "$json_value";
pub(crate) const QUERY: &str = "$json_query";
pub(crate) const EXISTS: &str = "$json_exists";
pub(crate) const OBJECT: &str = "$json_object";
pub(crate) const ARRAY: &str = "$json_array";
pub(crate) const JSON: &str = "$json";
pub(crate) const SERIALIZE: &str = "$json_serialize";
pub(crate) const SCALAR: &str = "$json_scalar";
pub(crate) const IS_JSON: &str = "$is_json";
pub(crate) const OBJECTAGG: &str = "$json_objectagg";
pub(crate) const ARRAYAGG: &str = "$json_arrayagg";

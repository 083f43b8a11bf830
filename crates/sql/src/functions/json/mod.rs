//! Functions and operators of `json` and `jsonb`.

mod access;
mod build;
mod contains;
mod modify;
mod path;

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, LargeBinaryArray, LargeStringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use springtide_types::SqlType::{Boolean, Int4, Json, Jsonb, Jsonpath, Text};

use super::typed::{Args, Gives, Typed, Variant, variant};

/// The type of paths.
const TEXTS: springtide_types::SqlType = springtide_types::SqlType::TEXT_ARRAY;
const TEXT: Gives = Gives::One(Text);
const JSON: Gives = Gives::One(Json);
const JSONB: Gives = Gives::One(Jsonb);
const BOOLEAN: Gives = Gives::One(Boolean);

const GET: &[Variant] = &[
    variant(&[Jsonb, Text], JSONB, access::member),
    variant(&[Jsonb, Int4], JSONB, access::element),
    variant(&[Json, Text], JSON, access::member_json),
    variant(&[Json, Int4], JSON, access::element_json),
];
const GET_TEXT: &[Variant] = &[
    variant(&[Jsonb, Text], TEXT, access::member_text),
    variant(&[Jsonb, Int4], TEXT, access::element_text),
    variant(&[Json, Text], TEXT, access::member_text),
    variant(&[Json, Int4], TEXT, access::element_text),
];
const AT_PATH: &[Variant] =
    &[variant(&[Jsonb, TEXTS], JSONB, access::at_path), variant(&[Json, TEXTS], JSON, access::at_path_json)];
const AT_PATH_TEXT: &[Variant] = &[
    variant(&[Jsonb, TEXTS], TEXT, access::at_path_text),
    variant(&[Json, TEXTS], TEXT, access::at_path_text),
];
const CONTAINS: &[Variant] = &[variant(&[Jsonb, Jsonb], BOOLEAN, contains::contains)];
const CONTAINED: &[Variant] = &[variant(&[Jsonb, Jsonb], BOOLEAN, contains::contained)];
const HAS_KEY: &[Variant] = &[variant(&[Jsonb, Text], BOOLEAN, contains::has_key)];
const HAS_ANY: &[Variant] = &[variant(&[Jsonb, TEXTS], BOOLEAN, contains::has_any)];
const HAS_ALL: &[Variant] = &[variant(&[Jsonb, TEXTS], BOOLEAN, contains::has_all)];
const JOIN: &[Variant] = &[variant(&[Jsonb, Jsonb], JSONB, modify::join)];
const DELETE: &[Variant] = &[
    variant(&[Jsonb, Text], JSONB, modify::delete_key),
    variant(&[Jsonb, Int4], JSONB, modify::delete_element),
];
const DELETE_PATH: &[Variant] = &[variant(&[Jsonb, TEXTS], JSONB, modify::delete_path)];

/// Keys that `jsonb_extract_path` takes, at most.
const PATH: [springtide_types::SqlType; 9] = [Jsonb, Text, Text, Text, Text, Text, Text, Text, Text];
const PATH_JSON: [springtide_types::SqlType; 9] = [Json, Text, Text, Text, Text, Text, Text, Text, Text];

const EXTRACT: &[Variant] = &[Variant { parameters: &PATH, required: 1, gives: JSONB, run: access::extract }];
const EXTRACT_TEXT: &[Variant] =
    &[Variant { parameters: &PATH, required: 1, gives: TEXT, run: access::extract_text }];
const EXTRACT_JSON: &[Variant] =
    &[Variant { parameters: &PATH_JSON, required: 1, gives: JSON, run: access::extract_json }];
const EXTRACT_TEXT_JSON: &[Variant] =
    &[Variant { parameters: &PATH_JSON, required: 1, gives: TEXT, run: access::extract_text }];
const TYPE_OF: &[Variant] = &[variant(&[Jsonb], TEXT, access::type_of)];
const TYPE_OF_JSON: &[Variant] = &[variant(&[Json], TEXT, access::type_of)];
const LENGTH: &[Variant] = &[variant(&[Jsonb], Gives::One(Int4), access::length)];
const LENGTH_JSON: &[Variant] = &[variant(&[Json], Gives::One(Int4), access::length)];
const STRIP_NULLS: &[Variant] = &[variant(&[Jsonb], JSONB, modify::strip_nulls)];
const PRETTY: &[Variant] = &[variant(&[Jsonb], TEXT, modify::pretty)];
const SET: &[Variant] =
    &[Variant { parameters: &[Jsonb, TEXTS, Jsonb, Boolean], required: 3, gives: JSONB, run: modify::set }];

const PATH_ARGUMENTS: [springtide_types::SqlType; 4] = [Jsonb, Jsonpath, Jsonb, Boolean];

const fn by_path(gives: Gives, run: fn(&Args<'_>) -> springtide_types::Result<ArrayRef>) -> [Variant; 1] {
    [Variant { parameters: &PATH_ARGUMENTS, required: 2, gives, run }]
}

const JSONBS: Gives = Gives::Array(Jsonb);
const PATH_EXISTS: &[Variant] = &by_path(BOOLEAN, path::exists);
const PATH_EXISTS_TZ: &[Variant] = &by_path(BOOLEAN, path::exists_tz);
const PATH_MATCH: &[Variant] = &by_path(BOOLEAN, path::matches);
const PATH_MATCH_TZ: &[Variant] = &by_path(BOOLEAN, path::matches_tz);
const PATH_QUERY: &[Variant] = &by_path(JSONBS, path::all);
const PATH_QUERY_TZ: &[Variant] = &by_path(JSONBS, path::all_tz);
const PATH_QUERY_ARRAY: &[Variant] = &by_path(JSONB, path::array);
const PATH_QUERY_ARRAY_TZ: &[Variant] = &by_path(JSONB, path::array_tz);
const PATH_QUERY_FIRST: &[Variant] = &by_path(JSONB, path::first);
const PATH_QUERY_FIRST_TZ: &[Variant] = &by_path(JSONB, path::first_tz);
const PATH_FOUND: &[Variant] = &[variant(&[Jsonb, Jsonpath], BOOLEAN, path::exists_silently)];
const PATH_HOLDS: &[Variant] = &[variant(&[Jsonb, Jsonpath], BOOLEAN, path::matches_silently)];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let typed = vec![
        Typed::udf("jsonb_path_exists", PATH_EXISTS),
        Typed::udf("jsonb_path_exists_tz", PATH_EXISTS_TZ),
        Typed::udf("jsonb_path_exists_opr", PATH_FOUND),
        Typed::udf("jsonb_path_match", PATH_MATCH),
        Typed::udf("jsonb_path_match_tz", PATH_MATCH_TZ),
        Typed::udf("jsonb_path_match_opr", PATH_HOLDS),
        Typed::udf("$jsonb_path_query", PATH_QUERY),
        Typed::udf("$jsonb_path_query_tz", PATH_QUERY_TZ),
        Typed::udf("jsonb_path_query_array", PATH_QUERY_ARRAY),
        Typed::udf("jsonb_path_query_array_tz", PATH_QUERY_ARRAY_TZ),
        Typed::udf("jsonb_path_query_first", PATH_QUERY_FIRST),
        Typed::udf("jsonb_path_query_first_tz", PATH_QUERY_FIRST_TZ),
        Typed::udf("jsonb_extract_path", EXTRACT),
        Typed::udf("jsonb_extract_path_text", EXTRACT_TEXT),
        Typed::udf("json_extract_path", EXTRACT_JSON),
        Typed::udf("json_extract_path_text", EXTRACT_TEXT_JSON),
        Typed::udf("jsonb_typeof", TYPE_OF),
        Typed::udf("json_typeof", TYPE_OF_JSON),
        Typed::udf("jsonb_array_length", LENGTH),
        Typed::udf("json_array_length", LENGTH_JSON),
        Typed::udf("jsonb_strip_nulls", STRIP_NULLS),
        Typed::udf("jsonb_pretty", PRETTY),
        Typed::udf("jsonb_set", SET),
    ];
    typed.into_iter().chain(build::functions()).collect()
}

/// The function that an operator calls, if it is one of JSON alone.
pub(crate) fn json_operator(op: &BinaryOperator) -> Option<Arc<ScalarUDF>> {
    static OPERATORS: LazyLock<[Arc<ScalarUDF>; 12]> = LazyLock::new(|| {
        [
            Typed::udf("->", GET),
            Typed::udf("->>", GET_TEXT),
            Typed::udf("#>", AT_PATH),
            Typed::udf("#>>", AT_PATH_TEXT),
            Typed::udf("@>", CONTAINS),
            Typed::udf("<@", CONTAINED),
            Typed::udf("?", HAS_KEY),
            Typed::udf("?|", HAS_ANY),
            Typed::udf("?&", HAS_ALL),
            Typed::udf("#-", DELETE_PATH),
            Typed::udf("@?", PATH_FOUND),
            Typed::udf("@@", PATH_HOLDS),
        ]
    });
    use BinaryOperator::*;
    let all = [
        Arrow,
        LongArrow,
        HashArrow,
        HashLongArrow,
        AtArrow,
        ArrowAt,
        Question,
        QuestionPipe,
        QuestionAnd,
        HashMinus,
        AtQuestion,
        AtAt,
    ];
    all.iter().position(|known| known == op).map(|position| OPERATORS[position].clone())
}

/// `left || right` of two `jsonb`.
pub(crate) fn join_json(left: Expr, right: Expr) -> Expr {
    static JOINED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("jsonb_concat", JOIN));
    Expr::ScalarFunction(ScalarFunction::new_udf(JOINED.clone(), vec![left, right]))
}

/// `value - key` of a `jsonb`.
pub(crate) fn delete_from_json(value: Expr, key: Expr) -> Expr {
    static DELETED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Typed::udf("jsonb_delete", DELETE));
    Expr::ScalarFunction(ScalarFunction::new_udf(DELETED.clone(), vec![value, key]))
}

/// The text of the JSON in a row, of either type; `None` for NULL.
fn json_at(array: &ArrayRef, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::LargeBinary => {
            std::str::from_utf8(array.as_binary::<i64>().value(row)).expect("a json is a text")
        }
        _ => array.as_string::<i64>().value(row),
    })
}

/// A column of `jsonb`.
fn jsonb(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(LargeStringArray::from(values))
}

/// A column of `json`.
fn json(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(LargeBinaryArray::from_iter(values))
}

//! Functions and operators of `json` and `jsonb`.

mod access;
mod build;
mod contains;
mod element;
mod field;
mod modify;
mod object;
mod order;
mod path;
mod rows;
mod set_path;
mod spans;
mod standard;
mod subscript;

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
    variant(&[Jsonb, TEXTS], JSONB, modify::delete_keys),
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
const STRIP_NULLS: &[Variant] =
    &[Variant { parameters: &[Jsonb, Boolean], required: 1, gives: JSONB, run: modify::strip_nulls }];
const STRIP_NULLS_JSON: &[Variant] =
    &[Variant { parameters: &[Json, Boolean], required: 1, gives: JSON, run: modify::strip_nulls_json }];
const INSERT: &[Variant] = &[Variant {
    parameters: &[Jsonb, TEXTS, Jsonb, Boolean],
    required: 3,
    gives: JSONB,
    run: modify::insert,
}];
const SET_LAX: &[Variant] = &[Variant {
    parameters: &[Jsonb, TEXTS, Jsonb, Boolean, Text],
    required: 3,
    gives: JSONB,
    run: modify::set_lax,
}];
const ASSIGN: &[Variant] = &[variant(&[Jsonb, TEXTS, Jsonb], JSONB, modify::assign)];

/// Functions of either type.
macro_rules! of_either {
    ($name:ident, $jsonb:expr, $json:expr, $run:path) => {
        const $name: (&[Variant], &[Variant]) =
            (&[variant(&[Jsonb], $jsonb, $run)], &[variant(&[Json], $json, $run)]);
    };
}

of_either!(ELEMENTS, JSONBS, Gives::Array(Json), rows::elements);
of_either!(ELEMENT_TEXTS, Gives::Texts, Gives::Texts, rows::element_texts);
of_either!(KEYS, Gives::Texts, Gives::Texts, rows::keys);
of_either!(EACH_KEY, Gives::Texts, Gives::Texts, rows::each_key);
of_either!(EACH_VALUE, JSONBS, Gives::Array(Json), rows::each_value);
of_either!(EACH_TEXT_VALUE, Gives::Texts, Gives::Texts, rows::each_text_value);
of_either!(EACH, Gives::Texts, Gives::Texts, rows::each);
of_either!(EACH_TEXT, Gives::Texts, Gives::Texts, rows::each_text);
of_either!(RECORDS, JSONBS, Gives::Array(Json), rows::records);
of_either!(RECORD, JSONBS, Gives::Array(Json), rows::record_of);
const PRETTY: &[Variant] = &[variant(&[Jsonb], TEXT, modify::pretty)];
const SET: &[Variant] =
    &[Variant { parameters: &[Jsonb, TEXTS, Jsonb, Boolean], required: 3, gives: JSONB, run: modify::set }];

const OBJECT: &[Variant] = &[
    variant(&[TEXTS], JSONB, object::of_pairs),
    variant(&[TEXTS, TEXTS], JSONB, object::of_keys_and_values),
];
const OBJECT_JSON: &[Variant] = &[
    variant(&[TEXTS], JSON, object::of_pairs_json),
    variant(&[TEXTS, TEXTS], JSON, object::of_keys_and_values_json),
];

/// Arrays of keys and values.
const PAIRS: springtide_types::SqlType = springtide_types::SqlType::JSON_ARRAY;
const GATHERED: &[Variant] = &[variant(&[PAIRS], JSONB, object::gathered)];
const GATHERED_JSON: &[Variant] = &[variant(&[PAIRS], JSON, object::gathered_json)];
const GATHERED_UNIQUE: &[Variant] = &[variant(&[PAIRS], JSONB, object::gathered_once)];
const GATHERED_UNIQUE_JSON: &[Variant] = &[variant(&[PAIRS], JSON, object::gathered_once_json)];
const GATHERED_UNIQUE_STRICT: &[Variant] = &[variant(&[PAIRS], JSONB, object::gathered_once_present)];
const GATHERED_UNIQUE_STRICT_JSON: &[Variant] =
    &[variant(&[PAIRS], JSON, object::gathered_once_present_json)];

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
        Typed::udf("json_strip_nulls", STRIP_NULLS_JSON),
        Typed::udf("jsonb_insert", INSERT),
        Typed::udf_with_nulls("jsonb_set_lax", SET_LAX),
        Typed::udf_with_nulls("$jsonb_assign", ASSIGN),
        Typed::udf("jsonb_contains", CONTAINS),
        Typed::udf("jsonb_contained", CONTAINED),
        Typed::udf("jsonb_exists", HAS_KEY),
        Typed::udf("jsonb_exists_any", HAS_ANY),
        Typed::udf("jsonb_exists_all", HAS_ALL),
        Typed::udf("jsonb_delete", DELETE),
        Typed::udf("jsonb_delete_path", DELETE_PATH),
        Typed::udf("jsonb_concat", JOIN),
        Typed::udf("$jsonb_array_elements", ELEMENTS.0),
        Typed::udf("$json_array_elements", ELEMENTS.1),
        Typed::udf("$jsonb_array_elements_text", ELEMENT_TEXTS.0),
        Typed::udf("$json_array_elements_text", ELEMENT_TEXTS.1),
        Typed::udf("$jsonb_object_keys", KEYS.0),
        Typed::udf("$json_object_keys", KEYS.1),
        Typed::udf("$jsonb_each_key", EACH_KEY.0),
        Typed::udf("$json_each_key", EACH_KEY.1),
        Typed::udf("$jsonb_each_value", EACH_VALUE.0),
        Typed::udf("$json_each_value", EACH_VALUE.1),
        Typed::udf("$jsonb_each_text_value", EACH_TEXT_VALUE.0),
        Typed::udf("$json_each_text_value", EACH_TEXT_VALUE.1),
        Typed::udf("$jsonb_each", EACH.0),
        Typed::udf("$json_each", EACH.1),
        Typed::udf("$jsonb_each_text", EACH_TEXT.0),
        Typed::udf("$json_each_text", EACH_TEXT.1),
        Typed::udf("$jsonb_records", RECORDS.0),
        Typed::udf("$json_records", RECORDS.1),
        Typed::udf("$jsonb_record", RECORD.0),
        Typed::udf("$json_record", RECORD.1),
        Typed::udf("$json_object_agg", GATHERED_JSON),
        Typed::udf("$jsonb_object_agg", GATHERED),
        Typed::udf("$json_object_agg_unique", GATHERED_UNIQUE_JSON),
        Typed::udf("$jsonb_object_agg_unique", GATHERED_UNIQUE),
        Typed::udf("$json_object_agg_unique_strict", GATHERED_UNIQUE_STRICT_JSON),
        Typed::udf("$jsonb_object_agg_unique_strict", GATHERED_UNIQUE_STRICT),
        Typed::udf("json_object", OBJECT_JSON),
        Typed::udf("jsonb_object", OBJECT),
        Typed::udf("jsonb_pretty", PRETTY),
        Typed::udf("jsonb_set", SET),
    ];
    let others = [field::function(), element::function()];
    typed.into_iter().chain(build::functions()).chain(others).chain(standard::functions()).collect()
}

pub(crate) use build::{PRETTY_ARRAY, PRETTY_ROW, ROW, as_json};
pub(crate) use field::FIELD;
pub(crate) use order::{jsonb_key, uniform_jsonb, value_of_jsonb_key};
pub(crate) use subscript::subscripted_jsonb;

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

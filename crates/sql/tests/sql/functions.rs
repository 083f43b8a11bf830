use springtide_types::SqlType::{Float8, Int4, Int8, Numeric, Text};

use super::*;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    let two = [("", Int4), ("", Int4)];
    fixture.function("plus", &two, Int4, "select $1 + $2").unwrap();
    fixture.function("twice", &[("n", Int4)], Int4, "select plus(n, n)").unwrap();
    fixture.function("most", &[("a", Int4)], Int4, "select max(b) from t where a = most.a").unwrap();
    fixture
}

#[track_caller]
fn gives(sql: &str, expected: &[&str]) {
    assert_eq!(fixture().rows(sql).unwrap(), expected, "{sql}");
}

#[track_caller]
fn refuses(sql: &str, expected: &str) {
    let error = fixture().rows(sql).unwrap_err();
    assert_eq!(format!("{} {}", error.sqlstate.code(), error.message), expected, "{sql}");
}

#[test]
fn bodies_stand_for_calls() {
    gives("select plus(1, 2), twice(plus(a, 1)) from t where twice(a) = 2", &["3|4"]);
    gives("select twice(a), count(*) from t group by twice(a) order by 1", &["2|1", "4|2", "6|1"]);
    gives("select twice(n => 4)", &["8"]);
    let fixture = fixture();
    let plan = fixture.explain("select twice(a) as x from t where plus(a, b) > 5").unwrap();
    assert_eq!(plan, fixture.explain("select a + a as x from t where a + b > 5").unwrap());
}

#[test]
fn parameters_have_the_declared_types() {
    let fixture = fixture();
    assert_eq!(fixture.bind("select plus($1, $2)").unwrap().parameters(), [Int4, Int4]);
    let rows = fixture.rows_with("select plus($1, 2)", &[ScalarValue::Int32(Some(40))]);
    assert_eq!(rows.unwrap(), ["42"]);
}

#[test]
fn names_in_a_body_are_its_own() {
    gives("select a, most(a) from t order by a, b", &["1|10", "2|20", "2|20", "3|NULL"]);
    gives("select a from t where most(a) = b order by a", &["1", "2"]);
}

#[test]
fn a_query_depends_on_what_its_functions_need() {
    let fixture = fixture();
    let bound = fixture.bind("select twice(1), most(1)").unwrap();
    assert_eq!(bound.functions().len(), 3);
    assert_eq!(bound.depends_on(), [fixture.catalog.get("t").unwrap().id]);
}

#[test]
fn the_function_is_chosen_by_the_types_of_the_arguments() {
    let mut fixture = fixture();
    for (name, sql_type) in [("integer", Int4), ("text", Text), ("double", Float8)] {
        fixture.function("kind", &[("", sql_type)], Text, &format!("select '{name}'")).unwrap();
    }
    let rows = fixture.rows("select kind(1), kind('x'), kind(1.5), kind(1::bigint), kind(null)").unwrap();
    assert_eq!(rows, ["integer|text|double|double|text"]);
    fixture.function("either", &[("", Int4), ("", Int8)], Int4, "select 1").unwrap();
    fixture.function("either", &[("", Int8), ("", Int4)], Int4, "select 2").unwrap();
    let error = fixture.rows("select either(1, 2)").unwrap_err();
    assert_eq!(error.message, "function either(integer, integer) is not unique");
    assert_eq!(error.sqlstate, springtide_types::SqlState::AMBIGUOUS_FUNCTION);
}

#[test]
fn numbers_keep_their_scale() {
    let mut fixture = fixture();
    let numeric = Numeric(2, 0).unconstrained();
    fixture.function("taxed", &[("net", numeric)], numeric, "select net * 1.21").unwrap();
    assert_eq!(fixture.rows("select taxed(100), taxed(1.50)").unwrap(), ["121.00|1.8150"]);
}

#[test]
fn wrong_calls_are_named_as_in_postgres() {
    refuses("select plus(1)", "42883 function plus(integer) does not exist");
    refuses("select plus(1.5, 'x')", "42883 function plus(numeric, unknown) does not exist");
    refuses("select plus(a, s) from t", "42883 function plus(integer, text) does not exist");
    refuses("select plus(1, 'x')", "22P02 invalid input syntax for type integer: \"x\"");
    refuses(
        "select twice(floor(random() * 9)::int)",
        "0A000 a volatile argument that function twice(integer) evaluates more than once is not supported",
    );
}

#[test]
fn wrong_definitions_are_named_as_in_postgres() {
    let error = |parameters: &[(&str, SqlType)], returns, body: &str| {
        let error = fixture().function("f", parameters, returns, body).unwrap_err();
        format!("{} {} {}", error.sqlstate.code(), error.message, error.detail.unwrap_or_default())
    };
    let mismatch = "42P13 return type mismatch in function declared to return integer";
    assert_eq!(error(&[], Int4, "select 'x'"), format!("{mismatch} Actual return type is text."));
    let one = "Final statement must return exactly one column.";
    assert_eq!(error(&[], Int4, "select 1, 2"), format!("{mismatch} {one}"));
    assert_eq!(error(&[("a", Int4)], Int4, "select $2").trim(), "42P02 there is no parameter $2");
    assert_eq!(error(&[("a", Int4)], Int4, "select c").trim(), "42703 column \"c\" does not exist");
    let endless = error(&[("a", Int4)], Int4, "select f(a - 1)");
    assert!(endless.starts_with("54001 stack depth limit exceeded"), "{endless}");
}

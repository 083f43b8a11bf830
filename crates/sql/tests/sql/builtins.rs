use super::*;

#[test]
fn elements_of_a_match_are_named_after_the_function() {
    columns("select (regexp_match(s, 'x'))[1] from t", "regexp_match text");
    check("select (regexp_match(s, '(.)(.)?'))[1] from t order by a, b", &["x", "z", "y", "NULL"]);
    check(
        "select (regexp_split_to_array('a b', ' '))[n] from (values (1), (2), (3)) as v (n)",
        &["a", "b", "NULL"],
    );
}

#[test]
fn arrays_are_columns() {
    check("select regexp_match(s, 'x') from t", &["{x}", "NULL", "NULL", "NULL"]);
    check("select a from t where regexp_match(s, 'x') is not null", &["1"]);
}

#[test]
fn calls_that_no_function_fits_name_their_types() {
    fails("select to_char(true, 'YYYY')", "42883 function to_char(boolean, unknown) does not exist");
    fails("select to_char(a, '9') from t", "0A000 to_char of a number is not supported");
    fails("select to_char('x', 'YYYY')", "42725 function to_char(unknown, unknown) is not unique");
    fails("select 1 ~ 'a'", "42883 operator does not exist: integer ~ unknown");
    fails(
        "select (a)[1] from t",
        "42804 cannot subscript type integer because it does not support subscripting",
    );
}

#[test]
fn patterns_and_templates_may_differ_by_row() {
    check(
        "select regexp_replace('aXbX', p, '-', f) from (values ('X', 'g'), ('x', 'i'), ('x', ''), (null, '')) as v (p, f)",
        &["a-b-", "a-bX", "aXbX", "NULL"],
    );
    check(
        "select to_char(ts, p) from e, (values ('YYYY'), ('MM'), (null)) as v (p)",
        &["2024", "01", "NULL"],
    );
}

#[test]
fn windows_add_two_columns() {
    let moment = "timestamp without time zone";
    let expected = format!("ts {moment}, d date, iv interval, window_start {moment}, window_end {moment}");
    columns("select * from tumble(e, ts, interval '1 day')", &expected);
    check(
        "select window_start, tumble.window_end from tumble((select ts from e), ts, '1 hour')",
        &["2024-01-31 10:00:00|2024-01-31 11:00:00"],
    );
    check(
        "select e.d, w.b from e join table(tumble(table e, descriptor(ts), interval '1' hour)) as w (ts, d, iv, b, e) on e.ts = w.ts",
        &["2024-02-29|2024-01-31 10:00:00"],
    );
}

#[test]
fn hop_keeps_nothing_in_a_view() {
    let hop = "select window_start, d from hop(e, ts, interval '1 minute', interval '150 seconds')";
    let plan = Fixture::new().explain(hop).unwrap();
    assert!(!plan.contains("Join"), "{plan}");
}

#[test]
fn wrong_windows_say_how_to_write_them() {
    let error = Fixture::new().rows("select * from tumble(e, ts)").unwrap_err();
    assert_eq!(
        (error.sqlstate.code(), error.message.as_str()),
        ("42883", "tumble() does not take 2 arguments")
    );
    assert!(error.hint.unwrap().starts_with("Write TUMBLE("));
    fails("select * from tumble(e, x, '1 day')", "42703 column e.x does not exist");
    fails("select * from tumble(e, ts, iv)", "0A000 the intervals of tumble() must be constants");
}

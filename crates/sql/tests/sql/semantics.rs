use super::*;

#[test]
fn integer_arithmetic_is_checked() {
    check("select 7 / 2, -7 / 2, 7 % 3, -7 % 3, 2 - 5", &["3|-3|1|-1|-3"]);
    fails("select 2147483647 + 1", "22003 integer out of range");
    fails("select 9223372036854775807 + 1", "22003 bigint out of range");
    fails("select 32767::smallint + 1::smallint", "22003 smallint out of range");
    fails("select a * 2000000000 from t", "22003 integer out of range");
    fails("select - (-2147483648)::int", "22003 integer out of range");
    check("select -2147483648", &["-2147483648"]);
    check("select 2147483647::bigint + 1", &["2147483648"]);
    fails("select 1 / 0", "22012 division by zero");
    fails("select a / b from t", "22012 division by zero");
    fails("select a % 0 from t", "22012 division by zero");
    fails("select 1.5 / 0", "22012 division by zero");
    fails("select x / 0 from f", "22012 division by zero");
    check("select mod(7, 4), mod(7.5, 2)", &["3|1.5"]);
}

#[test]
fn types_that_show_late_reach_their_operators() {
    check("select coalesce(8, case when true then 1 else 3000000000 end) * 2", &["16"]);
    check(
        "select 2 * case when false then 1 else 3000000000 end, -9 / case when true then 2 else 1.5::real end",
        &["6000000000|-4.5"],
    );
    check(
        "select case when true then 1 else 2.5 end, case when false then 1 else 0.5::float8 end",
        &["1.0|0.5"],
    );
}

#[test]
fn numerics_are_exact() {
    check("select 0.1 + 0.2, 1.5 * 1.5, 2 * 1.25", &["0.3|2.25|2.50"]);
    check("select 1 / 3.0, 2 / 3.0", &["0.33333333333333333333|0.66666666666666666667"]);
    check("select n * 2, n / 2 from u where a = 1", &["3.00|0.75000000000000000000"]);
    check("select 1.005::numeric(10,2), -1.005::numeric(10,2), 2.5::int, 3.5::int", &["1.01|-1.01|3|4"]);
    check("select 2.5::float8::int, 3.5::float8::int", &["2|4"]);
    fails("select 1000::numeric(3,0)", "22003 numeric field overflow");
    check("select 12345678901234567890, 1e3", &["12345678901234567890|1000"]);
}

#[test]
fn null_and_text_literals_take_the_type_of_their_context() {
    check("select a from t where a = '1'", &["1"]);
    check("select a from t where a in ('1', '3') order by a", &["1", "3"]);
    check("select a from t where a between '2' and '2' and b = '0'", &["2"]);
    check("select coalesce(b, '7') from t where a = 3", &["7"]);
    check("select case a when '1' then 5 else '6' end from t order by 1", &["5", "6", "6", "6"]);
    check("select null + 1, null || 'x', 1 = null", &["NULL|NULL|NULL"]);
    check("select d from e where d = '2024-02-29'", &["2024-02-29"]);
    check("select d from e where ts > '2024-01-01' and ts < d", &["2024-02-29"]);
    fails("select a from t where a = 'x'", "22P02 invalid input syntax for type integer: \"x\"");
    fails("select d from e where d = 'x'", "22007 invalid input syntax for type date: \"x\"");
}

#[test]
fn texts() {
    check("select 'a' || 1, 1 || 'a', 'x' || true, 'x' || 1.50", &["a1|1a|xtrue|x1.50"]);
    fails("select 1 || 2", "42883 operator does not exist: integer || integer");
    check("select s from t where s like 'x%' or s ilike 'Y' order by s", &["x", "y"]);
    check("select s from t where s ~ '^[xy]$' order by s", &["x", "y"]);
    check(
        "select upper('a'), length('äb'), substr('hello', 2, 3), trim('  x '), lpad('7', 3, '0')",
        &["A|2|ell|x|007"],
    );
    check(
        "select position('l' in 'hello'), substring('hello' from 2 for 2), replace('aXa', 'X', '-')",
        &["3|el|a-a"],
    );
    check("select s from t order by s", &["x", "y", "z", "NULL"]);
    check("select s from t order by s desc", &["NULL", "z", "y", "x"]);
    check("select x from (values ('a'), ('B'), ('_')) v(x) order by x", &["B", "_", "a"]);
    check(
        "select 'abcdef'::varchar(3), 1.5::text, true::text, 't'::boolean, 'off'::boolean",
        &["abc|1.5|true|true|false"],
    );
}

#[test]
fn casts_fail_as_in_postgres() {
    fails("select 'abc'::int", "22P02 invalid input syntax for type integer: \"abc\"");
    fails("select s::int from t", "22P02 invalid input syntax for type integer: \"x\"");
    fails("select 3000000000::int", "22003 integer out of range");
    fails("select '99999999999'::int", "22003 value \"99999999999\" is out of range for type integer");
    fails("select 1e10::float8::int", "22003 integer out of range");
    check("select 1::boolean, true::int, '5'::int + 1", &["true|1|6"]);
    check("select 0.1::float8, 1e20::float8, 100000::float4, 1.5e-7::float8", &["0.1|1e+20|100000|1.5e-07"]);
}

#[test]
fn conditions_guard_divisions() {
    check("select a from t where b <> 0 and a * 10 / b = 1 order by a", &["1", "2"]);
    check("select a from t where b is null or b = 0 or a * 10 / b = 1 order by a", &["1", "2", "2", "3"]);
    check("select case when b = 0 then -1 else a / b end from t order by a, b", &["0", "-1", "0", "NULL"]);
    check("select a from t where case when b = 0 then false else 100 / b > 5 end order by a", &["1"]);
}

#[test]
fn aggregates() {
    check(
        "select count(*), count(b), sum(b), min(b), max(b), avg(b) from t",
        &["4|3|30|0|20|10.0000000000000000"],
    );
    check("select count(distinct a), sum(distinct a), avg(distinct a) from t", &["3|6|2.0000000000000000"]);
    check("select sum(a), avg(a), count(a) from empty", &["NULL|NULL|0"]);
    check("select a, sum(b) filter (where b > 5) from t group by a order by a", &["1|10", "2|20", "3|NULL"]);
    check("select sum(n), avg(n) from u", &["3.75|1.8750000000000000"]);
    check("select sum(x), avg(x), avg(r) from f", &["2|1|1.5"]);
    check("select avg(a) from u", &["2.3333333333333333"]);
    check("select a % 2, count(*) from t group by a % 2 having count(*) > 1 order by 1", &["0|2", "1|2"]);
    check("select sum(iv), avg(iv) from e", &["1 day 02:00:00|1 day 02:00:00"]);
    check("select s, sum(a) over (order by a, s) from t order by a, s", &["x|1", "y|3", "z|5", "NULL|8"]);
    check(
        "select a, avg(a) over (order by a rows between 1 preceding and current row) from u order by a",
        &["1|1.00000000000000000000", "2|1.5000000000000000", "4|3.0000000000000000"],
    );
    check(
        "select stddev(a) is not null, bool_and(a > 0), string_agg(s, ',' order by s) from t",
        &["true|true|x,y,z"],
    );
    fails("select sum(s) from t", "42883 function sum(text) does not exist");
    fails(
        "select sum(x) from (values (9223372036854775807::bigint::numeric * 20000000000000000000)) v(x)",
        "22003 numeric field overflow",
    );
}

#[test]
fn sums_of_floats_do_not_depend_on_order() {
    check("select sum(x) from (values (1e100::float8), (1.0), (-1e100)) v(x)", &["1"]);
    check("select sum(distinct x) from (values (0.5::float8), (0.5), (1)) v(x)", &["1.5"]);
}

#[test]
fn dates_and_times() {
    check(
        "select ts + interval '1 month', ts - interval '1 day 1 hour' from e",
        &["2024-02-29 10:30:00.5|2024-01-30 09:30:00.5"],
    );
    check(
        "select d + 1, d - 29, d - date '2024-01-01', d + interval '1 hour' from e",
        &["2024-03-01|2024-01-31|59|2024-02-29 01:00:00"],
    );
    check(
        "select ts - timestamp '2024-01-30', iv * 2, iv / 2, -iv from e",
        &["1 day 10:30:00.5|2 days 04:00:00|13:00:00|-1 days -02:00:00"],
    );
    check(
        "select extract(year from ts), extract(month from d), extract(second from ts), extract(epoch from iv) from e",
        &["2024|2|0.500000|93600.000000"],
    );
    check("select date_part('hour', ts), date_trunc('month', ts) from e", &["10|2024-01-01 00:00:00"]);
    check(
        "select extract(dow from d), extract(isodow from d), extract(week from d), extract(quarter from d) from e",
        &["4|4|9|1"],
    );
    check(
        "select timestamptz '2024-01-01 00:00:00+02', timestamp '2024-01-01'::date",
        &["2023-12-31 22:00:00+00|2024-01-01"],
    );
    check("select now() = current_timestamp, now()::date = current_date", &["true|true"]);
    check("select interval '1' day, interval '2 hours'", &["1 day|02:00:00"]);
    fails("select d + 1.5 from e", "42883 operator does not exist: date + numeric");
}

#[test]
fn the_session_answers() {
    check("select current_database(), current_schema(), current_user", &["springtide|public|springtide"]);
    check(
        "select pg_typeof(1), pg_typeof(1.5), pg_typeof('x'::text), pg_typeof(now())",
        &["integer|numeric|text|timestamp with time zone"],
    );
}

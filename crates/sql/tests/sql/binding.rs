use super::*;

#[test]
fn output_columns_are_named_and_typed_as_in_postgres() {
    columns("select 1", "?column? integer");
    columns("select 1, 2", "?column? integer, ?column? integer");
    columns(
        "select 3000000000, 1.5, 'x', true, null",
        "?column? bigint, ?column? numeric(2,1), ?column? text, bool boolean, ?column? text",
    );
    columns("select a, b as bb, t.s from t", "a integer, bb integer, s text");
    columns("select a, a from t", "a integer, a integer");
    columns("select *, a from t", "a integer, b integer, s text, a integer");
    columns(
        "select count(*), count(a), sum(a), sum(b) from t",
        "count bigint, count bigint, sum bigint, sum bigint",
    );
    columns(
        "select sum(c), avg(c), avg(n) from u",
        "sum numeric(38,0), avg numeric(38,16), avg numeric(38,16)",
    );
    columns("select avg(x), sum(r), min(r) from f", "avg double precision, sum double precision, min real");
    columns("select a::bigint, 1::text, cast(b as real) from t", "a bigint, text text, b real");
    columns("select case when a = 1 then 2 else 3 end from t", "case integer");
    columns(
        "select a + b, a + 1.5, c + 1 from t natural join u",
        "?column? integer, ?column? numeric(12,1), ?column? bigint",
    );
    columns(
        "select ts + interval '1 day', d - d, d + 1, ts - ts from e",
        "?column? timestamp without time zone, ?column? integer, ?column? date, ?column? interval",
    );
    columns("select now(), current_date", "now timestamp with time zone, current_date date");
    columns("select (select max(a) from t), exists (select 1 from t)", "max integer, exists boolean");
    columns("select row_number() over (order by a) from t", "row_number bigint");
    columns("values (1, 'a'), (2, 'b')", "column1 integer, column2 text");
    columns("select count from (select count(*) from t) x", "count bigint");
    columns(
        "select extract(year from ts), length(s), upper(s) from e, t",
        "extract numeric(38,0), length integer, upper text",
    );
}

#[test]
fn mistakes_are_named_as_in_postgres() {
    fails("select * from nowhere", "42P01 relation \"nowhere\" does not exist");
    fails("select * from other.t", "42P01 relation \"other.t\" does not exist");
    check("select count(*) from public.t", &["4"]);
    fails("select bb from t", "42703 column \"bb\" does not exist");
    fails("select t.x from t", "42703 column t.x does not exist");
    fails("select z.a from t", "42P01 missing FROM-clause entry for table \"z\"");
    fails("select a from t, u", "42702 column reference \"a\" is ambiguous");
    fails("select frobnicate(1)", "42883 function frobnicate(integer) does not exist");
    fails("select abs('x'::text)", "42883 function abs(text) does not exist");
    fails(
        "select a, b from t group by a",
        "42803 column \"t.b\" must appear in the GROUP BY clause or be used in an aggregate function",
    );
    fails("select a from t where count(*) > 1", "42803 aggregate functions are not allowed in WHERE");
    fails("select sum(count(*)) from t", "42803 aggregate function calls cannot be nested");
    fails("select a from t where a", "42804 argument of WHERE must be type boolean, not type integer");
    fails("select 1 where true and 1", "42804 argument of AND must be type boolean, not type integer");
    fails("select a = s from t", "42883 operator does not exist: integer = text");
    fails("select s + 1 from t", "42883 operator does not exist: text + integer");
    fails("select s like 1 from t", "42883 operator does not exist: text ~~ integer");
    fails("select true::date", "42846 cannot cast type boolean to date");
    fails(
        "select case when true then 1 else s end from t",
        "42804 CASE types integer and text cannot be matched",
    );
    fails("select 1 union select 1, 2", "42601 each UNION query must have the same number of columns");
    fails("select (select a, b from t)", "42601 subquery must return only one column");
    fails("select 1::frob", "42704 type \"frob\" does not exist");
    fails("select * from t order by 7", "42P10 ORDER BY position 7 is not in select list");
    let hint = Fixture::new().bind("select nam from k").unwrap_err().hint;
    assert_eq!(hint.unwrap(), "Perhaps you meant to reference the column \"k.name\".");
}

#[test]
fn parameters_are_inferred() {
    let fixture = Fixture::new();
    let parameters = |sql: &str| fixture.bind(sql).unwrap().parameters();
    assert_eq!(parameters("select * from t where a = $1 and s = $2"), [SqlType::Int4, SqlType::Text]);
    assert_eq!(parameters("select $1"), [SqlType::Text]);
    assert_eq!(parameters("select c + $1 from u"), [SqlType::Int8]);
    assert_eq!(parameters("select * from t where a in ($2, $1)"), [SqlType::Int4, SqlType::Int4]);
    assert_eq!(parameters("select $1::bigint, $2::varchar(3)"), [SqlType::Int8, SqlType::Varchar(None)]);
    let typed = fixture.planner.bind(&query("select $1").unwrap(), &fixture.catalog, &[Some(SqlType::Date)]);
    assert_eq!(typed.unwrap().parameters(), [SqlType::Date]);
    let rows = fixture.rows_with("select b from t where a = $1", &[ScalarValue::from(1_i32)]).unwrap();
    assert_eq!(rows, ["10"]);
}

#[test]
fn dependencies_name_views_and_scans_unfold_them() {
    let mut fixture = Fixture::new();
    fixture.view("v", "select a, count(*) from t group by a");
    let bound = fixture.bind("select v.count from v join u on u.a = v.a").unwrap();
    let id = |name: &str| fixture.catalog.get(name).unwrap().id;
    assert_eq!(bound.depends_on(), [id("u"), id("v")]);
    assert_eq!(bound.relations(), [id("t"), id("u")]);
    let mut rows = fixture.rows("select v.a, v.count from v join u on u.a = v.a").unwrap();
    rows.sort();
    assert_eq!(rows, ["1|1", "2|2"]);
}

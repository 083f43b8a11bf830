use super::*;

/// 2026-01-01 00:00:00+00, in microseconds since 1970.
const NEW_YEAR: i64 = 1_767_225_600_000_000;

const AT: &str = "FOR SYSTEM_TIME AS OF '2026-01-01'";

impl Fixture {
    /// The tables, as they were at the first moment that a query names.
    fn with_past() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.at("t", Time::At(0), vec![0, 2]);
        fixture.at("u", Time::At(0), vec![1]);
        fixture.at("k", Time::At(0), vec![1]);
        fixture
    }

    /// Says that a relation has only these of its rows at a time.
    fn at(&mut self, name: &str, time: Time, rows: Vec<u32>) {
        let relation = self.catalog.get(name).unwrap().id;
        let rows = self.contents[&Scan::present(relation)][0].take(&rows.into());
        self.contents.insert(Scan { relation, time }, vec![rows]);
    }

    fn moments(&self, sql: &str, parameters: &[ScalarValue]) -> Result<Vec<i64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bound = self.bind(sql)?;
        runtime.block_on(self.planner.moments(&bound, parameters))
    }

    /// What a query scans: `t present, u as of 0`.
    fn scans(&self, sql: &str) -> String {
        let bound = self.bind(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let scans = bound.scans().iter().map(|scan| {
            let name = &self.catalog.by_id(scan.relation).unwrap().name;
            match scan.time {
                Time::Present => format!("{name} present"),
                Time::At(moment) => format!("{name} as of {moment}"),
                Time::Changes { after, until } => format!("{name} changes {after:?} {until:?}"),
                Time::Versions { until } => format!("{name} versions {until:?}"),
            }
        });
        scans.collect::<Vec<_>>().join(", ")
    }
}

#[track_caller]
fn check_past(sql: &str, expected: &[&str]) {
    assert_eq!(
        Fixture::with_past().rows(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}")),
        expected,
        "{sql}"
    );
}

#[track_caller]
fn check_moments(moment: &str, expected: i64) {
    let sql = format!("select * from t for system_time as of {moment}");
    let moments = Fixture::new().moments(&sql, &[]).unwrap_or_else(|error| panic!("{moment}: {error:?}"));
    assert_eq!(moments, [expected], "{moment}");
}

#[track_caller]
fn moment_fails(moment: &str, expected: &str) {
    let sql = format!("select * from t for system_time as of {moment}");
    let error = Fixture::new().moments(&sql, &[]).unwrap_err();
    assert_eq!(format!("{} {}", error.sqlstate.code(), error.message), expected, "{moment}");
}

#[test]
fn relations_are_read_as_of_a_moment_wherever_they_stand() {
    check_past(&format!("select a, b from t {AT} order by a"), &["1|10", "3|NULL"]);
    check_past(&format!("select t.a from public.t {AT} where t.b = 10"), &["1"]);
    check_past(&format!("select x.a from T {AT} as x (a, q, r) where q = 10"), &["1"]);
    check_past(&format!("select x.a from t {AT} x where b = 10"), &["1"]);
    check_past(
        &format!("select t.a, t.b, u.c from t join u {AT} on t.a = u.a order by b"),
        &["2|0|200", "2|20|200"],
    );
    check_past(&format!("select a, c from t join u {AT} using (a) order by b"), &["2|200", "2|200"]);
    check_past(
        &format!("select * from (t cross join (u {AT} join k {AT} on u.a = k.id)) where b = 10"),
        &["1|10|x|2|200|2.25|2|two"],
    );
    check_past(&format!("select (select count(*) from t {AT}), count(*) from t"), &["2|4"]);
    check_past(&format!("select count(*) from t where a in (select a from u {AT})"), &["2"]);
    check_past(
        &format!(
            "select a from t where not exists (select 1 from t {AT} as old where old.a = t.a) order by b"
        ),
        &["2", "2"],
    );
    check_past(&format!("with w as (select a from t {AT}) select count(*) from w, w as v"), &["4"]);
    check_past(&format!("select a from t {AT} union all select a from u {AT} order by a"), &["1", "2", "3"]);
    check_past(&format!("select name from k {AT} where id = 1"), &[]);
    check_past(&format!("select name from k {AT} where id = 2"), &["two"]);
}

#[test]
fn two_moments_are_two_relations() {
    let join = format!("from t join t {AT} as old on t.a = old.a and t.b = old.b");
    check_past(&format!("select t.a, old.a {join}"), &["1|1"]);
    check_past(&format!("select (select sum(a) from t) - (select sum(a) from t {AT})"), &["4"]);
    check_past(&format!("select count(*) from (select * from t except all select * from t {AT}) x"), &["2"]);
    let fixture = Fixture::new();
    let two =
        "select * from t for system_time as of '2026-01-02' a, t for system_time as of '2026-01-01' b, t";
    assert_eq!(fixture.scans(two), "t present, t as of 0, t as of 1");
    let moments = fixture.moments(two, &[]).unwrap();
    assert_eq!(moments, [NEW_YEAR + 86_400_000_000, NEW_YEAR]);
    let one = "select * from t for system_time as of now() a, t for system_time as of now() b";
    assert_eq!(fixture.scans(one), "t as of 0");
    fails(&format!("select * from t, t {AT}"), "42712 table name \"t\" specified more than once");
}

#[test]
fn queries_of_with_have_no_past() {
    check_past(&format!("with t as (select a from t {AT}) select count(*) from t"), &["2"]);
    fails(
        &format!("with w as (select 1) select * from w {AT}"),
        "0A000 FOR SYSTEM_TIME AS OF of a query of WITH is not supported",
    );
    fails(
        "with recursive w as (select 1) select * from changes(w)",
        "0A000 changes() of a query of WITH is not supported",
    );
    check_past(&format!("select count(*) from (with w as (select 1) select * from w) x, k {AT}"), &["1"]);
}

#[test]
fn views_are_read_as_of_a_moment_whole() {
    let mut fixture = Fixture::with_past();
    fixture.view("v", "with w as (select a from t) select w.a, u.c from w left join u using (a)");
    fixture.view("outer_v", "select count(*) as n, count(c) as m from v");
    fixture.view("old", &format!("select a from t {AT} as told"));
    fixture.view("mixed", &format!("select t.a from t join k {AT} on a = id"));
    assert_eq!(fixture.rows("select * from outer_v").unwrap(), ["4|3"]);
    assert_eq!(fixture.rows(&format!("select * from outer_v {AT}")).unwrap(), ["2|0"]);
    assert_eq!(fixture.rows("select a from old order by a").unwrap(), ["1", "3"]);
    assert_eq!(fixture.scans("select * from old for system_time as of now()"), "t as of 1");
    assert_eq!(fixture.scans("select * from mixed"), "t present, k as of 0");
    assert_eq!(fixture.scans("select * from mixed for system_time as of now()"), "t as of 0, k as of 1");
    assert_eq!(
        fixture
            .rows(&format!("select v.a, now.c from v {AT} left join v as now using (a) order by a"))
            .unwrap(),
        ["1|100", "3|NULL"]
    );
}

#[test]
fn bodies_of_functions_are_read_as_of_a_moment() {
    let mut fixture = Fixture::with_past();
    fixture.function("rows_before", &[], SqlType::Int8, &format!("select count(*) from t {AT}")).unwrap();
    fixture.function("rows_now", &[], SqlType::Int8, "select count(*) from t").unwrap();
    fixture.view("v", "select rows_before() as b, rows_now() as n");
    assert_eq!(fixture.rows("select * from v").unwrap(), ["2|4"]);
    assert_eq!(fixture.scans("select * from v for system_time as of now()"), "t as of 0, t as of 1");
    for (name, moment) in [("f", "$1"), ("g", "at"), ("h", "h.at")] {
        let body = format!("select count(*) from t for system_time as of {moment}");
        let error = fixture.function(name, &[("at", SqlType::Timestamptz)], SqlType::Int8, &body);
        let message = error.unwrap_err().message;
        assert_eq!(
            message, "a parameter of a function in FOR SYSTEM_TIME AS OF is not supported",
            "{moment}"
        );
    }
}

#[test]
fn moments_are_expressions_without_columns() {
    check_moments("'2026-01-01'", NEW_YEAR);
    check_moments("'2026-01-01 02:00:00+02'", NEW_YEAR);
    check_moments("timestamptz '2026-01-01 00:00:00.000001'", NEW_YEAR + 1);
    check_moments("timestamp '2026-01-01' AS x", NEW_YEAR);
    check_moments("date '2026-01-01' where a = 1", NEW_YEAR);
    check_moments("'2026-01-02'::timestamptz - interval '1 day' as x join u on true", NEW_YEAR);
    check_moments("(date '2025-12-31' + 1)", NEW_YEAR);
    check_moments("timestamp '2026-01-01' at time zone 'UTC' at", NEW_YEAR);
    check_moments("(select timestamptz '2026-01-01')", NEW_YEAR);
    let before =
        Fixture::new().moments("select * from t for system_time as of now() - interval '5 minutes'", &[]);
    assert!(before.unwrap()[0] > NEW_YEAR);
    moment_fails("null", "22004 the moment of FOR SYSTEM_TIME AS OF must not be null");
    moment_fails(
        "'yesterdayish'",
        "22007 invalid input syntax for type timestamp with time zone: \"yesterdayish\"",
    );
    moment_fails("1", "42846 cannot cast type integer to timestamp with time zone");
    moment_fails("a", "42703 column \"a\" does not exist");
    moment_fails("t.a", "42703 column t.a does not exist");
    moment_fails(
        "max(now())",
        "42803 aggregate and window functions are not allowed in FOR SYSTEM_TIME AS OF",
    );
    moment_fails("(select max(ts) from e)", "0A000 a subquery in FOR SYSTEM_TIME AS OF is not supported");
    fails("select * from t timestamp as of now()", "42601 syntax error at or near \"TIMESTAMP\"");
    fails("select * from t for system_time as of '2026-01-01' (1)", "42601 syntax error at or near \"(\"");
    fails("select * from t version as of 1", "42601 syntax error at or near \"VERSION\"");
}

#[test]
fn parameters_of_moments_are_inferred() {
    let fixture = Fixture::new();
    let parameters = |sql: &str| fixture.bind(sql).unwrap().parameters();
    let sql = "select * from t for system_time as of $2 where a = $1";
    assert_eq!(parameters(sql), [SqlType::Int4, SqlType::Timestamptz]);
    assert_eq!(
        parameters("select * from changes(t, $1, $2) where _epoch > $1"),
        [SqlType::Timestamptz, SqlType::Timestamptz]
    );
    let moment = ScalarValue::TimestampMicrosecond(Some(NEW_YEAR), Some("+00:00".into()));
    let moments = fixture.moments(sql, &[ScalarValue::from(1_i32), moment]).unwrap();
    assert_eq!(moments, [NEW_YEAR]);
    let typed = [Some(SqlType::Int4), Some(SqlType::Text)];
    let bound = fixture.planner.bind(&query(sql).unwrap(), &fixture.catalog, &typed).unwrap();
    assert_eq!(bound.parameters(), [SqlType::Int4, SqlType::Text]);
}

#[test]
fn changes_have_the_columns_of_the_relation_and_two_more() {
    columns(
        "select * from changes(t)",
        "a integer, b integer, s text, _epoch timestamp with time zone, _weight bigint",
    );
    columns("select changes.a from changes(public.t)", "a integer");
    columns(
        "select * from changes(k, '2026-01-01') c join k using (id)",
        "id integer, name character varying(5), _epoch timestamp with time zone, _weight bigint, \
         name character varying(5)",
    );
    columns(
        "select c.*, id from changes(\"k\") as c (i, name, _epoch, _weight), k",
        "i integer, name character varying(5), _epoch timestamp with time zone, _weight bigint, id integer",
    );
    columns("select sum(_weight) from changes(t) group by _epoch", "sum numeric(38,0)");
    let fixture = Fixture::new();
    assert_eq!(fixture.scans("select * from changes(t), t"), "t present, t changes None None");
    assert_eq!(
        fixture.scans("select * from changes(t, '2026-01-01', now()), changes(u, '2026-01-01') v"),
        "t changes Some(0) Some(1), u changes Some(0) None"
    );
}

#[test]
fn changes_are_of_tables() {
    let mut fixture = Fixture::new();
    fixture.view("v", "select a from t");
    fixture.view("c", "select a, _weight from changes(t)");
    assert_eq!(fixture.scans("select * from c for system_time as of now()"), "t changes None Some(0)");
    let error = fixture.bind("select * from changes(v)").unwrap_err();
    assert_eq!((error.sqlstate.code(), error.message.as_str()), ("42809", "view \"v\" has no change log"));
    assert!(error.hint.is_some());
    fails("select * from changes(nowhere)", "42P01 relation \"nowhere\" does not exist");
    fails("select * from changes(other.t)", "42P01 relation \"other.t\" does not exist");
    fails("select * from changes()", "42883 changes() does not take these arguments");
    fails("select * from changes(t, now(), now(), 1)", "42883 changes() does not take these arguments");
    fails("select * from changes((select 1))", "42809 changes() takes the name of a relation first");
}

#[test]
fn materialized_views_are_of_the_present() {
    refused(
        &format!("select a from t {AT}"),
        "FOR SYSTEM_TIME AS OF in a materialized view is not supported",
    );
    refused(
        &format!("select a from t where a in (select a from u {AT}) and false"),
        "FOR SYSTEM_TIME AS OF in a materialized view is not supported",
    );
    refused("select a, _weight from changes(t)", "changes() in a materialized view is not supported");
}

#[test]
fn words_of_other_versions_are_names() {
    check("select at.a from t at where at.b = 10", &["1"]);
    check("select before.a from t before, u changes where before.b = changes.c / 10 order by 1", &["1", "2"]);
    check("select timestamp '2026-01-01 10:00' at time zone 'UTC'", &["2026-01-01 10:00:00+00"]);
    fails("select * from \"$as_of_0\".t", "42P01 relation \"$as_of_0.t\" does not exist");
}

#[test]
fn texts_keep_versions_and_aliases() {
    let sql = format!("SELECT x.a FROM t {AT} AS x, u {AT}, (k {AT} y CROSS JOIN t)");
    let printed = printable(query(&sql).unwrap()).unwrap().to_string();
    assert_eq!(
        printed,
        format!(
            "SELECT x.a FROM (SELECT * FROM t {AT}) AS x, u {AT}, ((SELECT * FROM k {AT}) y CROSS JOIN t)"
        )
    );
    query(&printed).unwrap();
}

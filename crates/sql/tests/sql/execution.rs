use super::*;

#[test]
fn weights_are_copies() {
    let mut fixture = Fixture::new();
    weighted(&mut fixture, "k", vec![3, 1]);
    assert_eq!(fixture.rows("select id from k order by id").unwrap(), ["1", "1", "1", "2"]);
    assert_eq!(fixture.rows("select count(*) from k").unwrap(), ["4"]);
}

#[test]
fn queries_of_every_shape() {
    check("select t.s, u.c from t join u on t.a = u.a order by 1", &["x|100", "y|200", "z|200"]);
    check("select u.a, t.s from u left join t on t.a = u.a order by 1, 2", &["1|x", "2|y", "2|z", "4|NULL"]);
    check("select a from t union select a from u order by a", &["1", "2", "3", "4"]);
    check("select a from t union all select a from u order by a limit 3 offset 1", &["1", "2", "2"]);
    check("select a from t intersect select a from u order by a", &["1", "2"]);
    check("select a from u except select a from t", &["4"]);
    check("select a from t where a in (select a from u) order by a", &["1", "2", "2"]);
    check("select a from u where a not in (select a from t)", &["4"]);
    check("select a from u where exists (select 1 from t where t.a = u.a and b > 5) order by a", &["1", "2"]);
    check("select a, (select count(*) from t where t.a = u.a) from u order by a", &["1|1", "2|2", "4|0"]);
    check("select a, (select count(*) from t where t.a < u.a) from u order by a", &["1|0", "2|1", "4|4"]);
    check(
        "select a, (select sum(b) from t where t.a < u.a and b > 5) from u order by a",
        &["1|NULL", "2|10", "4|30"],
    );
    check(
        "select a from u where (select count(*) + u.a from t where t.b * 10 >= u.c) > 3 order by a",
        &["4"],
    );
    check("values ((select max(a) from t)), (7)", &["3", "7"]);
    check("select 42 having 42 > 18", &["42"]);
    check("select 'abc'::char(2) union all select s from t where a = 1 order by 1", &["ab", "x"]);
    check("select 1e3, 1e-3, 1.5e1, -1e2, 1e38 > 0", &["1000|0.001|15|-100|true"]);
    check("select a from u where c = (select max(c) from u)", &["4"]);
    check("with x as (select a + 1 as y from u) select sum(y) from x", &["10"]);
    check("select distinct on (a) a, s from t order by a, s desc", &["1|x", "2|z", "3|NULL"]);
    check(
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 4) select sum(n) from r",
        &["10"],
    );
    check("select a, count(*) from t group by rollup (a) order by a", &["1|1", "2|2", "3|1", "NULL|4"]);
    check("values (1, 'a'), (2, null) order by 1 desc", &["2|NULL", "1|a"]);
    check("select 1 where false", &[]);
    check("select * from t where a = 1 fetch first 1 row only", &["1|10|x"]);
    fails("select (select a from t)", "21000 more than one row returned by a subquery used as an expression");
    check("select a from t intersect all select a from u order by a", &["1", "2"]);
    check("select a from t except all select a from u order by a", &["2", "3"]);
}

#[test]
fn many_tables_joined_by_commas_follow_their_equalities() {
    let mut fixture = Fixture::new();
    let tables = 40;
    for table in 1..=tables {
        let rows = (1..=10).map(|row| format!("{row},{}", row % 10 + 1)).collect::<Vec<_>>().join("|");
        fixture.table(
            &format!("j{table}"),
            &[(&format!("a{table}"), SqlType::Int4), (&format!("b{table}"), SqlType::Int4)],
            None,
            &rows,
        );
    }
    // Listed so that neighbours in FROM share no condition.
    let order = (1..=tables).map(|table| table * 7 % 41).collect::<Vec<_>>();
    let from = order.iter().map(|table| format!("j{table}")).collect::<Vec<_>>().join(", ");
    let conditions =
        (1..tables).map(|table| format!("a{} = b{table}", table + 1)).collect::<Vec<_>>().join(" and ");
    let started = std::time::Instant::now();
    let rows =
        fixture.rows(&format!("select a1, b{tables} from {from} where {conditions} and a1 = 3")).unwrap();
    assert_eq!(rows, ["3|3"]);
    assert!(started.elapsed().as_secs() < 20, "planning took {:?}", started.elapsed());
}

#[test]
fn large_inputs_run_in_parallel_and_keep_their_order() {
    let mut fixture = Fixture::new();
    let rows = (0..200_000).rev().map(|row| format!("{row}")).collect::<Vec<_>>().join("|");
    fixture.table("big", &[("i", SqlType::Int4)], None, &rows);
    let found = fixture.rows("select i from big order by i limit 3").unwrap();
    assert_eq!(found, ["0", "1", "2"]);
    let found = fixture.rows("select sum(i), avg(i), count(*), sum(i::float8 / 10) from big").unwrap();
    assert_eq!(found, ["19999900000|99999.500000000000|200000|1999990000"]);
    let found = fixture.rows("select i % 3, sum(i::float8) from big group by 1 order by 1").unwrap();
    assert_eq!(found, ["0|6666633333", "1|6666700000", "2|6666566667"].map(str::to_owned));
}

use super::*;

#[test]
fn rows_and_columns() {
    plan(
        "select a, b + 1 as c from t where s = 'x'",
        r"
        Project a@0, +(b@1, 1) AS c
          -> Filter s@2 = x
            -> Source t [a, b, s]
        ",
    );
    plan(
        "select * from t where a in (1, 2) or b is null",
        r"
        Filter a@0 = 1 OR a@0 = 2 OR b@1 IS NULL
          -> Source t [a, b, s]
        ",
    );
    plan(
        "select 1 as one, 'x' as x",
        r"
        Constant (1 rows)
        ",
    );
    plan(
        "values (1, 'a'), (2, null)",
        r"
        Constant (2 rows)
        ",
    );
    plan(
        "select a from t order by b",
        r"
        Project a@0
          -> Source t [a, b]
        ",
    );
    plan(
        "select a from t union all select a + 1 from u",
        r"
        UnionAll (2 inputs)
          -> Source t [a]
          -> Project +(a@0, 1) AS a
            -> Source u [a]
        ",
    );
    plan(
        "select a from t union select c from u",
        r"
        Distinct
          -> UnionAll (2 inputs)
            -> Project CAST(a@0 AS Int64) AS a
              -> Source t [a]
            -> Project c@0 AS a
              -> Source u [c]
        ",
    );
    plan(
        "select distinct a, s from t",
        r"
        Distinct
          -> Source t [a, s]
        ",
    );
    plan(
        "select distinct id, name from k",
        r"
        Source k [id, name]
        ",
    );
    plan(
        "select lower(s) as l from t",
        r"
        Project lower(s@0) AS l
          -> Source t [s]
        ",
    );
}

#[test]
fn joins() {
    plan(
        "select t.s, u.c from t join u on t.a = u.a where u.c > 5",
        r"
        Project s@1, c@3
          -> InnerJoin a = a
            -> Source t [a, s]
            -> Filter c@1 > 5
              -> Source u [a, c]
        ",
    );
    plan(
        "select t.s, k.name from t, u, k where t.a = u.a and u.a = k.id and t.b < k.id",
        r"
        Project s@1, name@4
          -> InnerJoin a = id filter b@0 < id@3
            -> Project b@1, s@2, a@3
              -> InnerJoin a = a filter b@1 < a@3
                -> Filter b@1 < a@0
                  -> Source t [a, b, s]
                -> Source u [a]
            -> Source k [id, name]
        ",
    );
    plan(
        "select t.s from t join u on t.a + 1 = u.c",
        r"
        Project s@1
          -> InnerJoin left key 0 = c
            -> Project a@0, s@1, CAST(+(a@0, 1) AS Int64) AS left key 0
              -> Source t [a, s]
            -> Source u [c]
        ",
    );
    plan(
        "select t.s from t, u",
        r"
        Project s@0
          -> CrossJoin
            -> Source t [s]
            -> Source u [a]
        ",
    );
    plan(
        "select count(*) from t, u",
        r"
        Project count(Int64(1))@0 AS count
          -> GroupBy [] count(*)
            -> CrossJoin
              -> Source t [a]
              -> Source u [a]
        ",
    );
    plan(
        "select s from t where a in (select a from u)",
        r"
        Project s@1
          -> SemiJoin a = a
            -> Source t [a, s]
            -> Source u [a]
        ",
    );
    plan(
        "select s from t where exists (select 1 from u where u.a = t.a)",
        r"
        Project s@1
          -> SemiJoin a = a
            -> Source t [a, s]
            -> Source u [a]
        ",
    );
    plan(
        "select s from t where exists (select 1 from u)",
        r"
        SemiJoin
          -> Source t [s]
          -> Source u [a]
        ",
    );
    plan(
        "select s from t where b > (select avg(c) from u)",
        r"
        Project s@1
          -> CrossJoin filter CAST(b@0 AS Decimal128(38, 16)) > avg@2
            -> Source t [b, s]
            -> Project average of(sum(u.c)@0, count(u.c)@1) AS avg
              -> GroupBy [] sum(c), count(c)
                -> Source u [c]
        ",
    );
    plan(
        "select s, (select max(c) from u) as m from t",
        r"
        Project s@0, max@1 AS m
          -> CrossJoin
            -> Source t [s]
            -> Project max(u.c)@0 AS max
              -> GroupBy [] max(c)
                -> Source u [c]
        ",
    );
    plan(
        "select s from t where b > (select sum(c) from u where u.a = t.a)",
        r"
        Project s@2
          -> InnerJoin a = a filter CAST(b@1 AS Decimal128(38, 0)) > sum@3
            -> Source t [a, b, s]
            -> Project sum(u.c)@2 AS sum, a@0
              -> GroupBy [a, __always_true] sum(c)
                -> Project a@0, true AS __always_true, c@1
                  -> Source u [a, c]
        ",
    );
    plan(
        "select a from t intersect select a from u",
        r"
        SemiJoin a IS NOT DISTINCT FROM a
          -> Distinct
            -> Source t [a]
          -> Source u [a]
        ",
    );
    plan(
        "select t.a from t left join u on t.a = u.a where u.c > 1",
        r"
        Project a@0
          -> InnerJoin a = a
            -> Source t [a]
            -> Project a@0
              -> Filter c@1 > 1
                -> Source u [a, c]
        ",
    );
}

#[test]
fn outer_joins() {
    plan(
        "select t.s, u.c from t left join u on t.a = u.a",
        r"
        Project s@1, c@3
          -> LeftJoin a = a
            -> Source t [a, s]
            -> Source u [a, c]
        ",
    );
    plan(
        "select t.s, u.c from t right join u on t.a = u.a and u.c > 5",
        r"
        Project s@1, c@3
          -> RightJoin a = a filter c@3 > 5
            -> Source t [a, s]
            -> Source u [a, c]
        ",
    );
    plan(
        "select t.s, u.c from t full join u on t.a = u.a and t.b < u.c",
        r"
        Project s@2, c@4
          -> FullJoin a = a filter CAST(b@1 AS Int64) < c@4
            -> Source t [a, b, s]
            -> Source u [a, c]
        ",
    );
    plan(
        "select t.s, u.c from t left join u on t.b < u.c",
        r"
        Project s@1, c@2
          -> LeftJoin filter CAST(b@0 AS Int64) < c@2
            -> Source t [b, s]
            -> Source u [c]
        ",
    );
}

#[test]
fn existence() {
    plan(
        "select a from t where not exists (select 1 from u where u.a = t.a)",
        r"
        AntiJoin a = a
          -> Source t [a]
          -> Source u [a]
        ",
    );
    plan(
        "select a from t where exists (select 1 from u where u.a = t.a and u.c > t.b)",
        r"
        Project a@0
          -> SemiJoin a = a filter c@3 > CAST(b@1 AS Int64)
            -> Source t [a, b]
            -> Source u [a, c]
        ",
    );
    plan(
        "select a from t where a in (select a from u) or b = 1",
        r"
        Project a@0
          -> Filter mark@2 OR b@1 = 1
            -> MarkJoin a = a
              -> Source t [a, b]
              -> Source u [a]
        ",
    );
    plan(
        "select a from t where a not in (select a from u)",
        r"
        Project a@0
          -> AntiJoin left key 0 = right key 0
            -> Project a@0, a@0 IS NULL AS left key 0
              -> AntiJoin
                -> AntiJoin a = __member
                  -> Source t [a]
                  -> Project a@0 AS __member
                    -> Source u [a]
                -> Filter a@0 IS NULL
                  -> Source u [a]
            -> Project a@0 AS unused right column 0, true AS right key 0
              -> Source u [a]
        ",
    );
}

#[test]
fn set_operations() {
    plan(
        "select a from t except select a from u",
        r"
        AntiJoin a IS NOT DISTINCT FROM a
          -> Distinct
            -> Source t [a]
          -> Source u [a]
        ",
    );
    plan(
        "select a from t except all select c from u",
        r"
        Project CAST(column 0@0 AS Int32) AS a
          -> ExceptAll
            -> Project CAST(a@0 AS Int64) AS column 0
              -> Source t [a]
            -> Project c@0 AS column 0
              -> Source u [c]
        ",
    );
}

#[test]
fn correlated_subqueries() {
    plan(
        "select s, (select max(c) from u where u.a = t.a) as m from t",
        r"
        Project s@1, max@2 AS m
          -> LeftJoin a = a
            -> Source t [a, s]
            -> Project max(u.c)@2 AS max, a@0
              -> GroupBy [a, __always_true] max(c)
                -> Project a@0, true AS __always_true, c@1
                  -> Source u [a, c]
        ",
    );
    plan(
        "select s, (select count(*) from u where u.c < t.b) as n from t",
        r"
        Project s@1, __value_4@2 AS n
          -> InnerJoin b IS NOT DISTINCT FROM __key_2
            -> Source t [b, s]
            -> Project count(Int64(1))@1 AS __value_4, __key_2@0
              -> GroupBy [__key_2] count(*) filter __matched_3
                -> UnionAll (2 inputs)
                  -> Project __key_2@1, true AS __matched_3
                    -> CrossJoin filter c@0 < CAST(__key_2@1 AS Int64)
                      -> Source u [c]
                      -> Distinct
                        -> Project b@0 AS __key_2
                          -> Source t [b]
                  -> Project __key_2@0, false AS __matched_3
                    -> Distinct
                      -> Project b@0 AS __key_2
                        -> Source t [b]
        ",
    );
}

#[test]
fn aggregates() {
    plan(
        "select a, count(*), sum(b), min(s), max(b) from t group by a",
        r"
        Project a@0, count(Int64(1))@1 AS count, sum(t.b)@2 AS sum, min(t.s)@3 AS min, max(t.b)@4 AS max
          -> GroupBy [a] count(*), sum(b), min(s), max(b)
            -> Source t [a, b, s]
        ",
    );
    plan(
        "select count(*) from t",
        r"
        Project count(Int64(1))@0 AS count
          -> GroupBy [] count(*)
            -> Source t [a]
        ",
    );
    plan(
        "select avg(b) as m from t",
        r"
        Project average of(sum(t.b)@0, count(t.b)@1) AS m
          -> GroupBy [] sum(b), count(b)
            -> Source t [b]
        ",
    );
    plan(
        "select a % 2 as p, sum(b + 1) filter (where s = 'x') as f, count(distinct s) as d from t group by a % 2",
        r#"
        Project t.a % Int64(2)@0 AS p, sum(t.b + Int64(1)) FILTER (WHERE t.s = Utf8("x"))@1 AS f, count(DISTINCT t.s)@2 AS d
          -> GroupBy [t.a % Int64(2)] sum(t.b + Int32(1)) filter t.s = Utf8("x"), count(distinct s)
            -> Project %(a@0, 2) AS t.a % Int64(2), +(b@1, 1) AS t.b + Int32(1), s@2 = x AS t.s = Utf8("x"), s@2
              -> Source t [a, b, s]
        "#,
    );
    plan(
        "select a from t group by a having count(*) > 1",
        r"
        Project a@0
          -> Filter count(Int64(1))@1 > 1
            -> GroupBy [a] count(*)
              -> Source t [a]
        ",
    );
    plan(
        "select count(a), count(1), sum(distinct b) from t",
        r"
        Project count(t.a)@0 AS count, count(Int64(1))@1 AS count, sum(DISTINCT t.b)@2 AS sum
          -> GroupBy [] count(a), count(*), sum(distinct b)
            -> Source t [a, b]
        ",
    );
}

#[test]
fn first_rows() {
    plan(
        "select a, s from (select a, b, s, row_number() over (partition by a order by b desc) as n from t) as r
         where n <= 3 and s <> 'x'",
        r"
        Project a@0, s@2
          -> Filter s@2 != x
            -> TopK 3 by [a] order [b DESC, s] with rank
              -> Source t [a, b, s]
        ",
    );
    plan(
        "select a from (select a, row_number() over (partition by a order by s) as n from t) as r where n = 1",
        r"
        Project a@0
          -> TopK 1 by [a] order [s]
            -> Source t [a, s]
        ",
    );
    plan(
        "select s from t order by b limit 2 offset 1",
        r"
        Project s@0
          -> TopK 2 offset 1 order [b, s]
            -> Project s@1, b@0
              -> Source t [b, s]
        ",
    );
}

#[test]
fn refusals() {
    refused("select now() from t", "now() in a materialized view is not supported");
    refused("select random() from t", "random() in a materialized view is not supported");
    refused(
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 4) select n from r",
        "WITH RECURSIVE in a materialized view is not supported",
    );
}

use super::*;

#[test]
fn parameters_may_stand_in_the_condition() {
    let fixture = Fixture::new();
    let sql = "select t.a, t.b, u.c from t asof left join u match_condition (t.a >= u.a + $1) on u.c < $2 order by 1, 2";
    assert_eq!(fixture.bind(sql).unwrap().parameters(), [SqlType::Int4, SqlType::Int8]);
    let rows = fixture.rows_with(sql, &[ScalarValue::from(1_i32), ScalarValue::from(150_i64)]).unwrap();
    assert_eq!(rows, ["1|10|NULL", "2|0|100", "2|20|100", "3|NULL|100"]);
    let sql = "select t.a from t asof join u on t.a >= u.a and t.a - u.a <= $1 order by 1";
    let rows = fixture.rows_with(sql, &[ScalarValue::from(0_i32)]).unwrap();
    assert_eq!(rows, ["1", "2", "2"]);
}

#[test]
fn columns_are_those_of_both_sides() {
    columns(
        "select * from t asof join u on t.a >= u.c",
        "a integer, b integer, s text, a integer, c bigint, n numeric(10,2)",
    );
    columns(
        "select * from t asof left join u using (a)",
        "a integer, b integer, s text, c bigint, n numeric(10,2)",
    );
    fails("select a from t asof join u on t.a >= u.a", "42702 column reference \"a\" is ambiguous");
    fails("select 1 from t asof join t on t.a >= t.a", "42712 table name \"t\" specified more than once");
}

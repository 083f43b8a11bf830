//! A real driver, with binary parameters and results.

use std::time::{Duration, SystemTime};

use crate::common::Server;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value as its binary bytes, for types that the driver has no type for.
#[derive(Debug, PartialEq, Clone)]
struct Binary(Vec<u8>);

impl<'a> FromSql<'a> for Binary {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Binary, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Binary(bytes.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Binary {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn words(words: &[i16]) -> Binary {
    Binary(words.iter().flat_map(|word| word.to_be_bytes()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_there_and_back() {
    let server = Server::start().await;
    let client = server.connect().await;
    client
        .batch_execute(
            "CREATE TABLE t (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, s text, v varchar(9), \
             ts timestamp, tz timestamptz, d date, n numeric(12,3), iv interval, by bytea)",
        )
        .await
        .unwrap();
    let insert = client
        .prepare("INSERT INTO t VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)")
        .await
        .unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    let date = Binary(8_825_i32.to_be_bytes().to_vec());
    let numeric = words(&[2, 0, 0x4000, 3, 123, 4560]);
    let interval =
        Binary([&5_000_001_i64.to_be_bytes()[..], &(-3_i32).to_be_bytes(), &14_i32.to_be_bytes()].concat());
    let values: [&(dyn ToSql + Sync); 14] = [
        &true,
        &-7_i16,
        &70_000_i32,
        &i64::MIN,
        &1.25_f32,
        &-0.1_f64,
        &"naïve ☃",
        &"short",
        &time,
        &time,
        &date,
        &numeric,
        &interval,
        &&b"\x00\\\xff"[..],
    ];
    assert_eq!(client.execute(&insert, &values).await.unwrap(), 1);
    let nulls: [&(dyn ToSql + Sync); 14] = [&None::<Binary>; 14];
    assert_eq!(client.execute(&insert, &nulls).await.unwrap(), 1);

    let row = client.query_one("SELECT * FROM t WHERE b", &[]).await.unwrap();
    assert!(row.get::<_, bool>("b"));
    assert_eq!(row.get::<_, i16>("i2"), -7);
    assert_eq!(row.get::<_, i32>("i4"), 70_000);
    assert_eq!(row.get::<_, i64>("i8"), i64::MIN);
    assert_eq!(row.get::<_, f32>("f4"), 1.25);
    assert_eq!(row.get::<_, f64>("f8"), -0.1);
    assert_eq!(row.get::<_, &str>("s"), "naïve ☃");
    assert_eq!(row.get::<_, &str>("v"), "short");
    assert_eq!(row.get::<_, SystemTime>("ts"), time);
    assert_eq!(row.get::<_, SystemTime>("tz"), time);
    assert_eq!(row.get::<_, Binary>("d"), date);
    assert_eq!(row.get::<_, Binary>("n"), numeric);
    assert_eq!(row.get::<_, Binary>("iv"), interval);
    assert_eq!(row.get::<_, &[u8]>("by"), b"\x00\\\xff");

    let row = client.query_one("SELECT * FROM t WHERE b IS NULL", &[]).await.unwrap();
    for column in 0..14 {
        assert_eq!(row.get::<_, Option<Binary>>(column), None);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_go_there_and_back() {
    let server = Server::start().await;
    let client = server.connect().await;
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, i int[], s text[], v varchar(3)[], f float8[], n numeric(5,2)[])",
        )
        .await
        .unwrap();
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6)").await.unwrap();
    let types = [
        Type::INT4,
        Type::INT4_ARRAY,
        Type::TEXT_ARRAY,
        Type::VARCHAR_ARRAY,
        Type::FLOAT8_ARRAY,
        Type::NUMERIC_ARRAY,
    ];
    assert_eq!(insert.params(), types);
    let texts = vec![Some("a,b"), None, Some("")];
    let numerics = vec![words(&[2, 0, 0x4000, 2, 123, 4500])];
    let (integers, varchars, floats) = (vec![1_i32, -2], vec!["abc"], vec![0.5_f64]);
    let values: [&(dyn ToSql + Sync); 6] = [&1_i32, &integers, &texts, &varchars, &floats, &numerics];
    assert_eq!(client.execute(&insert, &values).await.unwrap(), 1);
    let (none, no_text) = (Vec::<i32>::new(), None::<Vec<&str>>);
    let empty: [&(dyn ToSql + Sync); 6] =
        [&2_i32, &none, &no_text, &no_text, &None::<Vec<f64>>, &None::<Vec<Binary>>];
    assert_eq!(client.execute(&insert, &empty).await.unwrap(), 1);

    let rows = client.query("SELECT * FROM t ORDER BY id", &[]).await.unwrap();
    assert_eq!(rows[0].columns().iter().map(|column| column.type_().clone()).collect::<Vec<_>>(), types);
    assert_eq!(rows[0].get::<_, Vec<i32>>("i"), [1, -2]);
    assert_eq!(rows[0].get::<_, Vec<Option<&str>>>("s"), texts);
    assert_eq!(rows[0].get::<_, Vec<&str>>("v"), ["abc"]);
    assert_eq!(rows[0].get::<_, Vec<f64>>("f"), [0.5]);
    assert_eq!(rows[0].get::<_, Vec<Binary>>("n"), numerics);
    assert_eq!(rows[1].get::<_, Vec<i32>>("i"), Vec::<i32>::new());
    assert_eq!(rows[1].get::<_, Option<Vec<&str>>>("s"), None);

    let (ids, wanted) = (vec![1_i32, 7], vec![1_i32]);
    let rows =
        client.query("SELECT id FROM t WHERE id = ANY ($1) AND i @> $2", &[&ids, &wanted]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
    let sql = "SELECT $1::int[] || 4, ($1::int[])[$2], ARRAY[$3, 1]";
    let row = client.query_one(sql, &[&vec![3_i32], &1_i32, &2_i32]).await.unwrap();
    assert_eq!((row.get::<_, Vec<i32>>(0), row.get::<_, i32>(1)), (vec![3, 4], 3));
    assert_eq!(row.get::<_, Vec<i32>>(2), [2, 1]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_error_fields() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.batch_execute("CREATE TABLE t (i int PRIMARY KEY)").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES ($1)", &[&1_i32]).await.unwrap();
    let error = transaction.execute("INSERT INTO t VALUES ($1)", &[&1_i32]).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "23505");
    assert_eq!(error.severity(), "ERROR");
    assert!(error.message().starts_with("duplicate key value violates unique constraint"), "{error}");
    assert_eq!(error.detail(), Some("Key (i)=(1) already exists."));
    transaction.rollback().await.unwrap();
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 0);

    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES ($1)", &[&2_i32]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(client.query_one("SELECT i FROM t", &[]).await.unwrap().get::<_, i32>(0), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_pipelined_queries() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (i int PRIMARY KEY)").await.unwrap();
    let statement = client.prepare("INSERT INTO t VALUES ($1)").await.unwrap();
    let inserts = (0..200_i32).map(|i| {
        let (client, statement) = (&client, &statement);
        async move { client.execute(statement, &[&i]).await }
    });
    for inserted in futures::future::join_all(inserts).await {
        assert_eq!(inserted.unwrap(), 1);
    }
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_stream() {
    let server = Server::start().await;
    let client = server.connect().await;
    let rows = client
        .query("SELECT n::bigint, 'row ' || n FROM generate_series(1, 100000) AS n", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 100_000);
    assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).sum::<i64>(), 5_000_050_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cast_types_its_parameter() {
    let server = Server::start().await;
    let client = server.connect().await;
    let statement = client.prepare("SELECT $1::int + 1, $2::date, $3::varchar(3), $4").await.unwrap();
    assert_eq!(statement.params(), [Type::INT4, Type::DATE, Type::VARCHAR, Type::TEXT]);
    let row = client.query_one("SELECT $1::int + 1, $2::varchar(3)", &[&41_i32, &"abcdef"]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (42, "abc"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn varchar_columns_say_so() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (v varchar(5), x text)").await.unwrap();
    client.batch_execute("CREATE MATERIALIZED VIEW m AS SELECT v, count(*) FROM t GROUP BY v").await.unwrap();
    client.batch_execute("CREATE VIEW w AS SELECT v AS z FROM m WHERE v > 'a'").await.unwrap();
    let types = async |sql: &str| {
        let statement = client.prepare(sql).await.unwrap();
        statement.columns().iter().map(|column| column.type_().clone()).collect::<Vec<_>>()
    };
    let found = types("SELECT t.v, x, v || x, max(v) OVER (), x::varchar(2) FROM t ORDER BY v LIMIT 1").await;
    assert_eq!(found, [Type::VARCHAR, Type::TEXT, Type::TEXT, Type::TEXT, Type::VARCHAR]);
    assert_eq!(types("SELECT DISTINCT z FROM w UNION ALL SELECT v FROM t").await, [Type::VARCHAR]);
    assert_eq!(types("SELECT v FROM t UNION ALL SELECT x FROM t").await, [Type::TEXT]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_from_what_writes_them() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (id int PRIMARY KEY, n bigint, s text)").await.unwrap();
    let upsert = client
        .prepare(
            "INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = t.n + excluded.n, s = $4 RETURNING n, s",
        )
        .await
        .unwrap();
    assert_eq!(upsert.params(), [Type::INT4, Type::INT8, Type::TEXT, Type::TEXT]);
    for (expected, text) in [(10_i64, "new"), (20, "again"), (30, "again")] {
        let row = client.query_one(&upsert, &[&1_i32, &10_i64, &"new", &"again"]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (expected, text));
    }
    let rows = client.query("UPDATE t SET n = n * $1 RETURNING n + $2", &[&2_i64, &1_i64]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>(0), 61);
    assert_eq!(client.execute("DELETE FROM t WHERE id = $1 RETURNING id", &[&1_i32]).await.unwrap(), 1);
}

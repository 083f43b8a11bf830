//! Rows by their key, which is a parameter.

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::common::Server;

/// The first column of the rows.
async fn ask(client: &Client, sql: &str, of_type: Type, key: &(dyn ToSql + Sync)) -> Vec<i64> {
    let statement = client.prepare_typed(sql, &[of_type]).await.unwrap();
    let rows = client.query(&statement, &[key]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn prepared(server: &Server) -> Client {
    let client = server.connect().await;
    let schema = "CREATE TABLE t (id bigint PRIMARY KEY, small smallint NOT NULL, name text NOT NULL, price numeric(10, 2));
        INSERT INTO t VALUES (1, 1, 'one', 1.5), (2, 2, 'two', 2.5), (3, 2, 'three', 3.5);
        CREATE MATERIALIZED VIEW by_small AS SELECT small, count(*) AS n FROM t GROUP BY small;
        CREATE MATERIALIZED VIEW by_name AS SELECT name, max(id) AS id FROM t GROUP BY name";
    client.batch_execute(schema).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_have_another_type_than_its_column() {
    let server = Server::start().await;
    let client = prepared(&server).await;
    let by_id = "SELECT id FROM t WHERE id = $1";
    assert_eq!(ask(&client, by_id, Type::INT8, &2_i64).await, [2]);
    assert_eq!(ask(&client, by_id, Type::INT4, &2_i32).await, [2]);
    assert_eq!(ask(&client, by_id, Type::INT2, &2_i16).await, [2]);
    assert_eq!(ask(&client, by_id, Type::FLOAT8, &2.0_f64).await, [2]);
    assert_eq!(ask(&client, by_id, Type::FLOAT8, &2.5_f64).await, [0_i64; 0]);
    assert_eq!(ask(&client, by_id, Type::INT8, &None::<i64>).await, [0_i64; 0]);
    assert_eq!(ask(&client, "SELECT id FROM t WHERE id = $1::int4", Type::INT4, &3_i32).await, [3]);
    let by_small = "SELECT n FROM by_small WHERE small = $1";
    assert_eq!(ask(&client, by_small, Type::INT2, &2_i16).await, [2]);
    assert_eq!(ask(&client, by_small, Type::INT8, &2_i64).await, [2]);
    assert_eq!(ask(&client, by_small, Type::INT8, &(2_i64 + (1 << 40))).await, [0_i64; 0]);
    let by_name = "SELECT id FROM by_name WHERE name = $1";
    assert_eq!(ask(&client, by_name, Type::TEXT, &"two").await, [2]);
    assert_eq!(ask(&client, by_name, Type::VARCHAR, &"three").await, [3]);
    assert_eq!(ask(&client, by_name, Type::TEXT, &"").await, [0_i64; 0]);
    let error = client.query("SELECT id FROM t WHERE id = $1::text::int4", &[&"2x"]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22P02");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_read_follows_what_happens() {
    let server = Server::start().await;
    let (client, other) = (prepared(&server).await, server.connect().await);
    let by_small = client.prepare("SELECT n FROM by_small WHERE small = $1").await.unwrap();
    let count = async |key: i16| {
        client.query_opt(&by_small, &[&key]).await.map(|row| row.map(|row| row.get::<_, i64>(0)))
    };
    assert_eq!(count(2).await.unwrap(), Some(2));
    for id in 4..100_i64 {
        other.execute("INSERT INTO t VALUES ($1, 2, 'more', NULL)", &[&id]).await.unwrap();
        assert_eq!(count(2).await.unwrap(), Some(id - 1));
    }
    // In a transaction, own writes show, and those of others do not.
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(count(2).await.unwrap(), Some(98));
    other.batch_execute("DELETE FROM t WHERE id = 50").await.unwrap();
    assert_eq!(count(2).await.unwrap(), Some(98));
    client.batch_execute("ROLLBACK; BEGIN; DELETE FROM t WHERE id = 1").await.unwrap();
    assert_eq!(count(1).await.unwrap(), None);
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!((count(1).await.unwrap(), count(2).await.unwrap()), (Some(1), Some(97)));
    // Another view of the name.
    other.batch_execute("DROP MATERIALIZED VIEW by_small").await.unwrap();
    assert!(count(2).await.is_err());
    let again = "CREATE MATERIALIZED VIEW by_small AS SELECT small, count(*) * 10 AS n FROM t GROUP BY small";
    other.batch_execute(again).await.unwrap();
    assert_eq!(count(2).await.unwrap(), Some(970));
    server.stop().await;
}

//! COPY FROM STDIN: text and CSV, with views that follow, and what goes wrong.

use bytes::Bytes;
use futures::SinkExt;
use springtide_sql_tests::server::Server;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

async fn copy(client: &Client, sql: &str, data: &str) -> Result<u64, Error> {
    let mut sink = Box::pin(client.copy_in(sql).await?);
    // In small pieces, so that lines and even characters are cut in two.
    for piece in data.as_bytes().chunks(7) {
        sink.send(Bytes::copy_from_slice(piece)).await?;
    }
    sink.as_mut().finish().await
}

async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.expect("the query runs");
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|column| row.get(column).unwrap_or("NULL").to_owned())
                .collect::<Vec<_>>()
                .join("|"),
        ),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

async fn start() -> (Server, Client) {
    let server = Server::start(2).await;
    let client = server.connect().await;
    let schema = [
        "CREATE TABLE t (id integer PRIMARY KEY, name text, price numeric(10,2), day date DEFAULT '2024-01-01')",
        "CREATE MATERIALIZED VIEW v AS SELECT name, count(*) AS n, sum(price) AS total FROM t GROUP BY name",
    ];
    for statement in schema {
        client.batch_execute(statement).await.expect("the schema is fine");
    }
    (server, client)
}

fn state(outcome: Result<u64, Error>) -> String {
    outcome.expect_err("it must fail").code().expect("the server says why").code().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_format() {
    let (server, client) = start().await;
    let data = "1\tnaïve ☃\t1.50\t2024-02-29\n2\t\\N\t\\N\t\\N\n3\ttab\\there\\\\\t-2\t1999-12-31\n4\t\t0\t2024-01-01\n";
    assert_eq!(copy(&client, "COPY t FROM STDIN", data).await.expect("good lines"), 4);
    assert_eq!(
        rows(&client, "SELECT * FROM t ORDER BY id").await,
        [
            "1|naïve ☃|1.50|2024-02-29",
            "2|NULL|NULL|NULL",
            "3|tab\there\\|-2.00|1999-12-31",
            "4||0.00|2024-01-01"
        ]
    );
    assert_eq!(copy(&client, "COPY t (id, name) FROM STDIN", "5\tnaïve ☃\n").await.expect("two columns"), 1);
    assert_eq!(rows(&client, "SELECT day FROM t WHERE id = 5").await, ["2024-01-01"]);
    assert_eq!(rows(&client, "SELECT n, total FROM v WHERE name = 'naïve ☃'").await, ["2|1.50"]);
    assert_eq!(
        copy(&client, "COPY t FROM STDIN WITH (DELIMITER '|', NULL 'nil')", "6|nil|nil|nil\n")
            .await
            .expect("options"),
        1
    );
    assert_eq!(rows(&client, "SELECT * FROM t WHERE id = 6").await, ["6|NULL|NULL|NULL"]);
    assert_eq!(copy(&client, "COPY t FROM STDIN", "").await.expect("no lines"), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_format() {
    let (server, client) = start().await;
    let data = "id,name,price,day\n1,\"a, \"\"quoted\"\" name\",1.5,2024-02-29\n2,,,\n3,\"\",2,1999-12-31\n4,\"two\nlines\",3,2024-01-01\n";
    let sql = "COPY t FROM STDIN WITH (FORMAT csv, HEADER true)";
    assert_eq!(copy(&client, sql, data).await.expect("good lines"), 4);
    assert_eq!(
        rows(&client, "SELECT * FROM t ORDER BY id").await,
        [
            "1|a, \"quoted\" name|1.50|2024-02-29",
            "2|NULL|NULL|NULL",
            "3||2.00|1999-12-31",
            "4|two\nlines|3.00|2024-01-01"
        ]
    );
    assert_eq!(
        copy(&client, "COPY t (id, name) FROM STDIN CSV DELIMITER ';'", "9;z\n").await.expect("old options"),
        1
    );
    assert_eq!(rows(&client, "SELECT name, day FROM t WHERE id = 9").await, ["z|2024-01-01"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_leaves_nothing_behind() {
    let (server, client) = start().await;
    client.batch_execute("INSERT INTO t (id, name) VALUES (1, 'first')").await.expect("a row");
    let cases = [
        ("COPY t FROM STDIN", "2\ta\t1\t2024-01-01\n3\tb\n", "22P04"),
        ("COPY t FROM STDIN", "2\ta\t1\t2024-01-01\textra\n", "22P04"),
        ("COPY t FROM STDIN", "two\ta\t1\t2024-01-01\n", "22P02"),
        ("COPY t FROM STDIN", "2\ta\t1\t2024-02-30\n", "22008"),
        ("COPY t FROM STDIN", "2\ta\t1\t2024-01-01\n1\tagain\t1\t2024-01-01\n", "23505"),
        ("COPY t FROM STDIN", "2\ta\t1\t2024-01-01\n2\tb\t1\t2024-01-01\n", "23505"),
        ("COPY t FROM STDIN", "\\N\ta\t1\t2024-01-01\n", "23502"),
        ("COPY t FROM STDIN WITH (FORMAT csv)", "2,\"open,1,2024-01-01\n", "22P04"),
        ("COPY t FROM STDIN", "2\ta\t123456789\t2024-01-01\n", "22003"),
        ("COPY nowhere FROM STDIN", "1\n", "42P01"),
        ("COPY t (id, nothing) FROM STDIN", "1\t2\n", "42703"),
        ("COPY v FROM STDIN", "a\t1\t1\n", "42809"),
    ];
    for (sql, data, expected) in cases {
        assert_eq!(state(copy(&client, sql, data).await), expected, "{sql}\n{data}");
        assert_eq!(rows(&client, "SELECT id FROM t").await, ["1"], "{sql}\n{data}");
        assert_eq!(rows(&client, "SELECT name, n FROM v").await, ["first|1"], "{sql}\n{data}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_is_part_of_its_transaction() {
    let (server, client) = start().await;
    client.batch_execute("BEGIN").await.expect("BEGIN");
    copy(&client, "COPY t (id, name) FROM STDIN", "1\ta\n2\ta\n").await.expect("good lines");
    assert_eq!(rows(&client, "SELECT n FROM v").await, ["2"]);
    let other = server.connect().await;
    assert_eq!(rows(&other, "SELECT count(*) FROM t").await, ["0"]);
    client.batch_execute("ROLLBACK").await.expect("ROLLBACK");
    assert_eq!(rows(&client, "SELECT count(*) FROM v").await, ["0"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytea_in_both_formats() {
    let (server, client) = start().await;
    client.batch_execute("CREATE TABLE b (id integer PRIMARY KEY, bytes bytea)").await.expect("a table");
    // The text format takes one backslash for itself, CSV takes none.
    let text = "1\t\\\\x00ff\n2\ta\\\\\\\\b\\\\000\n3\t\\N\n4\t\n";
    assert_eq!(copy(&client, "COPY b FROM STDIN", text).await.expect("text"), 4);
    let csv = "5,\\x00ff\n6,a\\\\b\\000\n7,\n8,\"\"\n";
    assert_eq!(copy(&client, "COPY b FROM STDIN WITH (FORMAT csv)", csv).await.expect("CSV"), 4);
    assert_eq!(
        rows(&client, "SELECT bytes FROM b ORDER BY id").await,
        ["\\x00ff", "\\x615c6200", "NULL", "\\x", "\\x00ff", "\\x615c6200", "NULL", "\\x"]
    );
    assert_eq!(state(copy(&client, "COPY b FROM STDIN", "9\t\\\\xg0\n").await), "22023");
    assert_eq!(state(copy(&client, "COPY b FROM STDIN", "9\t\\\\400\n").await), "22P02");
    server.stop().await;
}

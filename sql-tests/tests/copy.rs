//! COPY FROM STDIN and TO STDOUT: text, CSV and binary, with views that follow, and what goes wrong.

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
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

/// The data of a COPY TO STDOUT.
async fn copied(client: &Client, sql: &str) -> Vec<u8> {
    let stream = client.copy_out(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let pieces = stream.try_collect::<Vec<Bytes>>().await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    pieces.concat()
}

async fn copied_text(client: &Client, sql: &str) -> String {
    String::from_utf8(copied(client, sql).await).expect("it is text")
}

/// The SQLSTATE with which a COPY TO STDOUT fails, before or after its first row.
async fn failed(client: &Client, sql: &str) -> String {
    let outcome = match client.copy_out(sql).await {
        Ok(stream) => stream.try_collect::<Vec<Bytes>>().await.map(|pieces| pieces.len() as u64),
        Err(error) => Err(error),
    };
    state(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn to_the_client() {
    let (server, client) = start().await;
    let data = "1\tnaïve ☃\t1.50\t2024-02-29\n2\t\\N\t\\N\t\\N\n3\ttab\\there\\\\\\nx\t-2.00\t1999-12-31\n4\t\t0.00\t2024-01-01\n";
    assert_eq!(copy(&client, "COPY t FROM STDIN", data).await.expect("good lines"), 4);
    let all = "COPY (SELECT * FROM t ORDER BY id) TO STDOUT";
    assert_eq!(copied_text(&client, all).await, data);
    assert_eq!(
        copied_text(&client, &format!("{all} (FORMAT csv, HEADER)")).await,
        "id,name,price,day\n1,naïve ☃,1.50,2024-02-29\n2,,,\n3,\"tab\there\\\nx\",-2.00,1999-12-31\n4,\"\",0.00,2024-01-01\n"
    );
    let options = "CSV DELIMITER ';' NULL 'nil' QUOTE '''' FORCE QUOTE name, day";
    assert_eq!(
        copied_text(&client, &format!("{all} {options}")).await,
        "1;'naïve ☃';1.50;'2024-02-29'\n2;nil;nil;nil\n3;'tab\there\\\nx';-2.00;'1999-12-31'\n4;'';0.00;'2024-01-01'\n"
    );
    let some = copied_text(&client, "COPY t (price, id) TO STDOUT WITH (DELIMITER '|', HEADER)").await;
    assert_eq!(some.lines().next(), Some("price|id"));
    assert_eq!(copied_text(&client, "COPY (SELECT '\\.' AS a) TO STDOUT CSV").await, "\"\\.\"\n");
    assert_eq!(copied_text(&client, "COPY (SELECT n FROM v WHERE name = '') TO STDOUT").await, "1\n");
    assert_eq!(copied_text(&client, "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT csv)").await, "");
    // Materialized views have rows of their own, plain ones have not.
    assert_eq!(copied_text(&client, "COPY v TO STDOUT").await.lines().count(), 4);
    client.batch_execute("CREATE VIEW plain AS SELECT 1 AS a").await.expect("a view");
    for (sql, expected) in [
        ("COPY plain TO STDOUT", "42809"),
        ("COPY t TO STDOUT (FORCE_NULL (id), FORMAT csv)", "0A000"),
        ("COPY t TO STDOUT (FORMAT csv, FORCE_QUOTE (nothing))", "42P10"),
        ("COPY t TO STDOUT (FORMAT csv, HEADER match)", "22023"),
        ("COPY t TO STDOUT (FORMAT nonsense)", "22023"),
        ("COPY t TO STDOUT (NONSENSE)", "42601"),
        ("COPY t TO STDOUT (FORMAT csv, FORMAT csv)", "42601"),
        ("COPY t TO STDOUT (DELIMITER '::')", "0A000"),
        ("COPY t TO STDOUT (DELIMITER 'a')", "22023"),
        ("COPY t TO STDOUT (QUOTE '!')", "0A000"),
        ("COPY t TO STDOUT (FORMAT csv, NULL '\"')", "22023"),
        ("COPY t TO STDOUT (FORMAT binary, DELIMITER '|')", "42601"),
        ("COPY t TO '/tmp/t'", "0A000"),
        ("COPY t TO STDIN", "42601"),
        ("COPY (SELECT 1 / (id - 2) FROM t) TO STDOUT", "22012"),
    ] {
        assert_eq!(failed(&client, sql).await, expected, "{sql}");
    }
    assert_eq!(rows(&client, "SELECT count(*) FROM t").await, ["4"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_there_and_back() {
    async fn put(client: &Client, data: &[u8]) -> Result<u64, Error> {
        let mut sink = Box::pin(client.copy_in("COPY x FROM STDIN BINARY").await?);
        for piece in data.chunks(7) {
            sink.send(Bytes::copy_from_slice(piece)).await?;
        }
        sink.as_mut().finish().await
    }
    let (server, client) = start().await;
    let table = "CREATE TABLE x (key integer PRIMARY KEY, a boolean, b smallint, c integer, d bigint, e real, \
                 f double precision, g numeric(20, 3), h text, i varchar(5), j date, k timestamp, l timestamptz, \
                 m interval, n bytea)";
    client.batch_execute(table).await.expect("a table");
    let row = "true, 2, -3, 4, 1.5, -2.5, 12345.678, 'text', 'varch', '2024-02-29', '2024-02-29 12:00:01.5', \
               '1999-12-31 00:00+02', '1 month 2 days 3 seconds', '\\x00ff'";
    client.batch_execute(&format!("INSERT INTO x VALUES (1, {row}), (2, {row})")).await.expect("rows");
    client.batch_execute("INSERT INTO x (key) VALUES (3)").await.expect("a row of NULLs");
    let before = rows(&client, "SELECT * FROM x ORDER BY key").await;
    let data = copied(&client, "COPY x TO STDOUT (FORMAT binary)").await;
    assert_eq!(&data[..11], b"PGCOPY\n\xff\r\n\0");
    client.batch_execute("DELETE FROM x").await.expect("no rows");
    assert_eq!(put(&client, &data).await.expect("what came out goes in"), 3);
    assert_eq!(rows(&client, "SELECT * FROM x ORDER BY key").await, before);
    for wrong in [&data[..data.len() - 5], b"key,a\n", b""] {
        assert_eq!(state(put(&client, wrong).await), "22P04");
    }
    let empty = copied(&client, "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)").await;
    assert_eq!(empty, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_csv_that_comes_in() {
    let (server, client) = start().await;
    let sql = "COPY t (id, name) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (name))";
    assert_eq!(copy(&client, sql, "1,\n").await.expect("a line"), 1);
    let sql = "COPY t (id, name) FROM STDIN CSV FORCE NULL name";
    assert_eq!(copy(&client, sql, "2,\"\"\n").await.expect("a line"), 1);
    assert_eq!(rows(&client, "SELECT id, name FROM t ORDER BY id").await, ["1|", "2|NULL"]);
    let sql = "COPY t (id, name) FROM STDIN WITH (HEADER match)";
    assert_eq!(copy(&client, sql, "id\tname\n3\tthree\n").await.expect("the header matches"), 1);
    assert_eq!(state(copy(&client, sql, "id\tlabel\n4\tfour\n").await), "22P04");
    assert_eq!(state(copy(&client, "COPY t FROM STDIN (FORMAT csv, FORCE_QUOTE *)", "").await), "0A000");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_rows_and_generated_columns() {
    let (server, client) = start().await;
    let table =
        "CREATE TABLE g (a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED, b integer DEFAULT 7)";
    client.batch_execute(table).await.expect("the table is fine");
    let taken = copy(&client, "COPY g (a) FROM STDIN WHERE a > 1 AND b = 7", "1\n2\n3\n\\N\n").await;
    assert_eq!(taken.expect("good lines"), 2);
    assert_eq!(
        copy(&client, "COPY g FROM STDIN (FORMAT csv) WHERE true", "9,8\n").await.expect("a good line"),
        1
    );
    assert_eq!(rows(&client, "SELECT * FROM g ORDER BY a").await, ["2|4|7", "3|6|7", "9|18|8"]);
    assert_eq!(copied(&client, "COPY g TO STDOUT").await, b"2\t7\n3\t7\n9\t8\n");
    assert_eq!(state(copy(&client, "COPY g (twice) FROM STDIN", "").await), "42P10");
    assert_eq!(state(copy(&client, "COPY g FROM STDIN WHERE (SELECT true)", "").await), "0A000");
    assert_eq!(state(copy(&client, "COPY g FROM STDIN WHERE c", "").await), "42703");
    server.stop().await;
}

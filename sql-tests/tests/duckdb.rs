//! The past as other tools read it: the query over the Parquet files that docs/formats/history.md gives, in DuckDB, where a
//! Python with its package is at hand (`PYTHON` names it).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use arrow::array::AsArray;
use springtide_engine::{Database, Options};
use springtide_sql_tests::client::Client;
use springtide_sql_tests::directory::Directory;

/// Runs the statements on standard input, and prints the rows of the last one.
const SCRIPT: &str = "
import duckdb, sys
for row in sorted(duckdb.connect().execute(sys.stdin.read()).fetchall()):
    print('|'.join(str(value) for value in row))
";

fn python() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_reads_a_table_as_of_a_moment() {
    let found = Command::new(python()).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        println!("note: {} has no package duckdb, so this test is skipped", python());
        return;
    }
    let directory = Directory::new().expect("there is room for a directory");
    let database = Database::open_in(directory.path(), Options::new(2)).expect("it opens");
    let mut client = Client::new(&database);
    let mut moments = Vec::new();
    for (sql, checkpoint) in [
        ("CREATE TABLE orders (id int PRIMARY KEY, item text, price numeric(10, 2))", false),
        ("INSERT INTO orders VALUES (1, 'tide', 1.5), (2, 'ebb', 20), (3, NULL, NULL)", false),
        ("UPDATE orders SET price = price * 2 WHERE id < 3", true),
        ("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (4, 'neap', 7)", false),
        ("UPDATE orders SET item = 'flood' WHERE id = 2", true),
        ("INSERT INTO orders VALUES (5, 'spring', 0.05)", true),
    ] {
        client.run(sql).await.expect(sql);
        if checkpoint {
            database.checkpoint().await.expect("the disk has room");
        }
        moments.push(texts(&mut client, "SELECT CAST(now() AS text)").await.remove(0));
    }
    // Before the first rows there is no file to read.
    for moment in moments.into_iter().skip(1) {
        let ours = "SELECT concat_ws('|', id, coalesce(item, 'None'), coalesce(CAST(price AS text), 'None'))";
        let ours = format!("{ours} FROM orders FOR SYSTEM_TIME AS OF '{moment}' ORDER BY id");
        let ours = texts(&mut client, &ours).await;
        assert_eq!(duckdb(directory.path(), &moment), ours, "as of {moment}");
    }
    database.shutdown().await;
}

/// The first column.
async fn texts(client: &mut Client, sql: &str) -> Vec<String> {
    let (_, batches) = client.query(sql).await.expect(sql);
    let columns = batches.iter().map(|batch| batch.column(0).as_string::<i32>());
    columns.flat_map(|column| column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn duckdb(directory: &Path, moment: &str) -> Vec<String> {
    let page = include_str!("../../docs/formats/history.md");
    let query = page.split("```").nth(1).expect("the page has a query");
    let query = query.replace("'tide/", &format!("'{}/", directory.display()));
    let query = query.replace("2026-01-01 10:00:00+00", moment);
    let mut process = Command::new(python())
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it ran before");
    let mut input = process.stdin.take().expect("it is a pipe");
    input.write_all(query.as_bytes()).expect("it reads");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "DuckDB fails");
    String::from_utf8(output.stdout).expect("it is text").lines().map(str::to_owned).collect()
}

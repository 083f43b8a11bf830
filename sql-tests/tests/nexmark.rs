//! The Nexmark views, maintained over the events of some seconds, against their queries run from scratch.

use springtide_engine::{Database, Options};
use springtide_sql_tests::bench::nexmark::{QUERIES, SCHEMA, append, generate};
use springtide_sql_tests::client::Client;

/// The rows of a query as text, sorted.
async fn rows(client: &mut Client, query: &str) -> Vec<String> {
    let (_, batches) = client.query(query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let mut rows = Vec::new();
    for batch in &batches {
        let texts = batch
            .columns()
            .iter()
            .map(|column| springtide_sql::format_text(column).expect("values have a text"));
        let texts = texts.collect::<Vec<_>>();
        let text = |row| texts.iter().map(|texts| texts.value(row)).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(text));
    }
    rows.sort();
    rows
}

async fn check(workers: usize) {
    let database = Database::open(Options::new(workers)).expect("a database opens");
    let mut client = Client::new(&database);
    client.run(SCHEMA).await.expect("the schema is right");
    let epochs = generate(6_000, 400, 300);
    let (before, after) = epochs.split_at(2);
    for epoch in before {
        append(&database, epoch).await.expect("events are appended");
    }
    for (name, definition) in QUERIES {
        client.run(definition).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    for (at, epoch) in after.iter().enumerate() {
        append(&database, epoch).await.expect("events are appended");
        if at % 6 != 0 {
            continue;
        }
        for (name, definition) in QUERIES {
            let (_, query) =
                definition.split_once(&format!("VIEW {name} AS")).expect("each file defines its view");
            let found = rows(&mut client, &format!("SELECT * FROM {name}")).await;
            let expected = rows(&mut client, query.trim_end().trim_end_matches(';')).await;
            assert!(
                found == expected,
                "{name} at {workers} workers, epoch {at}: {} rows, not {}",
                found.len(),
                expected.len()
            );
            assert!(at < 12 || !found.is_empty(), "{name} has no rows");
        }
    }
    database.shutdown().await;
}

/// The same over a source, which the tables and events come from.
async fn check_over_a_source(workers: usize) {
    let database = Database::open(Options::new(workers)).expect("a database opens");
    let mut client = Client::new(&database);
    let create = "CREATE SOURCE nexmark FROM NEXMARK (count => 6000, rate => 12000)";
    client.run(create).await.expect("the source is right");
    for (name, definition) in QUERIES {
        client.run(definition).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    let mut finished = false;
    while !finished {
        let statuses = rows(&mut client, "SELECT status FROM springtide_catalog.sources").await;
        finished = statuses == ["finished"];
        for (name, definition) in QUERIES {
            let (_, query) =
                definition.split_once(&format!("VIEW {name} AS")).expect("each file defines its view");
            // In one transaction both see the same events.
            client.run("BEGIN").await.expect("a transaction begins");
            let found = rows(&mut client, &format!("SELECT * FROM {name}")).await;
            let expected = rows(&mut client, query.trim_end().trim_end_matches(';')).await;
            client.run("COMMIT").await.expect("a transaction that only reads ends");
            assert!(found == expected, "{name} at {workers} workers is not its query");
            assert!(!finished || !found.is_empty(), "{name} has no rows");
        }
    }
    assert_eq!(rows(&mut client, "SELECT count(*) FROM q0").await, ["5520"]);
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_is_its_query() {
    for workers in 1..=3 {
        check(workers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_over_a_source_is_its_query() {
    for workers in 1..=2 {
        check_over_a_source(workers).await;
    }
}

//! A view is replaced while others read it and write to its tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::run;
use springtide_engine::{Database, Options};
use springtide_types::SqlState;

const TABLES: &str = "CREATE TABLE t (id integer PRIMARY KEY, g integer NOT NULL, x integer NOT NULL);
    INSERT INTO t SELECT i, i % 100, 1 FROM generate_series(1, 20000) AS s(i);
    CREATE MATERIALIZED VIEW v AS SELECT g, sum(x) AS x FROM t GROUP BY g;
    CREATE MATERIALIZED VIEW w AS SELECT sum(x) AS x, count(*) AS n FROM v";

/// Two versions: groups of ones and groups of twos.
const VERSIONS: [&str; 2] = [
    "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g % 10 AS g, sum(x * 2) AS x FROM t GROUP BY 1",
    "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g, sum(x) AS x FROM t GROUP BY g",
];

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_one_version_everywhere_and_never_fail() {
    for workers in 1..=3 {
        let database = Database::open(Options::new(workers)).unwrap();
        let mut session = database.session();
        run(&mut session, TABLES).await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(read(database.clone(), is_over.clone()));
        let writer = tokio::spawn(write(database.clone(), is_over.clone()));
        for version in VERSIONS.iter().cycle().take(10) {
            run(&mut session, version).await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        let seen = reader.await.unwrap();
        assert!(seen.iter().all(|seen| *seen), "a reader saw both versions");
        let written = writer.await.unwrap();
        let total = run(&mut session, "SELECT x, n FROM w").await.unwrap();
        assert_eq!(total, format!("{} 100", 20000 + written));
        database.shutdown().await;
    }
}

/// Reads both views and the table in one statement until it is over. Returns which versions it saw.
async fn read(database: Database, is_over: Arc<AtomicBool>) -> [bool; 2] {
    let mut session = database.session();
    let mut seen = [false; 2];
    while !is_over.load(Ordering::Relaxed) {
        let read = "SELECT v.n, v.x = w.x AND v.n = w.n AND w.x = t.x * (CASE v.n WHEN 10 THEN 2 ELSE 1 END)
            FROM (SELECT count(*) AS n, sum(x) AS x FROM v) AS v, w, (SELECT sum(x) AS x FROM t) AS t";
        match run(&mut session, read).await.expect("a reader fails").as_str() {
            "10 true" => seen[0] = true,
            "100 true" => seen[1] = true,
            other => panic!("what the views hold does not belong together: {other}"),
        }
    }
    seen
}

/// Inserts a row at a time until it is over. Returns how many.
async fn write(database: Database, is_over: Arc<AtomicBool>) -> usize {
    let mut session = database.session();
    let mut written = 0;
    while !is_over.load(Ordering::Relaxed) {
        let id = 1_000_000 + written;
        run(&mut session, &format!("INSERT INTO t VALUES ({id}, {id} % 100, 1)"))
            .await
            .expect("a writer fails");
        written += 1;
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_that_is_overtaken_by_a_replacement_takes_other_identities() {
    let database = Database::open(Options::new(2)).unwrap();
    let (mut one, mut other) = (database.session(), database.session());
    run(&mut one, TABLES).await.unwrap();
    run(&mut other, "BEGIN; CREATE TABLE late (a integer); INSERT INTO late VALUES (1)").await.unwrap();
    run(&mut one, VERSIONS[0]).await.unwrap();
    run(&mut other, "COMMIT").await.unwrap();
    assert_eq!(run(&mut one, "SELECT a, x, n FROM late, w").await.unwrap(), "1 40000 10");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_for_a_commit_that_fails_is_gone() {
    let database = Database::open(Options::new(2)).unwrap();
    let (mut one, mut other) = (database.session(), database.session());
    run(&mut one, TABLES).await.unwrap();
    run(&mut other, "BEGIN; SELECT sum(x) FROM t; INSERT INTO t VALUES (-1, 1, 1)").await.unwrap();
    run(&mut other, VERSIONS[0]).await.unwrap();
    run(&mut one, "INSERT INTO t VALUES (-2, 2, 1)").await.unwrap();
    let overtaken = run(&mut other, "COMMIT").await.expect_err("what it read has changed");
    assert_eq!(overtaken.sqlstate, SqlState::SERIALIZATION_FAILURE);
    assert_eq!(run(&mut one, "SELECT x, n FROM w").await.unwrap(), "20001 100");
    run(&mut one, VERSIONS[0]).await.unwrap();
    assert_eq!(run(&mut one, "SELECT x, n FROM w").await.unwrap(), "40002 10");
}

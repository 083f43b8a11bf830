//! Point reads through prepared statements over the wire, from several sessions: rows of a table by its primary key and of
//! views by their keys, a second, against any server that speaks the Postgres protocol.

use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::commits::Springtide;
use super::median;
use crate::crash::server_binary;
use crate::server::connect;

/// Whatever goes wrong here ends the bench.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sessions that read at the same time.
const SESSIONS: usize = 8;
/// How long reads are counted.
const PERIOD: Duration = Duration::from_secs(3);
/// Rows of the table, and of each view.
const ROWS: i64 = 200_000;
const OWNERS: i32 = 20_000;

const CLEAR: [&str; 3] = [
    "DROP MATERIALIZED VIEW IF EXISTS bench_balance",
    "DROP MATERIALIZED VIEW IF EXISTS bench_owner",
    "DROP TABLE IF EXISTS bench_posting",
];

/// PostgreSQL finds rows of a view by an index; our views have the index of their key.
const INDEXES: [&str; 3] = [
    "CREATE UNIQUE INDEX ON bench_balance (account)",
    "CREATE UNIQUE INDEX ON bench_owner (owner)",
    "VACUUM ANALYZE",
];

/// The reads by their names. The parameter is a key of this kind.
const READS: [(&str, Key, &str); 3] = [
    ("table by bigint", Key::Row, "SELECT id, account, owner, amount FROM bench_posting WHERE id = $1"),
    (
        "view by integer",
        Key::Account,
        "SELECT account, postings, balance FROM bench_balance WHERE account = $1",
    ),
    ("view by text", Key::Owner, "SELECT owner, postings, largest FROM bench_owner WHERE owner = $1"),
];

#[derive(Clone, Copy)]
enum Key {
    Row,
    Account,
    Owner,
}

impl Key {
    fn random(self) -> Box<dyn ToSql + Sync + Send> {
        match self {
            Key::Row => Box::new(fastrand::i64(1..=ROWS)),
            Key::Account => Box::new(fastrand::i32(0..OWNERS)),
            Key::Owner => Box::new(format!("owner {}", fastrand::i32(0..OWNERS))),
        }
    }
}

/// Measures our server and, at this URL, another one; prints the median of several runs.
pub async fn report(postgres: Option<&str>, runs: usize) -> Result<()> {
    println!("Point reads of {SESSIONS} sessions a second, median of {runs}");
    println!("read             springtide  postgres  ratio");
    let server = Springtide::start(&server_binary()?)?;
    prepare(&server.url(), false).await?;
    if let Some(url) = postgres {
        prepare(url, true).await?;
    }
    for (name, key, query) in READS {
        let mut rounds = Vec::new();
        for _ in 0..runs {
            let ours = reads(&server.url(), key, query).await?;
            let theirs = match postgres {
                Some(url) => Some(reads(url, key, query).await?),
                None => None,
            };
            rounds.push((ours, theirs));
        }
        let ours = median(rounds.iter().map(|round| round.0).collect());
        print!("{name:<16} {ours:<11.0}");
        if postgres.is_some() {
            let theirs = median(rounds.iter().filter_map(|round| round.1).collect());
            print!(" {theirs:<9.0} {:.2}", ours / theirs);
        }
        println!();
    }
    match postgres {
        Some(url) => run_all(&connect(url).await?, &CLEAR).await,
        None => Ok(()),
    }
}

async fn prepare(url: &str, with_indexes: bool) -> Result<()> {
    let client = connect(url).await?;
    run_all(&client, &CLEAR).await?;
    let fill = format!(
        "INSERT INTO bench_posting SELECT n, n % {OWNERS}, 'owner ' || CAST(n % {OWNERS} AS text), n % 97
         FROM generate_series(1, {ROWS}) AS g(n)"
    );
    let schema = [
        "CREATE TABLE bench_posting (id bigint PRIMARY KEY, account integer NOT NULL, owner text NOT NULL,
            amount bigint NOT NULL)",
        &fill,
        "CREATE MATERIALIZED VIEW bench_balance AS
            SELECT account, count(*) AS postings, sum(amount) AS balance FROM bench_posting GROUP BY account",
        "CREATE MATERIALIZED VIEW bench_owner AS
            SELECT owner, count(*) AS postings, max(amount) AS largest FROM bench_posting GROUP BY owner",
    ];
    run_all(&client, &schema).await?;
    if with_indexes { run_all(&client, &INDEXES).await } else { Ok(()) }
}

async fn run_all(client: &Client, statements: &[&str]) -> Result<()> {
    for statement in statements {
        client.batch_execute(statement).await?;
    }
    Ok(())
}

/// Reads a second.
async fn reads(url: &str, key: Key, query: &'static str) -> Result<f64> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let client = connect(url).await?;
        let statement = client.prepare(query).await?;
        sessions.push((client, statement));
    }
    let start = Instant::now();
    let sessions = sessions.into_iter().map(|(client, statement)| {
        tokio::spawn(async move {
            let mut count = 0;
            while start.elapsed() < PERIOD {
                let key = key.random();
                let rows = client.query(&statement, &[key.as_ref()]).await?;
                assert_eq!(rows.len(), 1, "every key has a row");
                count += 1;
            }
            Ok::<_, tokio_postgres::Error>(count)
        })
    });
    let mut count = 0;
    for session in sessions.collect::<Vec<_>>() {
        count += session.await??;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

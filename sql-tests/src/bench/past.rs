//! What reading the past costs: a table as of moments in its history, against the same query of the table as it is.

use std::time::{Duration, Instant};

use springtide_engine::{Database, Options};
use springtide_types::{Result, SqlError};

use super::median;
use crate::client::Client;

/// A query now, and as of a moment.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Changes until the moment.
    pub changes: i64,
    /// Of the table as it is.
    pub present: Duration,
    /// Of the table as of the moment.
    pub past: Duration,
    /// The same once more.
    pub again: Duration,
}

/// Fills a table with `rows` rows, changes two in five of them `rounds` times with a checkpoint after each, so that the bases
/// lie some rounds apart, and sums up the table as of the end of each round, `runs` times.
pub async fn measure(rows: i64, rounds: i64, runs: usize, workers: usize) -> Result<Vec<Past>> {
    let directory = tempfile::tempdir().map_err(|error| SqlError::internal(error.to_string()))?;
    let database = Database::open_in(directory.path(), Options::new(workers))?;
    let mut client = Client::new(&database);
    client
        .run("CREATE TABLE stock (id bigint PRIMARY KEY, item integer NOT NULL, amount bigint NOT NULL)")
        .await?;
    client
        .run(&format!("INSERT INTO stock SELECT n, n % 1000, 0 FROM generate_series(1, {rows}) AS g(n)"))
        .await?;
    let mut moments = vec![moment(&mut client).await?];
    for _ in 0..rounds {
        client.run("UPDATE stock SET amount = amount + 1 WHERE id % 5 < 2").await?;
        moments.push(moment(&mut client).await?);
        database.checkpoint().await?;
    }
    let changed = rows / 5 * 2;
    let mut times = vec![(Vec::new(), Vec::new(), Vec::new()); moments.len()];
    // One moment after the other: what is kept of the last ones does not reach back a whole round.
    for _ in 0..runs {
        for (round, (moment, times)) in (0..).zip(moments.iter().zip(&mut times)) {
            times.0.push(time(&mut client, "stock", rounds * changed).await?);
            let source = format!("stock FOR SYSTEM_TIME AS OF '{moment}'");
            times.1.push(time(&mut client, &source, round * changed).await?);
            times.2.push(time(&mut client, &source, round * changed).await?);
        }
    }
    let measured = (0..).zip(times).map(|(round, (present, past, again))| Past {
        changes: rows + 2 * changed * round,
        present: median(present),
        past: median(past),
        again: median(again),
    });
    let measured = measured.collect();
    database.shutdown().await;
    Ok(measured)
}

async fn moment(client: &mut Client) -> Result<String> {
    let (_, rows) = client.query("SELECT CAST(now() AS text)").await?;
    let rows = rows.iter().find(|batch| batch.num_rows() > 0);
    let text = rows.and_then(|batch| arrow::util::display::array_value_to_string(batch.column(0), 0).ok());
    text.ok_or_else(|| SqlError::internal("the time is a row"))
}

async fn time(client: &mut Client, source: &str, expected: i64) -> Result<Duration> {
    let start = Instant::now();
    let sql =
        format!("SELECT 1 FROM (SELECT sum(amount) AS total FROM {source}) AS s WHERE total = {expected}");
    let (_, rows) = client.query(&sql).await?;
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "the sum is right");
    Ok(start.elapsed())
}

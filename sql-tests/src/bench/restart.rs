//! How long a start takes: until statements are answered, and until every view is, and until a new row shows in them, over tables of several sizes and
//! histories of several lengths.

use std::time::{Duration, Instant};

use springtide_engine::{Database, Options};
use springtide_types::{Result, SqlError};

use crate::client::Client;

const SCHEMA: &str = "
    CREATE TABLE customer (id integer PRIMARY KEY, region integer NOT NULL);
    CREATE TABLE sale (id bigint PRIMARY KEY, customer integer NOT NULL, amount bigint NOT NULL);
    CREATE MATERIALIZED VIEW by_customer AS
        SELECT customer, count(*) AS sales, sum(amount) AS amount FROM sale GROUP BY customer;
    CREATE MATERIALIZED VIEW by_region AS
        SELECT region, count(*) AS sales, max(amount) AS most FROM sale JOIN customer ON customer.id = sale.customer
        GROUP BY region;
    CREATE MATERIALIZED VIEW regulars AS SELECT customer, amount FROM by_customer WHERE sales > 20;
    CREATE MATERIALIZED VIEW region_of_regulars AS
        SELECT region, count(*) AS n FROM regulars JOIN customer ON customer.id = regulars.customer GROUP BY region;
    CREATE MATERIALIZED VIEW total AS SELECT count(*) AS sales, sum(amount) AS amount FROM sale;";

/// What a start takes.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// Until statements are answered.
    pub ready: Duration,
    /// Until each view is complete.
    pub views: Duration,
    /// Until a row that was inserted first of all shows in every view.
    pub fresh: Duration,
    /// Bytes in the directory.
    pub bytes: u64,
}

/// Fills tables with `rows` rows and a tenth as many customers, changes every row `rounds` times, and starts again.
pub async fn measure(rows: i64, rounds: usize, workers: usize) -> Result<Restart> {
    let directory = tempfile::tempdir().map_err(|error| SqlError::internal(error.to_string()))?;
    let database = Database::open_in(directory.path(), Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(SCHEMA).await?;
    client
        .run(&format!("INSERT INTO customer SELECT n, n % 50 FROM generate_series(1, {}) AS g(n)", rows / 10))
        .await?;
    let fill = format!(
        "INSERT INTO sale SELECT n, 1 + n % {}, n % 97 FROM generate_series(1, {rows}) AS g(n)",
        rows / 10
    );
    client.run(&fill).await?;
    for _ in 0..rounds {
        client.run("UPDATE sale SET amount = amount + 1").await?;
        database.checkpoint().await?;
    }
    drop(client);
    database.wait_until_current().await?;
    database.checkpoint().await?;
    database.shutdown().await;
    drop(database);

    let started = Instant::now();
    let database = Database::open_in(directory.path(), Options::new(workers))?;
    let ready = started.elapsed();
    database.wait_until_current().await?;
    let views = started.elapsed();
    let mut client = Client::new(&database);
    let (_, total) = client.query(&format!("SELECT 1 FROM total WHERE sales = {rows}")).await?;
    assert_eq!(total.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "every row is there again");
    client.run("INSERT INTO sale VALUES (0, 1, 1)").await?;
    database.wait_until_current().await?;
    let fresh = started.elapsed();
    database.shutdown().await;
    let bytes = bytes_below(directory.path()).map_err(|error| SqlError::internal(error.to_string()))?;
    Ok(Restart { ready, views, fresh, bytes })
}

fn bytes_below(directory: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

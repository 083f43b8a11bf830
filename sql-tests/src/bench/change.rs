//! Whether the cost of a commit follows the change: one row committed under a join-and-aggregate view, over a
//! small and over a large table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use springtide_engine::{Database, Options};
use springtide_types::Result;

use super::median;
use crate::client::Client;

const SCHEMA: &str = "
    CREATE TABLE product (id integer PRIMARY KEY, name text NOT NULL);
    CREATE TABLE sale (id bigint PRIMARY KEY, product integer NOT NULL, amount bigint NOT NULL);
    CREATE MATERIALIZED VIEW revenue AS
        SELECT product.name, count(*) AS sales, sum(sale.amount) AS amount, avg(sale.amount) AS average
        FROM sale JOIN product ON sale.product = product.id
        GROUP BY product.name;";

/// Groups of the view, the same for every size of the table.
const PRODUCTS: i32 = 1_000;

/// Rows appended at a time while loading.
const CHUNK: i64 = 100_000;

/// How long a one-row commit takes until the view shows it, over a table of `rows` rows.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Rows of the table.
    pub rows: i64,
    /// How long loading took, views included.
    pub load: Duration,
    /// Median from the start of an INSERT to the end of a SELECT from the view that shows it.
    pub insert: Duration,
    /// The same for an UPDATE of one row by its key.
    pub update: Duration,
}

/// Measures `commits` inserts and as many updates over a table of `rows` rows.
pub async fn measure(rows: i64, commits: i64, workers: usize) -> Result<Latency> {
    let database = Database::open(Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(SCHEMA).await?;
    let start = Instant::now();
    load(&database, rows).await?;
    assert_eq!(total(&mut client).await?, rows, "the view counts every row");
    let load = start.elapsed();

    let (mut inserts, mut updates) = (Vec::new(), Vec::new());
    for commit in 0..commits {
        let start = Instant::now();
        client.run(&format!("INSERT INTO sale VALUES ({}, {}, 1)", rows + commit, commit % 1_000)).await?;
        see(&mut client, commit).await?;
        inserts.push(start.elapsed());
        let start = Instant::now();
        let id = commit * (rows / commits.max(1)).max(1);
        client.run(&format!("UPDATE sale SET amount = amount + 1 WHERE id = {id}")).await?;
        see(&mut client, commit).await?;
        updates.push(start.elapsed());
    }
    assert_eq!(total(&mut client).await?, rows + commits, "the view counts every row");
    drop(client);
    database.shutdown().await;
    Ok(Latency { rows, load, insert: median(inserts), update: median(updates) })
}

/// The latency in the middle, by that of the inserts.
pub fn median_of(runs: &[Latency]) -> Latency {
    let insert = median(runs.iter().map(|run| run.insert).collect());
    *runs.iter().find(|run| run.insert == insert).expect("the median is one of them")
}

/// A SELECT waits until the view shows every acknowledged commit.
async fn see(client: &mut Client, commit: i64) -> Result<()> {
    client.query(&format!("SELECT * FROM revenue WHERE name = 'product {}'", commit % 1_000)).await.map(drop)
}

async fn total(client: &mut Client) -> Result<i64> {
    let (_, batches) = client.query("SELECT CAST(sum(sales) AS bigint) FROM revenue").await?;
    let column =
        batches.iter().find(|batch| batch.num_rows() > 0).expect("an aggregate has a row").column(0).clone();
    Ok(column.as_any().downcast_ref::<Int64Array>().expect("a bigint").value(0))
}

async fn load(database: &Database, rows: i64) -> Result<()> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int32, false),
        Field::new("name", DataType::Utf8, false),
    ]));
    let names = (0..PRODUCTS).map(|product| format!("product {product}"));
    let products = RecordBatch::try_new(
        schema,
        vec![
            Arc::new(Int32Array::from_iter_values(0..PRODUCTS)),
            Arc::new(StringArray::from_iter_values(names)),
        ],
    );
    database.append("product", products.expect("columns are of one length")).await?;

    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("product", DataType::Int32, false),
        Field::new("amount", DataType::Int64, false),
    ]));
    for from in (0..rows).step_by(CHUNK as usize) {
        let ids = from..(from + CHUNK).min(rows);
        let sales = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from_iter_values(ids.clone())),
                Arc::new(Int32Array::from_iter_values(
                    ids.clone().map(|id| (id % i64::from(PRODUCTS)) as i32),
                )),
                Arc::new(Int64Array::from_iter_values(ids.map(|id| id % 97))),
            ],
        );
        database.append("sale", sales.expect("columns are of one length")).await?;
    }
    Ok(())
}

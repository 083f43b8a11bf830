//! What many small views over one table cost: the median of one-row commits until all views show them (ms), the CPU time of a
//! commit (ms), CPU used while nothing happens (% of a core), and what a view adds to the memory (KB) and takes to create (ms).

use std::time::{Duration, Instant};

use springtide_engine::{Database, Options};
use springtide_types::Result;

use super::{cpu, median, memory};
use crate::client::Client;

const SCHEMA: &str = "CREATE TABLE reading (id bigint PRIMARY KEY, sensor integer NOT NULL, kind integer NOT NULL, value bigint NOT NULL)";
/// Numbers of views at which commits are measured.
const VIEWS: [usize; 4] = [1, 10, 100, 1_000];
/// Rows in the table before.
const ROWS: usize = 10_000;
/// Sensors, each of which has as many rows.
const SENSORS: usize = 100;
const AGGREGATES: [&str; 4] = ["count(*)", "sum(value)", "max(value)", "avg(value)"];
/// How long the idle database is watched.
const IDLE: Duration = Duration::from_secs(2);

/// Measures with each number of workers.
pub async fn report(workers: &[usize], commits: usize) -> Result<()> {
    println!("One-row commits under many views, median of {commits}");
    println!("workers  views  commit ms  cpu ms   idle %  KB a view  create ms");
    for workers in workers {
        measure(*workers, commits).await?;
    }
    Ok(())
}

async fn measure(workers: usize, commits: usize) -> Result<()> {
    let database = Database::open(Options::new(workers))?;
    let mut client = Client::new(&database);
    client.run(SCHEMA).await?;
    let fill = format!(
        "INSERT INTO reading SELECT n, n % {SENSORS}, n % 7, n FROM generate_series(1, {ROWS}) AS g(n)"
    );
    client.run(&fill).await?;
    let (mut row, mut views) = (ROWS, 0);
    for count in VIEWS {
        let (before, start) = (memory::resident(), Instant::now());
        let created = count - views;
        while views < count {
            client.run(&definition(views)).await?;
            views += 1;
        }
        database.wait_until_current().await?;
        let create = start.elapsed() / created as u32;
        let grown = memory::resident().saturating_sub(before) / created as u64;

        let (mut times, cpu) = (Vec::new(), cpu::time());
        for _ in 0..commits {
            row += 1;
            let start = Instant::now();
            client
                .run(&format!("INSERT INTO reading VALUES ({row}, {}, {}, 1)", row % SENSORS, row % 7))
                .await?;
            database.wait_until_current().await?;
            times.push(start.elapsed());
        }
        let commit = (cpu::time() - cpu) / commits as u32;
        let cpu = cpu::time();
        tokio::time::sleep(IDLE).await;
        let idle = 100.0 * (cpu::time() - cpu).as_secs_f64() / IDLE.as_secs_f64();
        let [time, commit, create] = [median(times), commit, create].map(|time| 1e3 * time.as_secs_f64());
        println!(
            "{workers:<8} {views:<6} {time:<10.3} {commit:<8.3} {idle:<7.1} {:<10} {create:.2}",
            grown >> 10
        );
    }
    database.shutdown().await;
    Ok(())
}

fn definition(number: usize) -> String {
    let (sensor, aggregate) = (number % SENSORS, AGGREGATES[number / SENSORS % AGGREGATES.len()]);
    format!(
        "CREATE MATERIALIZED VIEW view_{number} AS
         SELECT kind, {aggregate} AS result FROM reading WHERE sensor = {sensor} AND value > {number} GROUP BY kind"
    )
}

use fastrand::Rng;
use tokio_postgres::Client;

use super::generator::{Generator, tables};
use super::outcome::Outcome;
use super::report::Report;
use super::shapes::Shapes;
use crate::server::{Server, connect};

/// What to compare.
pub struct Differential {
    /// Where PostgreSQL is, for tokio-postgres. Tables are made there in a schema of their own, and dropped.
    pub postgres: String,
    /// How many statements.
    pub statements: usize,
    /// What the random choices begin with.
    pub seed: u64,
}

const SETTINGS: &str =
    "SET TimeZone = 'America/New_York'; SET DateStyle = 'ISO, MDY'; SET statement_timeout = '10s'";
const SCHEMA: &str = "DROP SCHEMA IF EXISTS springtide_differential CASCADE";

/// Runs the statements on both, each in a transaction of its own that is rolled back.
pub async fn compare(what: &Differential) -> Result<Report, tokio_postgres::Error> {
    let postgres = connect(&what.postgres).await?;
    let shapes = Shapes::read(&postgres).await?;
    let schema = format!(
        "SET client_min_messages = warning; {SCHEMA}; CREATE SCHEMA springtide_differential;
        SET search_path = springtide_differential"
    );
    postgres.batch_execute(&schema).await?;
    let server = Server::start(2).await;
    let mut ours = server.connect().await;
    for client in [&postgres, &ours] {
        client.batch_execute(SETTINGS).await?;
    }
    for statement in tables() {
        postgres.batch_execute(&statement).await?;
        ours.batch_execute(&statement).await?;
    }
    let mut generator = Generator::new(&shapes, Rng::with_seed(what.seed));
    let mut report = Report::default();
    for _ in 0..what.statements {
        let statement = generator.statement();
        let theirs = Outcome::of(&postgres, &statement.sql).await;
        let our = Outcome::of(&ours, &statement.sql).await;
        report.compared += 1;
        report.failed += usize::from(matches!(theirs, Outcome::Failed { .. }));
        if let Some(kind) = theirs.difference(&our, statement.ordered) {
            let known = report.differences.entry((kind, statement.subject)).or_insert_with(|| {
                (
                    0,
                    format!(
                        "      {}\n      expected {}\n      got      {}",
                        statement.sql,
                        theirs.short(),
                        our.short()
                    ),
                )
            });
            known.0 += 1;
        }
        if matches!(our, Outcome::Lost(_)) {
            ours = reconnected(&server).await?;
        }
    }
    postgres.batch_execute(SCHEMA).await?;
    drop(ours);
    server.stop().await;
    Ok(report)
}

async fn reconnected(server: &Server) -> Result<Client, tokio_postgres::Error> {
    let client = server.connect().await;
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}

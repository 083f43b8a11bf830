//! The flights that left New York City in 2013, replayed through the SQL port of a Springtide server while
//! materialized views follow them. It ends with proof that each view equals its query run from scratch.

mod data;
mod display;
mod proof;
mod replay;
mod server;
mod table;
mod timeline;
mod views;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::HumanCount;
use tokio_postgres::Client;

use crate::display::Display;
use crate::replay::{Replay, Totals};
use crate::server::Server;
use crate::timeline::Timeline;
use crate::views::View;

/// The result of anything that can end the demo.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Replay the flights of 2013 through a Springtide server and prove its views right.
#[derive(Parser)]
#[command(name = "flights", version)]
struct Args {
    /// Use the server that listens at this address instead of starting one.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Worker threads of the server that is started.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Replay only the first N flights of the year.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// Replay no faster than this many simulated days in a second.
    #[arg(long, value_name = "DAYS")]
    speed: Option<f64>,
    /// Minutes of simulated time that form one transaction.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    step: u32,
    /// Leave the server up at the end, for psql.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            complain("a view differs from its query");
            ExitCode::FAILURE
        }
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source());
            let causes = causes.map(|cause| format!(": {cause}")).collect::<String>();
            complain(&format!("{error}{causes}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every view was right at every moment of proof.
async fn run(args: Args) -> Result<bool> {
    let server = match &args.server {
        Some(address) => Server::running(address)?,
        None => Server::start(args.workers)?,
    };
    println!("server      {}", server.psql());
    let client = server.connect().await?;
    let views = set_up(&client).await?;
    let mut flights = data::flights()?;
    flights.truncate(args.rows.unwrap_or(usize::MAX));
    let timeline = Timeline::new(flights, args.step);
    let (totals, mut right) = replay(&server, &client, &timeline, &views, args.speed).await?;

    let verdicts = proof::prove(&client, &views).await?;
    right &= proof::all_equal(&verdicts);
    println!("\nEach view, and its query run from scratch over the tables:\n\n{}", proof::report(&verdicts));
    println!("{totals}");
    if args.keep {
        println!("\nThe server is up: {}\nCtrl-C ends it.", server.psql());
        tokio::signal::ctrl_c().await?;
    }
    Ok(right)
}

/// Creates the tables, loads those that do not change during the year, and creates the views.
async fn set_up(client: &Client) -> Result<Vec<View>> {
    let start = Instant::now();
    client.batch_execute(include_str!("../schema.sql")).await?;
    let mut loaded = Vec::new();
    for table in data::DIMENSIONS {
        let rows = data::load(client, table).await?;
        loaded.push(format!("{} {}", HumanCount(rows), table.name));
    }
    println!("loaded      {} in {:.1?}", loaded.join(", "), start.elapsed());
    let start = Instant::now();
    let views = views::parse(include_str!("../views.sql"));
    for view in &views {
        client.batch_execute(&view.create()).await?;
    }
    println!("created     {} views in {:.1?}\n", views.len(), start.elapsed());
    Ok(views)
}

/// Commits the year tick by tick; stops at the end of each quarter to prove the views. Says what it took,
/// without the time of the proofs, and whether all of them succeeded.
async fn replay(
    server: &Server,
    client: &Client,
    timeline: &Timeline,
    views: &[View],
    speed: Option<f64>,
) -> Result<(Totals, bool)> {
    let display = Display::start(server.connect().await?, timeline.len());
    let mut replay = Replay::prepare(client, server.connect().await?).await?;
    let mut right = true;
    let start = Instant::now();
    let mut paused = Duration::ZERO;
    let mut quarter = None;
    let first = timeline.ticks().next();
    for tick in timeline.ticks() {
        let pause = Instant::now();
        if quarter.replace(tick.quarter()).is_some_and(|before| before != tick.quarter()) {
            let verdicts = proof::prove(client, views).await?;
            right &= proof::all_equal(&verdicts);
            display.note(&format!("{}  {}", tick.date(), proof::summary(&verdicts)));
        }
        paused += pause.elapsed();
        if let (Some(speed), Some(first)) = (speed, &first) {
            let due = start + paused + Duration::from_secs_f64(tick.days_since(first) / speed);
            tokio::time::sleep_until(due.into()).await;
        }
        replay.commit(timeline, &tick).await?;
        display.advance(&tick);
    }
    let totals = replay.totals(start.elapsed() - paused);
    display.finish().await?;
    Ok((totals, right))
}

/// One line on standard error.
fn complain(message: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "flights: {message}");
}

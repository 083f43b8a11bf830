use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use springtide_engine::{Database, Location};
use springtide_types::SqlError;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::location::{data_location, is_url, read_bucket};
use crate::options::Serve;
use crate::security::{serve_options, set_first_password};

/// Threads that serve connections, at least. Queries run on them and may compute for a while before they let
/// another connection have its turn, so there are more than cores.
const LEAST_THREADS: usize = 8;

/// How long to wait at the end for what is still running.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

/// Runs the server until a signal ends it. An error is one line for the user.
pub(crate) fn run(options: &Serve) -> Result<(), String> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = Builder::new_multi_thread().worker_threads(cores.max(LEAST_THREADS)).enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start threads: {error}"))?;
    let result = runtime.block_on(serve(options));
    // A query that was cut off may still compute.
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    result
}

async fn serve(options: &Serve) -> Result<(), String> {
    let stop = StopSignals::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let bound = TcpListener::bind(&options.listen).await;
    let listener = bound.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen: {error}"))?;

    let clients = serve_options(&options.security, address.ip());
    let clients = clients.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;

    let workers = options.workers();
    let database = open(options)?;
    set_first_password(&options.security, &clients, &database).await?;
    tracing::info!("listening on {address} with {workers} workers");
    announce(address).map_err(|error| format!("cannot write to stdout: {error}"))?;

    springtide_pgwire::serve_with(clients, listener, database.clone(), stop.received()).await;
    database.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

fn open(options: &Serve) -> Result<Database, String> {
    let engine = springtide_engine::Options {
        checkpoint_interval: Duration::from_secs(options.checkpoint_interval),
        ..springtide_engine::Options::new(options.workers())
    };
    let opened = match data_location(options)? {
        Some(location) => {
            restore(options, &location).and_then(|()| Database::open_at(&location, engine).map_err(told))
        }
        None => {
            if !options.in_memory {
                tracing::warn!(
                    "everything is in memory and is lost when the server stops; --data-dir DIR keeps it"
                );
            }
            Database::open(engine).map_err(told)
        }
    };
    opened.map_err(|error| format!("cannot open the database: {error}"))
}

fn restore(options: &Serve, location: &Location) -> Result<(), String> {
    let Some(from) = &options.restore_from else { return Ok(()) };
    let source = if is_url(from) { read_bucket(from)? } else { Location::directory(Path::new(from)) };
    let point = options.restore_point().map_err(told)?;
    let epoch = springtide_engine::restore(&source, &point, location).map_err(told)?;
    tracing::info!("restored epoch {epoch} of {from}");
    Ok(())
}

/// An error with what to do about it.
fn told(error: SqlError) -> String {
    let hint = error.hint.as_deref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// The one line on stdout, which scripts wait for.
fn announce(address: SocketAddr) -> io::Result<()> {
    let host = match address {
        address if !address.ip().is_unspecified() => address.ip().to_string(),
        SocketAddr::V4(_) => "127.0.0.1".to_owned(),
        SocketAddr::V6(_) => "::1".to_owned(),
    };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "springtide is ready: psql -h {host} -p {}", address.port())?;
    stdout.flush()
}

/// SIGTERM and Ctrl-C.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the signals no longer kill the process.
    fn listen() -> io::Result<StopSignals> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(StopSignals { terminate, interrupt })
    }

    /// Completes when one of them arrives.
    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("stopping on Ctrl-C"),
        }
    }
}

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use springtide_engine::Database;
use springtide_types::SqlError;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::options::Serve;

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

    let workers = options.workers();
    let database = open(options)?;
    tracing::info!("listening on {address} with {workers} workers");
    announce(address).map_err(|error| format!("cannot write to stdout: {error}"))?;

    springtide_pgwire::serve(listener, database.clone(), stop.received()).await;
    database.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

fn open(options: &Serve) -> Result<Database, String> {
    let engine = springtide_engine::Options {
        checkpoint_interval: Duration::from_secs(options.checkpoint_interval),
        ..springtide_engine::Options::new(options.workers())
    };
    let opened = match &options.data_dir {
        Some(directory) => restore(options, directory).and_then(|()| Database::open_in(directory, engine)),
        None => {
            if !options.in_memory {
                tracing::warn!(
                    "everything is in memory and is lost when the server stops; --data-dir DIR keeps it"
                );
            }
            Database::open(engine)
        }
    };
    opened.map_err(|error| {
        let hint = error.hint.as_deref().map(|hint| format!("\n{hint}")).unwrap_or_default();
        format!("cannot open the database: {error}{hint}")
    })
}

fn restore(options: &Serve, directory: &Path) -> Result<(), SqlError> {
    let Some(from) = &options.restore_from else { return Ok(()) };
    let epoch = springtide_engine::restore(from, &options.restore_point()?, directory)?;
    tracing::info!("restored epoch {epoch} of {} into {}", from.display(), directory.display());
    Ok(())
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

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use pgwire::api::{ConnectionManager, RandomPidSecretKeyGenerator};
use springtide_engine::Database;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use crate::connection::Failure;
use crate::options::ServeOptions;
use crate::scram::Decoys;
use crate::startup;

/// How long connections may go on with the statement at hand once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait after a failed `accept`, which happens when file descriptors run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Sockets that may be open beyond twice as many as there may be sessions.
const SPARE_SOCKETS: usize = 32;

/// What connections share: a cancel request comes in on another connection than the statement that it is for.
pub(crate) struct Registry {
    pub(crate) process_ids: RandomPidSecretKeyGenerator,
    pub(crate) cancels: Arc<ConnectionManager>,
    pub(crate) options: ServeOptions,
    pub(crate) decoys: Decoys,
    slots: Arc<Semaphore>,
}

/// Room for a session.
pub(crate) type Slot = OwnedSemaphorePermit;

impl Registry {
    fn new(options: ServeOptions) -> Registry {
        Registry {
            process_ids: RandomPidSecretKeyGenerator::default(),
            cancels: Arc::default(),
            slots: Arc::new(Semaphore::new(options.max_connections)),
            decoys: Decoys::new(),
            options,
        }
    }

    /// Room for one more session, if there is any.
    pub(crate) fn slot(&self) -> Option<Slot> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// How many sockets may be open: some belong to clients that are not let in yet, or only cancel a statement.
    fn most_sockets(&self) -> usize {
        self.options.max_connections.saturating_mul(2).saturating_add(SPARE_SOCKETS)
    }
}

/// As [`serve_with`], for clients on the same machine.
pub fn serve(
    listener: TcpListener,
    database: Database,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, ()> {
    serve_with(ServeOptions::default(), listener, database, shutdown)
}

/// Serves the connections of `listener`, each with its own session, until `shutdown` completes; then accepts
/// no more, ends idle connections at once and busy ones after their statement, and returns.
pub fn serve_with(
    options: ServeOptions,
    listener: TcpListener,
    database: Database,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, ()> {
    // Boxed, so that the protocol is compiled in this crate and not in each that calls it.
    Box::pin(serve_until(options, listener, database, Box::pin(shutdown)))
}

async fn serve_until(
    options: ServeOptions,
    listener: TcpListener,
    database: Database,
    mut shutdown: BoxFuture<'static, ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let registry = Arc::new(Registry::new(options));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => note_end(ended),
            accepted = listener.accept() => match accepted {
                // Whoever opens more than that is not told, since to tell takes another socket.
                Ok((_, _)) if connections.len() >= registry.most_sockets() => {}
                Ok((socket, _)) => {
                    connections.spawn(converse(socket, database.clone(), registry.clone(), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    stop.send_replace(true);
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
    };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        tracing::warn!("{} connections are still busy and are cut off", connections.len());
        // Without waiting: a query that computes notices only when it next waits for something.
        connections.abort_all();
    }
}

/// The life of one connection. Its session ends with it, and with the session an open transaction.
async fn converse(
    socket: TcpStream,
    database: Database,
    registry: Arc<Registry>,
    stopping: watch::Receiver<bool>,
) {
    let ended = async {
        match startup::accept(socket, &database, &registry, stopping).await? {
            Some(connection) => connection.run().await,
            None => Ok(()),
        }
    };
    match ended.await {
        Ok(()) => {}
        Err(Failure::Disconnected(error)) => tracing::debug!("a client went away: {error}"),
        Err(Failure::Statement(error) | Failure::Fatal(error)) => {
            tracing::debug!("a connection ended: {error}")
        }
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection was ended by a bug: {error}");
    }
}

//! An in-process server on a free port, for tests that go over the wire.

use std::net::SocketAddr;
use std::path::Path;

use springtide_engine::{Database, Options};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

/// A database of its own behind a port of its own.
pub struct Server {
    /// The database that is served.
    pub database: Database,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves a fresh database in memory.
    pub async fn start(workers: usize) -> Server {
        Server::serve(Database::open(Options::new(workers)).expect("a fresh database opens")).await
    }

    /// Serves the database in a directory.
    pub async fn start_in(directory: &Path, workers: usize) -> Server {
        Server::serve(Database::open_in(directory, Options::new(workers)).expect("the database opens")).await
    }

    async fn serve(database: Database) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stop, stopped) = oneshot::channel();
        let served = database.clone();
        let serving = tokio::spawn(async move {
            let shutdown = async {
                // A dropped sender means the same as a sent stop.
                let _ = stopped.await;
            };
            springtide_pgwire::serve(listener, served, shutdown).await;
        });
        Server { database, address, stop, serving }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A new connection.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await.expect("the server accepts connections")
    }

    /// What tokio-postgres connects to.
    pub fn url(&self) -> String {
        format!("host=127.0.0.1 port={} user=tester dbname=springtide", self.port())
    }

    /// Stops serving and closes the database.
    pub async fn stop(self) {
        // The server may have ended by itself; joining it below tells why.
        let _ = self.stop.send(());
        self.serving.await.expect("the server does not panic");
        self.database.shutdown().await;
    }
}

/// A new connection to any server that speaks the Postgres protocol.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // A broken connection shows up as the failure of the next statement.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

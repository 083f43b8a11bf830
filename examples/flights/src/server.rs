//! The server under the demo: one that is started for it, or one that runs already.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use crate::Result;

/// Where the server listens. A server that was started for the demo ends with this value.
pub(crate) struct Server {
    host: String,
    port: u16,
    _started: Option<Started>,
}

/// Ends the server when it is dropped.
struct Started {
    child: Child,
    /// Where the server keeps its data; goes with it.
    _directory: TempDir,
    // Held open: a server that finds its standard output closed could take it for an error.
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Started {
    fn drop(&mut self) {
        // It fails only when the server is gone already, and what it has kept goes with the demo.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

impl Server {
    /// A server that somebody else started.
    pub(crate) fn running(address: &str) -> Result<Server> {
        let (host, port) = address.rsplit_once(':').ok_or("--server wants HOST:PORT")?;
        Ok(Server { host: host.to_owned(), port: port.parse()?, _started: None })
    }

    /// Starts the `springtide` that was built beside this binary, on a free port.
    pub(crate) fn start(workers: Option<usize>) -> Result<Server> {
        let binary = std::env::current_exe()?.with_file_name("springtide");
        if !binary.exists() {
            return Err(format!("{} is not there: run `make demo`", binary.display()).into());
        }
        let log = std::env::temp_dir().join("springtide-flights.log");
        let mut command = Command::new(&binary);
        let directory = tempfile::tempdir()?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path());
        if let Some(workers) = workers {
            command.args(["--workers", &workers.to_string()]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("the server has no standard output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let started = Started { child, _directory: directory, _stdout: stdout };
        let port = ready_port(&line).ok_or_else(|| not_ready(&line, &log))?;
        Ok(Server { host: "127.0.0.1".to_owned(), port, _started: Some(started) })
    }

    /// The command that a person types to look inside.
    pub(crate) fn psql(&self) -> String {
        format!("psql -h {} -p {}", self.host, self.port)
    }

    /// A new session.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let mut config = Config::new();
        config.host(&self.host).port(self.port).user("demo").dbname("demo").application_name("flights");
        let (client, connection) = config.connect(NoTls).await?;
        // A broken connection shows up as the failure of the next statement.
        tokio::spawn(async move { connection.await.ok() });
        Ok(client)
    }
}

/// The port in `springtide is ready: psql -h 127.0.0.1 -p PORT`.
fn ready_port(line: &str) -> Option<u16> {
    line.strip_prefix("springtide is ready:")?.split_whitespace().last()?.parse().ok()
}

fn not_ready(line: &str, log: &Path) -> String {
    format!("the server did not get ready (it said {line:?}); its log is {}", log.display())
}

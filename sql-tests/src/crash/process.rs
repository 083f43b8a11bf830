use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tokio_postgres::Client;

use crate::bucket_server::BucketServer;
use crate::server::connect;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By SIGKILL: no chance to tidy up.
    Killed,
    /// By SIGTERM, with a last checkpoint.
    Terminated,
}

/// A server in a process of its own; it is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only when the server is gone already.
        if self.process.kill().is_ok() {
            let _ = self.process.wait();
        }
    }
}

/// Where a server keeps its data.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    arguments: Vec<OsString>,
    settings: Vec<(String, String)>,
}

impl Data {
    /// In a directory.
    pub(crate) fn in_directory(directory: &Path) -> Data {
        Data { arguments: vec!["--data-dir".into(), directory.into()], settings: Vec::new() }
    }

    /// In a bucket, with the log in a directory.
    pub(crate) fn in_bucket(bucket: &BucketServer, log_directory: &Path) -> Data {
        let url = bucket.url("crash").into();
        let arguments = vec!["--data-dir".into(), url, "--wal-dir".into(), log_directory.into()];
        Data { arguments, settings: bucket.settings() }
    }
}

impl Server {
    /// Starts a server and waits until it is ready. `interval` is that of its checkpoints in seconds.
    pub(crate) fn start(binary: &Path, data: &Data, log: &Path, interval: Option<u64>) -> io::Result<Server> {
        let mut server = Server::spawn(binary, data, log, interval)?;
        let mut line = String::new();
        server.stdout.read_line(&mut line)?;
        let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(|| {
            let message = format!("the server did not get ready (it said {line:?}): {}", tail(log));
            io::Error::other(message)
        })?;
        Ok(server)
    }

    /// Starts a server. Nobody can connect yet.
    pub(crate) fn spawn(binary: &Path, data: &Data, log: &Path, interval: Option<u64>) -> io::Result<Server> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "2"]);
        command.args(&data.arguments).envs(data.settings.iter().cloned());
        if let Some(interval) = interval {
            command.args(["--checkpoint-interval", &interval.to_string()]);
        }
        command.env("RUST_LOG", "info,springtide_engine::checkpoint=debug");
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = process.stdout.take().ok_or_else(|| io::Error::other("stdout is no pipe"))?;
        Ok(Server { process, stdout: BufReader::new(stdout), port: 0 })
    }

    /// What to connect to.
    pub(crate) fn url(&self) -> String {
        format!("host=127.0.0.1 port={} user=tester dbname=springtide", self.port)
    }

    /// A new session.
    pub(crate) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        connect(&self.url()).await
    }

    /// Lets the server end. To do so twice does no harm.
    pub(crate) fn send(&mut self, end: End) -> io::Result<()> {
        match end {
            End::Killed => self.process.kill(),
            End::Terminated if self.process.try_wait()?.is_some() => Ok(()),
            End::Terminated => {
                Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().map(drop)
            }
        }
    }

    /// Waits for the end, and tells whether it was a good one.
    pub(crate) fn wait(mut self) -> io::Result<bool> {
        Ok(self.process.wait()?.success())
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

//! The crash test: sessions run random transactions against a server of its own process, which is killed at a random
//! moment and started again, over and over. What was acknowledged must be there, nothing may be there in part, and every
//! view must equal its query.

pub(crate) mod process;
mod report;
mod session;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use futures::future::join_all;

use crate::bucket_server::BucketServer;
use crate::directory::Directory;
use crate::workload::{Connection, Model, Wire, check_shared, schema, settle};

use process::{Data, End, Server};
pub use report::Report;
use session::{Ended, Session};

/// Looking at everything takes far less; more is a hang.
const HANG: Duration = Duration::from_secs(60);

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The `springtide` binary.
    pub server: PathBuf,
    /// How often the server is killed.
    pub rounds: u64,
    /// Sessions that work at a time.
    pub sessions: usize,
    /// What the random choices begin with.
    pub seed: u64,
    /// Whether all but the log is kept in a bucket, that of an S3 server.
    pub bucket: bool,
}

/// The `springtide` binary that was built with this executable, which lies beside it or, as a test, below it.
pub fn server_binary() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let places = own.ancestors().skip(1).take(2).map(|directory| directory.join("springtide"));
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let message = format!("there is no springtide near {}: run `make build`", own.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// Runs the test; it ends early at the first violation.
pub async fn run(crash: &Crash) -> io::Result<Report> {
    let directory = Directory::new()?;
    let data = directory.path().join("data");
    let bucket = match crash.bucket {
        true => Some(BucketServer::start(&directory.path().join("buckets")).await?),
        false => None,
    };
    let mut run = Run {
        random: Rng::with_seed(crash.seed),
        candidates: (0..crash.sessions).map(|session| vec![Model::new(session)]).collect(),
        report: Report::default(),
        data: bucket
            .as_ref()
            .map_or_else(|| Data::in_directory(&data), |bucket| Data::in_bucket(bucket, &data)),
        log: directory.path().join("log"),
        crash,
    };
    while run.report.rounds < crash.rounds && run.report.violations.is_empty() {
        run.round().await?;
    }
    if run.report.violations.is_empty() {
        let server = Server::start(&crash.server, &run.data, &run.log, None)?;
        run.inspect(&server).await;
        run.end(server, End::Terminated)?;
    }
    Ok(run.report)
}

struct Run<'a> {
    crash: &'a Crash,
    random: Rng,
    /// Of each session, the states of which one must be found.
    candidates: Vec<Vec<Model>>,
    report: Report,
    data: Data,
    log: PathBuf,
}

impl Run<'_> {
    async fn round(&mut self) -> io::Result<()> {
        self.report.rounds += 1;
        if self.random.u8(..5) == 0 {
            self.interrupt_a_start().await?;
        }
        let interval = (self.random.u8(..3) > 0).then_some(0);
        let mut server = Server::start(&self.crash.server, &self.data, &self.log, interval)?;
        self.inspect(&server).await;
        let end = if self.random.u8(..8) == 0 { End::Terminated } else { End::Killed };
        if self.report.violations.is_empty() {
            self.work(&mut server, end).await?;
        }
        self.end(server, end)
    }

    /// Kills a server while it starts.
    async fn interrupt_a_start(&mut self) -> io::Result<()> {
        let server = Server::spawn(&self.crash.server, &self.data, &self.log, Some(0))?;
        tokio::time::sleep(Duration::from_millis(self.random.u64(..150))).await;
        self.end(server, End::Killed)
    }

    fn end(&mut self, mut server: Server, end: End) -> io::Result<()> {
        server.send(end)?;
        let ended_well = server.wait()?;
        if end == End::Terminated && !ended_well {
            self.report.violations.push("the server did not end well".to_owned());
        }
        self.report.read_log(&self.log)
    }

    /// Finds out what is there.
    async fn inspect(&mut self, server: &Server) {
        let inspected = tokio::time::timeout(HANG, self.try_inspect(server)).await;
        let violation = match inspected {
            Ok(Ok(())) => return,
            Ok(Err(violation)) => violation,
            Err(_) => format!("no answer within {} s", HANG.as_secs()),
        };
        self.report.violations.push(violation);
    }

    async fn try_inspect(&mut self, server: &Server) -> Result<(), String> {
        let mut connection = Wire(server.connect().await.map_err(|error| error.to_string())?);
        if self.report.commits == 0 {
            create_schema(&mut connection).await?;
        }
        for candidates in &mut self.candidates {
            *candidates = vec![settle(&mut connection, candidates).await?];
        }
        check_shared(&mut connection).await
    }

    /// Lets the sessions work for a random time, until the server is gone.
    async fn work(&mut self, server: &mut Server, end: End) -> io::Result<()> {
        let mut sessions = Vec::new();
        for candidates in &self.candidates {
            let session = Session { model: candidates[0].clone(), random: self.random.fork() };
            match server.connect().await {
                Ok(client) => sessions.push(tokio::spawn(session.work(Wire(client)))),
                Err(error) => self.report.violations.push(error.to_string()),
            }
        }
        tokio::time::sleep(Duration::from_millis(self.random.u64(20..700))).await;
        server.send(end)?;
        for ended in join_all(sessions).await {
            let Ended { commits, conflicts, candidates, violation } = ended.expect("no session panics");
            self.report.commits += commits;
            self.report.conflicts += conflicts;
            self.report.in_doubt += candidates.len() as u64 - 1;
            self.report.violations.extend(violation);
            let session = candidates[0].session;
            self.candidates[session] = candidates;
        }
        Ok(())
    }
}

/// What is there already is left from a round in which nothing else was done.
async fn create_schema(connection: &mut Wire) -> Result<(), String> {
    for sql in schema() {
        match connection.run(&sql).await {
            Err(failure) if failure.sqlstate.as_deref() != Some("42P07") => {
                return Err(format!("{sql}: {failure}"));
            }
            _ => {}
        }
    }
    Ok(())
}

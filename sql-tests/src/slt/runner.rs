use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use springtide_engine::{Database, Options};
use sqllogictest::{AsyncDB, DefaultColumnType, MakeConnection, Record, Runner, parse_file};
use tokio::sync::Mutex;

use super::in_process::InProcess;
use super::report::FileReport;
use super::restarting::{Host, Restarting, Restarts};
use super::rounding;
use super::wire::Wire;
use crate::server::Server;

/// No record may take longer; whatever does counts as a hang, and the rest of its file is given up.
const HANG: Duration = Duration::from_secs(120);

/// How the records reach the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Through the embedded API.
    InProcess,
    /// Through the simple query protocol of a server on a port of its own.
    Wire,
    /// Through the embedded API, of a database in a directory that crashes every now and then.
    Restarting(Restarts),
}

/// The `.slt` files at or below `suite`, in order of their paths.
pub fn files(suite: &Path) -> std::io::Result<Vec<PathBuf>> {
    if suite.is_file() {
        return Ok(vec![suite.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(suite)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs all records of one file against a fresh database.
pub async fn run_file(path: &Path, transport: Transport, workers: usize) -> FileReport {
    let mut report = FileReport { path: path.to_owned(), ..FileReport::default() };
    let records = match parse_file::<DefaultColumnType>(path) {
        Ok(records) => records,
        Err(error) => {
            report.failures.push(format!("cannot be parsed: {error}"));
            return report;
        }
    };
    match transport {
        Transport::InProcess => {
            let database = Database::open(Options::new(workers)).expect("a fresh database opens");
            run_records(|| async { Ok(InProcess::new(&database)) }, records, &mut report).await;
            database.shutdown().await;
        }
        Transport::Wire => {
            let server = Server::start(workers).await;
            run_records(|| async { Ok(Wire::new(server.connect().await)) }, records, &mut report).await;
            server.stop().await;
        }
        Transport::Restarting(restarts) => {
            let host = Host::new(workers, restarts).expect("a fresh database opens");
            let host = Arc::new(Mutex::new(host));
            run_records(|| async { Ok(Restarting::new(host.clone()).await) }, records, &mut report).await;
            host.lock().await.close().await;
        }
    }
    report
}

async fn run_records<D, M>(connect: M, records: Vec<Record<DefaultColumnType>>, report: &mut FileReport)
where
    D: AsyncDB<ColumnType = DefaultColumnType>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = Runner::new(connect);
    runner.add_label("noindex");
    runner.with_validator(rounding::validate);
    for record in records {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        let counts = matches!(record, Record::Statement { .. } | Record::Query { .. });
        // What the runner puts in for an include has no text.
        let text = if counts { record.to_string() } else { String::new() };
        match tokio::time::timeout(HANG, rounding::observing(runner.run_async(record))).await {
            Ok((Ok(_), rounded)) if counts => {
                report.exact += usize::from(!rounded);
                report.rounded += usize::from(rounded);
            }
            Ok((Ok(_), _)) => {}
            Ok((Err(error), _)) => report.failures.push(error.to_string()),
            Err(_) => {
                report.failures.push(format!("no answer within {} s:\n{text}", HANG.as_secs()));
                break;
            }
        }
    }
    runner.shutdown_async().await;
}

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use springtide_engine::RestorePoint;
use springtide_pgwire::AuthRules;
use springtide_types::SqlError;

/// Workers that are started unless told otherwise, if there are as many cores.
const DEFAULT_WORKERS: usize = 4;

/// Springtide: a SQL streaming database that speaks the Postgres protocol.
///
/// `CREATE MATERIALIZED VIEW` turns a query into a view that is kept exactly right as rows come and go.
/// Without a command, `springtide` is `springtide serve`.
#[derive(Parser)]
#[command(name = "springtide", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

impl Options {
    /// What to do.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the database and accept connections until SIGTERM or Ctrl-C
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen for Postgres clients; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7432", env = "SPRINGTIDE_LISTEN")]
    pub(crate) listen: String,

    #[command(flatten)]
    pub(crate) security: Security,

    /// Where to keep the data: a directory, or a bucket such as s3://bucket/path, with its settings in AWS_*; without it,
    /// everything is in memory and is lost when the server stops
    #[arg(long, value_name = "DIR|URL", env = "SPRINGTIDE_DATA_DIR")]
    pub(crate) data_dir: Option<String>,

    /// Where to keep the write-ahead log if the data is in a bucket, which cannot hold it: commits wait for it
    #[arg(long, value_name = "DIR", env = "SPRINGTIDE_WAL_DIR", requires = "data_dir")]
    pub(crate) wal_dir: Option<PathBuf>,

    /// Go on from the newest checkpoint in a bucket that belongs to another log; commits that only that log holds are lost
    #[arg(long, requires = "wal_dir")]
    pub(crate) take_over: bool,

    /// First fill --data-dir, which must hold no database yet, with what the database there held
    #[arg(long, value_name = "DIR|URL", requires = "data_dir")]
    pub(crate) restore_from: Option<String>,

    /// Restore as of the snapshot of this name, instead of the newest checkpoint
    #[arg(long, value_name = "NAME", requires = "restore_from", conflicts_with = "as_of")]
    pub(crate) snapshot: Option<String>,

    /// Restore as of a moment, such as '2026-01-01 10:00:00+00'
    #[arg(long, value_name = "TIMESTAMP", requires = "restore_from")]
    pub(crate) as_of: Option<String>,

    /// Threads that maintain views [default: one per core, at most 4]
    #[arg(long, value_name = "N", env = "SPRINGTIDE_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Seconds after a checkpoint until the next one, if anything was committed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "SPRINGTIDE_CHECKPOINT_INTERVAL")]
    pub(crate) checkpoint_interval: u64,

    /// Keep everything in memory and nothing on disk
    #[arg(long, env = "SPRINGTIDE_IN_MEMORY", conflicts_with = "data_dir")]
    pub(crate) in_memory: bool,
}

/// Who is let in, and how much each may take.
#[derive(Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct Security {
    /// How clients prove who they are: trust, scram-sha-256 or reject, or rules by address such as
    /// loopback=trust,10.0.0.0/8=scram-sha-256, of which the first that fits counts [default: loopback=trust]
    #[arg(long, value_name = "METHOD|RULES", env = "SPRINGTIDE_AUTH")]
    pub(crate) auth: Option<AuthRules>,

    /// A file with the password that the superuser springtide is to have, unless it has one; SPRINGTIDE_SUPERUSER_PASSWORD may
    /// hold the password itself instead
    #[arg(long, value_name = "FILE", env = "SPRINGTIDE_SUPERUSER_PASSWORD_FILE")]
    pub(crate) superuser_password_file: Option<PathBuf>,

    /// The certificate of the server, and of who signed it, in PEM
    #[arg(long, value_name = "FILE", env = "SPRINGTIDE_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "SPRINGTIDE_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Let clients from other machines in only if they encrypt their connections
    #[arg(long, env = "SPRINGTIDE_REQUIRE_TLS", requires = "tls_cert")]
    pub(crate) require_tls: bool,

    /// Sessions that there may be at once
    #[arg(long, value_name = "N", default_value_t = 1000, env = "SPRINGTIDE_MAX_CONNECTIONS")]
    pub(crate) max_connections: usize,

    /// Seconds that a client may take to prove who it is
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "SPRINGTIDE_STARTUP_TIMEOUT")]
    pub(crate) startup_timeout: u64,

    /// Bytes that a message of a client, such as a statement, may have
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, env = "SPRINGTIDE_MAX_MESSAGE_SIZE")]
    pub(crate) max_message_size: usize,
}

impl Serve {
    /// What to restore.
    pub(crate) fn restore_point(&self) -> Result<RestorePoint, SqlError> {
        Ok(match (&self.snapshot, &self.as_of) {
            (Some(name), _) => RestorePoint::Snapshot(name.clone()),
            (None, Some(moment)) => RestorePoint::parse(moment)?,
            (None, None) => RestorePoint::Newest,
        })
    }

    /// The number of workers to start.
    pub(crate) fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers.map_or_else(|| cores().min(DEFAULT_WORKERS), NonZeroUsize::get)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        <Options as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        for line in [&["springtide", "--workers", "3"][..], &["springtide", "serve", "--workers", "3"]] {
            let Command::Serve(serve) = Options::parse_from(line).command();
            assert_eq!(serve.workers(), 3);
            assert_eq!(serve.listen, "127.0.0.1:7432");
        }
        assert!(Options::try_parse_from(["springtide", "--workers", "0"]).is_err());
        assert!(Options::try_parse_from(["springtide", "--in-memory", "--data-dir", "x"]).is_err());
        assert!(Options::try_parse_from(["springtide", "--wal-dir", "x"]).is_err());
        assert!(Options::try_parse_from(["springtide", "--tls-cert", "x"]).is_err());
        assert!(Options::try_parse_from(["springtide", "--auth", "md5"]).is_err());
    }
}

//! The sessions of clients: `pg_stat_activity`, and the functions that interrupt them.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use springtide_types::{Result, SqlError, SqlState};

use super::lookup::{Argument, Kind, Lookup, function};
use super::oids::DATABASE_OID;
use super::rows::Row;
use super::{DATABASE, Facts, Rows, SystemRelation, roles};
use crate::{RoleId, denied};

/// The session that asks, as that of a client.
pub trait Backend: Debug + Send + Sync {
    /// Its number, by which others interrupt it.
    fn process_id(&self) -> i32;

    /// Waits, unless it is interrupted.
    fn sleep(&self, duration: Duration) -> Result<()>;
}

/// The session of a client.
#[derive(Clone, Debug)]
pub struct BackendFacts {
    /// Its number.
    pub process_id: i32,
    /// Who logged in.
    pub user: RoleId,
    /// The name that the client gives itself.
    pub application_name: String,
    /// Where the client is.
    pub address: Option<SocketAddr>,
    /// `active`, `idle`, `idle in transaction` or `idle in transaction (aborted)`.
    pub state: &'static str,
    /// The text of the statement that runs, or that ran last.
    pub query: String,
    /// When it began, in microseconds since 1970; so are the others.
    pub query_start: Option<i64>,
    /// When the transaction began that is open.
    pub transaction_start: Option<i64>,
    /// When the session began.
    pub session_start: i64,
    /// When the state changed last.
    pub state_change: i64,
}

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![SystemRelation::new(
        "pg_stat_activity",
        12_222,
        "datid oid, datname name, pid int4, leader_pid int4, usesysid oid, usename name, \
             application_name text, client_addr inet, client_hostname text, client_port int4, \
             backend_start timestamptz, xact_start timestamptz, query_start timestamptz, state_change \
             timestamptz, wait_event_type text, wait_event text, state text, backend_xid xid, \
             backend_xmin xid, query_id int8, query text, backend_type text",
        Rows::Facts(activity),
    )]
}

fn backends(facts: &Facts) -> Vec<BackendFacts> {
    facts.session.live.iter().flat_map(|live| live.backends()).collect()
}

/// All sessions; what those of others do is for those to see who have their privileges.
fn activity(facts: &Facts) -> Vec<Row> {
    let (roles, current) = (facts.catalog.roles(), facts.session.identity.current);
    let row = |backend: BackendFacts| {
        let row = Row::null()
            .set("datid", DATABASE_OID)
            .set("datname", DATABASE)
            .set("pid", backend.process_id)
            .set("usesysid", roles::oid(backend.user))
            .set("usename", roles.name(backend.user))
            .set("application_name", backend.application_name);
        if !roles.has_privileges_of(current, backend.user) {
            return row.set("query", "<insufficient privilege>");
        }
        row.set("client_addr", backend.address.map(|address| address.ip().to_canonical().to_string()))
            .set("client_port", backend.address.map(|address| i64::from(address.port())))
            .set("backend_start", backend.session_start)
            .set("xact_start", backend.transaction_start)
            .set("query_start", backend.query_start)
            .set("state_change", backend.state_change)
            .set("state", backend.state)
            .set("query", backend.query)
            .set("backend_type", "client backend")
    };
    backends(facts).into_iter().map(row).collect()
}

pub(super) fn lookups() -> Vec<Lookup> {
    use Kind::{Bool, Int, Text};
    let all = vec![
        function("pg_backend_pid", &[], 0, Int, |facts, _| {
            // A session of the embedded API is no process that could be interrupted.
            Ok(facts.session.backend.as_ref().map_or(0, |backend| i64::from(backend.process_id())).into())
        }),
        function("pg_cancel_backend", &[Int], 1, Bool, |facts, args| interrupt(facts, args, "cancel")),
        function("pg_terminate_backend", &[Int, Int], 1, Bool, |facts, args| {
            interrupt(facts, args, "terminate")
        }),
        function("pg_sleep", &[Text], 1, Text, sleep),
        // Nothing takes advisory locks; pools give back all of them when they take back a connection.
        function("pg_advisory_unlock_all", &[], 0, Text, |_, _| Ok(String::new().into())),
    ];
    all.into_iter().map(|lookup| Lookup { volatile: true, ..lookup }).collect()
}

fn interrupt(facts: &Facts, args: &[Argument], how: &str) -> Result<Argument> {
    let [Argument::Int(process), ..] = args else { return Ok(Argument::Null) };
    let mut others = backends(facts).into_iter();
    let Some(other) = others.find(|other| i64::from(other.process_id) == *process) else {
        return Ok(false.into());
    };
    let (roles, current) = (facts.catalog.roles(), facts.session.identity.current);
    if roles.is_superuser(other.user) && !roles.is_superuser(current) {
        let what = if how == "cancel" { "superuser query" } else { "superuser process" };
        return Err(denied(format!("must be a superuser to {how} {what}")));
    }
    if !roles.has_privileges_of(current, other.user) {
        let what = if how == "cancel" { "query is being canceled" } else { "process is being terminated" };
        return Err(denied(format!("must be a member of the role whose {what}")));
    }
    let done =
        facts.session.live.as_ref().is_some_and(|live| live.interrupt(other.process_id, how == "terminate"));
    Ok(done.into())
}

fn sleep(facts: &Facts, args: &[Argument]) -> Result<Argument> {
    let seconds = match args {
        [Argument::Text(seconds)] => seconds.trim().parse::<f64>().ok(),
        _ => None,
    };
    let duration = seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)));
    let Some(Ok(duration)) = duration else {
        let message = "pg_sleep needs a number of seconds";
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    };
    match &facts.session.backend {
        Some(backend) => backend.sleep(duration)?,
        None => std::thread::sleep(duration),
    }
    Ok(String::new().into())
}

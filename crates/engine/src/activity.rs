//! The sessions of clients: what each does, and how others interrupt it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use springtide_catalog::RoleId;
use springtide_catalog::system::{self, BackendFacts, SettingFacts};
use springtide_sql::Statement;
use springtide_types::{Result, SqlError, SqlState};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::moment::{Moment, now};
use crate::session::TransactionStatus;

/// How long a session that sleeps takes to notice that it is interrupted.
const SLICE: Duration = Duration::from_millis(10);

/// Who is at the other end of a session.
#[derive(Clone)]
pub struct Client {
    /// The number by which others interrupt it. No two sessions have the same.
    pub process_id: i32,
    /// Where it is.
    pub address: Option<SocketAddr>,
    /// Interrupts what it does.
    pub interrupt: Arc<dyn Fn(Interrupt) + Send + Sync>,
}

/// How to interrupt a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// End the statement at hand.
    Cancel,
    /// End the session.
    Terminate,
}

/// The sessions of clients, by their numbers.
#[derive(Default)]
pub(crate) struct Activity(Mutex<BTreeMap<i32, Arc<Backend>>>);

/// The session of a client, as others see it.
pub(crate) struct Backend {
    client: Client,
    user: RoleId,
    started: Moment,
    /// The statement at hand is to end.
    cancelled: AtomicBool,
    status: Mutex<Status>,
}

struct Status {
    state: &'static str,
    statement: Option<Arc<Statement>>,
    settings: Arc<BTreeMap<String, SettingFacts>>,
    query_start: Option<Moment>,
    transaction_start: Option<Moment>,
    state_change: Moment,
    /// When the statement at hand has run for too long.
    deadline: Option<Instant>,
}

/// A session that is listed as long as this lives.
pub(crate) struct Listed {
    activity: Arc<Activity>,
    pub(crate) backend: Arc<Backend>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.activity.0.lock().remove(&self.backend.client.process_id);
    }
}

impl Activity {
    /// Lists a session. Fails with `53300` if its role has as many as it may have, already.
    pub(crate) fn list(
        self: &Arc<Self>,
        client: Client,
        (user, name, limit): (RoleId, &str, i32),
        settings: &Arc<BTreeMap<String, SettingFacts>>,
    ) -> Result<Listed> {
        let started = now() as Moment;
        let status = Status {
            state: "idle",
            statement: None,
            settings: settings.clone(),
            query_start: None,
            transaction_start: None,
            state_change: started,
            deadline: None,
        };
        let (cancelled, process_id) = (AtomicBool::new(false), client.process_id);
        let backend = Arc::new(Backend { client, user, started, cancelled, status: Mutex::new(status) });
        let mut sessions = self.0.lock();
        let others = sessions.values().filter(|other| other.user == user).count();
        if usize::try_from(limit).is_ok_and(|limit| others >= limit) {
            let message = format!("too many connections for role \"{name}\"");
            return Err(SqlError::new(SqlState::from_code("53300"), message));
        }
        sessions.insert(process_id, backend.clone());
        Ok(Listed { activity: self.clone(), backend })
    }

    /// What all sessions do.
    pub(crate) fn facts(&self) -> Vec<BackendFacts> {
        self.0.lock().values().map(|backend| backend.facts()).collect()
    }

    /// Interrupts a session. `false` if there is none of this number.
    pub(crate) fn interrupt(&self, process_id: i32, how: Interrupt) -> bool {
        let backend = self.0.lock().get(&process_id).cloned();
        if let Some(backend) = &backend {
            backend.cancelled.store(true, Ordering::Relaxed);
            (backend.client.interrupt)(how);
        }
        backend.is_some()
    }

    /// Notes that the statement that a session runs is to end.
    pub(crate) fn note_cancelled(&self, process_id: i32) {
        if let Some(backend) = self.0.lock().get(&process_id) {
            backend.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl Backend {
    /// A statement begins.
    pub(crate) fn begin(
        &self,
        statement: &Arc<Statement>,
        settings: &Arc<BTreeMap<String, SettingFacts>>,
        timeout: Option<Duration>,
    ) {
        self.cancelled.store(false, Ordering::Relaxed);
        let started = now() as Moment;
        let mut status = self.status.lock();
        status.state = "active";
        status.statement = Some(statement.clone());
        status.settings = settings.clone();
        status.query_start = Some(started);
        status.transaction_start.get_or_insert(started);
        status.state_change = started;
        status.deadline = timeout.map(|timeout| Instant::now() + timeout);
    }

    /// The session waits for its client.
    pub(crate) fn end(&self, transaction: TransactionStatus, settings: &Arc<BTreeMap<String, SettingFacts>>) {
        let mut status = self.status.lock();
        status.settings = settings.clone();
        status.state_change = now() as Moment;
        status.state = match transaction {
            TransactionStatus::Idle => "idle",
            TransactionStatus::InTransaction => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        };
        if transaction == TransactionStatus::Idle {
            status.transaction_start = None;
        }
    }

    fn facts(&self) -> BackendFacts {
        let status = self.status.lock();
        let application_name = status.settings.get("application_name");
        BackendFacts {
            process_id: self.client.process_id,
            user: self.user,
            application_name: application_name.map(|fact| fact.value.clone()).unwrap_or_default(),
            address: self.client.address,
            state: status.state,
            query: status.statement.as_ref().map(|statement| statement.text.clone()).unwrap_or_default(),
            query_start: status.query_start,
            transaction_start: status.transaction_start,
            session_start: self.started,
            state_change: status.state_change,
        }
    }

    /// Fails with `57014` if the statement at hand is to end.
    fn check_interrupts(&self) -> Result<()> {
        let why = if self.cancelled.load(Ordering::Relaxed) {
            "user request"
        } else if self.status.lock().deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            "statement timeout"
        } else {
            return Ok(());
        };
        Err(SqlError::new(SqlState::QUERY_CANCELED, format!("canceling statement due to {why}")))
    }
}

impl system::Backend for Backend {
    fn process_id(&self) -> i32 {
        self.client.process_id
    }

    fn sleep(&self, duration: Duration) -> Result<()> {
        let begun = Instant::now();
        let wait = || {
            while let Some(left) = duration.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
                self.check_interrupts()?;
                std::thread::sleep(left.min(SLICE));
            }
            Ok(())
        };
        // Other sessions' statements take their turns on other threads meanwhile.
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
            _ => wait(),
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("process_id", &self.client.process_id).finish_non_exhaustive()
    }
}

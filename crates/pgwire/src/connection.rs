//! One connection: its socket, its session, and the loop that answers messages.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::{FutureExt, SinkExt, StreamExt};
use pgwire::api::{ConnectionGuard, ConnectionHandle};
use pgwire::error::PgWireError;
use pgwire::messages::response::{ReadyForQuery, TransactionStatus as StatusByte};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::MaybeTls;
use springtide_engine::{Prepared, Response, ScalarValue, Session, TransactionStatus};
use springtide_types::{SqlError, SqlState};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::codec::Framed;

use crate::extended::Portal;
use crate::limited::Limited;
use crate::report;
use crate::server::Slot;
use crate::startup::{Terminated, terminated};

/// The socket, cut into messages.
pub(crate) type Wire = Framed<MaybeTls, Limited>;

/// Bytes that gather in the output buffer before they are sent without being asked for.
pub(crate) const OUTPUT_BUFFER: usize = 64 * 1024;

/// Why a message could not be answered as asked.
pub(crate) enum Failure {
    /// The statement failed; the session goes on.
    Statement(SqlError),
    /// The session ends, and the client is told why.
    Fatal(SqlError),
    /// There is nobody to tell.
    Disconnected(io::Error),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Statement(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Disconnected(error)
    }
}

impl From<PgWireError> for Failure {
    fn from(error: PgWireError) -> Failure {
        match error {
            PgWireError::IoError(error) => Failure::Disconnected(error),
            error => Failure::protocol_violation(error.to_string()),
        }
    }
}

impl Failure {
    /// The client does not speak the protocol, so what it sends next cannot be trusted either.
    pub(crate) fn protocol_violation(message: impl Into<String>) -> Failure {
        Failure::Fatal(SqlError::new(SqlState::PROTOCOL_VIOLATION, message))
    }
}

/// The means to interrupt a connection from outside.
pub(crate) struct Interrupts {
    /// Gets a fresh receiver for each statement, which a cancel request on another connection completes.
    pub(crate) cancel: Arc<ConnectionHandle>,
    /// Whether another session has ended this one.
    pub(crate) terminated: Arc<Terminated>,
    /// Keeps `cancel` findable.
    pub(crate) _registration: ConnectionGuard,
    /// Its room among the sessions.
    pub(crate) _slot: Slot,
    /// True once the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// One client.
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) session: Session,
    /// Portals by name, the unnamed one under "".
    pub(crate) portals: HashMap<String, Portal>,
    /// A message that was read before its turn.
    pub(crate) lookahead: Option<PgWireFrontendMessage>,
    interrupts: Interrupts,
    /// Completes when the statement at hand is to be cancelled.
    cancelled: oneshot::Receiver<()>,
    /// When the statement at hand has run for too long.
    deadline: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(mut wire: Wire, session: Session, interrupts: Interrupts) -> Connection {
        wire.set_backpressure_boundary(OUTPUT_BUFFER);
        Connection {
            wire,
            session,
            portals: HashMap::new(),
            lookahead: None,
            interrupts,
            cancelled: oneshot::channel().1,
            deadline: None,
        }
    }

    /// Answers messages until the client leaves or the server stops.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let ended = self.answer_messages().await;
        if let Err(Failure::Fatal(error)) = &ended {
            self.wire.send(report::error("FATAL", error.clone())).await?;
        }
        ended
    }

    async fn answer_messages(&mut self) -> Result<(), Failure> {
        // After an error in the extended protocol everything up to the next Sync is void.
        let mut skip_to_sync = false;
        while let Some(message) = self.receive().await? {
            let is_sync = matches!(message, PgWireFrontendMessage::Sync(_));
            if matches!(message, PgWireFrontendMessage::Terminate(_)) {
                break;
            }
            if skip_to_sync && !is_sync {
                continue;
            }
            let is_extended = message.is_extended_query();
            skip_to_sync = false;
            if let Err(failure) = self.answer(message).await {
                self.recover(failure).await?;
                skip_to_sync = is_extended && !is_sync;
                if !skip_to_sync {
                    self.ready_for_query().await?;
                }
            }
        }
        Ok(())
    }

    async fn answer(&mut self, message: PgWireFrontendMessage) -> Result<(), Failure> {
        match message {
            PgWireFrontendMessage::Query(message) => self.simple_query(&message.query).await,
            PgWireFrontendMessage::Parse(message) => self.parse(message).await,
            PgWireFrontendMessage::Bind(message) => self.bind(message).await,
            PgWireFrontendMessage::Describe(message) => self.describe(message).await,
            PgWireFrontendMessage::Execute(message) => self.execute_portal(message).await,
            PgWireFrontendMessage::Close(message) => self.close(message).await,
            PgWireFrontendMessage::Sync(_) => self.sync().await,
            PgWireFrontendMessage::Flush(_) => Ok(self.wire.flush().await?),
            // What a client had sent before it learned that its COPY failed.
            PgWireFrontendMessage::CopyData(_)
            | PgWireFrontendMessage::CopyDone(_)
            | PgWireFrontendMessage::CopyFail(_) => Ok(()),
            _ => Err(Failure::protocol_violation("unexpected message type")),
        }
    }

    /// Tells the client of a failed statement and undoes it; gives other failures back.
    async fn recover(&mut self, failure: Failure) -> Result<(), Failure> {
        let Failure::Statement(error) = failure else { return Err(failure) };
        self.session.fail_transaction();
        self.session.abort_implicit();
        self.send_notices().await?;
        Ok(self.wire.feed(report::error("ERROR", error)).await?)
    }

    /// The next message; `None` if the client has gone. What has gathered for the client is sent before it is
    /// waited for, and not while it has more to ask: one packet answers many pipelined statements.
    pub(crate) async fn receive(&mut self) -> Result<Option<PgWireFrontendMessage>, Failure> {
        if let Some(message) = self.lookahead.take() {
            return Ok(Some(message));
        }
        if let Some(message) = self.wire.next().now_or_never() {
            return Ok(message.transpose()?);
        }
        self.wire.flush().await?;
        let idle_until = self.session.idle_timeout().map(|timeout| Instant::now() + timeout);
        tokio::select! {
            biased;
            () = stop_requested(&mut self.interrupts.stopping) => Err(terminated()),
            () = self.interrupts.terminated.wait() => Err(terminated()),
            () = reached(idle_until) => {
                let message = "terminating connection due to idle-in-transaction timeout";
                let state = SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT;
                Err(Failure::Fatal(SqlError::new(state, message)))
            }
            message = self.wire.next() => Ok(message.transpose()?),
        }
    }

    /// Runs a statement. It can be cancelled where nothing but an answer, or the transaction that is open, is lost.
    pub(crate) async fn execute(
        &mut self,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Response, Failure> {
        self.cancelled = self.interrupts.cancel.start_query().await;
        self.deadline = self.session.statement_timeout().map(|timeout| Instant::now() + timeout);
        let cancellable = self.session.is_interruptible(prepared);
        let response = tokio::select! {
            biased;
            response = self.session.execute(prepared, parameters) => response?,
            Ok(()) = &mut self.cancelled, if cancellable => return Err(cancelled(&self.interrupts.terminated)),
        };
        self.send_notices().await?;
        Ok(response)
    }

    /// Waits for more of an answer, unless the client or the clock ends the statement.
    pub(crate) async fn unless_interrupted<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            Ok(()) = &mut self.cancelled => Err(cancelled(&self.interrupts.terminated)),
            () = reached(self.deadline) => {
                let message = "canceling statement due to statement timeout";
                Err(SqlError::new(SqlState::QUERY_CANCELED, message).into())
            }
            done = work => Ok(done),
        }
    }

    pub(crate) async fn send_notices(&mut self) -> Result<(), Failure> {
        for notice in self.session.take_notices() {
            self.wire.feed(report::notice(notice)).await?;
        }
        Ok(())
    }

    /// Ends the answer to a simple query or to a Sync.
    pub(crate) async fn ready_for_query(&mut self) -> Result<(), Failure> {
        self.session.note_idle();
        let status = match self.session.transaction_status() {
            TransactionStatus::Idle => StatusByte::Idle,
            TransactionStatus::InTransaction => StatusByte::Transaction,
            TransactionStatus::Failed => StatusByte::Error,
        };
        if status != StatusByte::Transaction {
            // Portals live as long as their transaction.
            self.portals.clear();
        }
        for (name, value) in self.session.take_reports() {
            self.wire.feed(report::parameter(name, &value)).await?;
        }
        Ok(self.wire.feed(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status))).await?)
    }
}

async fn stop_requested(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("the server is gone, so the connection ends too");
    }
}

/// Waits for a moment, which without one never comes.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The failure of a statement that a cancel request ended, or the end of its session.
fn cancelled(ended: &Terminated) -> Failure {
    if ended.is_so() {
        return terminated();
    }
    SqlError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request").into()
}

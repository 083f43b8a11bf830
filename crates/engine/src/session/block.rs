//! Transaction blocks: BEGIN, COMMIT, ROLLBACK, savepoints, and what statements do in them.

use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use springtide_types::{Result, SqlError, SqlState};

use super::{Scope, Session, deadline, overtaken, run, until};
use crate::commit::CommitError;
use crate::control::Control;
use crate::history::{Digest, History, digested};
use crate::notice::Notice;
use crate::prepared::Prepared;
use crate::response::Response;
use crate::settings::{ROLE, SESSION_AUTHORIZATION, Settings};
use crate::statement::{Bound, Context};
use crate::transaction::{Mark, Transaction};

pub(super) enum State {
    Idle,
    Open(Box<Block>),
    /// Everything is refused until the client ends the transaction.
    Failed {
        implicit: bool,
        settings: Box<Settings>,
    },
}

/// A transaction block.
pub(super) struct Block {
    pub(super) transaction: Transaction,
    pub(super) history: History,
    /// Begun by a string of several statements rather than by BEGIN.
    implicit: bool,
    read_only: bool,
    /// Everything is refused until the client returns to a savepoint or ends the transaction.
    failed: bool,
    savepoints: Vec<Savepoint>,
    /// As they were when it began.
    settings: Settings,
}

/// What can be returned to.
struct Savepoint {
    name: String,
    mark: Mark,
    settings: Settings,
    /// How many cursors had been declared.
    cursors: usize,
}

/// Where a session stands with regard to transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside of a transaction block.
    Idle,
    /// In a transaction block.
    InTransaction,
    /// In a transaction block in which a statement has failed.
    Failed,
}

impl Session {
    pub(super) async fn run_in_block(
        &mut self,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Response> {
        let planner = self.planner();
        let as_of = self.settings.as_of();
        self.act_as_identity();
        let State::Open(block) = &mut self.state else {
            return Err(SqlError::internal("a transaction is open"));
        };
        if block.read_only && !prepared.bound.only_reads() {
            let message = "cannot execute this statement in a read-only transaction";
            return Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
        }
        if let Bound::Copy(copy) = prepared.bound.as_ref() {
            self.copy = Some(copy.begin());
            block.history.push_unrepeatable();
        }
        block.transaction.read_as_of(as_of);
        // Until it has succeeded: the caller may drop this future.
        block.failed = true;
        let mut context = Context { planner: &planner, notices: &mut self.notices };
        let work = run(&mut context, &mut block.transaction, prepared, &parameters);
        let response = until(deadline(&self.settings), work).await?;
        block.failed = false;
        let (response, digest) = digested(response);
        if let Some(digest) = digest {
            let path = block.transaction.path().clone();
            block.history.push(prepared.clone(), parameters, (as_of, path), digest);
        }
        Ok(response)
    }

    /// Fails unless the statement may run where the session stands.
    pub(super) fn check_not_failed(&self, control: Option<&Control>) -> Result<()> {
        let returns = matches!(control, Some(Control::Commit | Control::Rollback | Control::RollbackTo(_)));
        if returns || self.transaction_status() != TransactionStatus::Failed {
            return Ok(());
        }
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        Err(SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message))
    }

    /// Fails with `25001` in a transaction block.
    pub(super) fn refuse_in_transaction(&self, what: &str) -> Result<()> {
        if matches!(self.state, State::Idle) {
            return Ok(());
        }
        let message = format!("{what} cannot run inside a transaction block");
        Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
    }

    pub(super) fn begin(&mut self, read_only: bool) -> Response {
        match &mut self.state {
            State::Idle => self.open(false, read_only),
            State::Open(block) if block.implicit => {
                block.implicit = false;
                block.read_only = read_only;
            }
            State::Open(_) | State::Failed { .. } => self.notices.push(Notice::warning(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            )),
        }
        Response::complete("BEGIN")
    }

    fn open(&mut self, implicit: bool, read_only: bool) {
        self.state = State::Open(Box::new(Block {
            transaction: Transaction::begin(&self.shared.reads),
            history: History::default(),
            implicit,
            read_only,
            failed: false,
            savepoints: Vec::new(),
            settings: self.settings.clone(),
        }));
    }

    pub(super) async fn commit(&mut self) -> Result<Response> {
        if self.transaction_status() == TransactionStatus::Failed {
            return Ok(self.rollback());
        }
        let State::Open(block) = std::mem::replace(&mut self.state, State::Idle) else {
            self.warn_of_no_transaction();
            return Ok(Response::complete("COMMIT"));
        };
        let Block { transaction, history, settings, .. } = *block;
        let shared = self.shared.clone();
        let committed =
            match shared.commit(transaction, &shared.turns.together(), self.settings.acknowledged()).await {
                Ok(_) => Ok(()),
                Err(CommitError::Conflict) => self.repeat(history).await,
                Err(CommitError::Failed(error)) => Err(error),
            };
        self.cursors.end_transaction(committed.is_ok());
        match committed {
            Ok(()) => self.settings.end_transaction(),
            Err(_) => self.settings = settings,
        }
        committed.map(|()| Response::complete("COMMIT"))
    }

    /// Runs a transaction that was overtaken again from its beginning. If every statement answers what its
    /// client was told, the transaction might as well have run now, and commits; else the client must
    /// decide.
    async fn repeat(&mut self, history: History) -> Result<()> {
        let shared = self.shared.clone();
        let planner = self.planner();
        let notices_before = self.notices.len();
        for times in 1.. {
            let turn = shared.turns.take(times).await;
            let mut transaction = Transaction::begin(&shared.reads);
            for step in history.steps().ok_or_else(overtaken)? {
                transaction.read_as_of(step.as_of);
                transaction.act_as(self.settings.identity());
                transaction.look_along(&step.path);
                let mut context = Context { planner: &planner, notices: &mut self.notices };
                let response = run(&mut context, &mut transaction, &step.prepared, &step.parameters).await?;
                if Digest::of(response).await? != step.digest() {
                    return Err(overtaken());
                }
            }
            self.notices.truncate(notices_before);
            match shared.commit(transaction, &turn, self.settings.acknowledged()).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict) if turn.is_alone() => break,
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(overtaken())
    }

    pub(super) fn rollback(&mut self) -> Response {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => self.warn_of_no_transaction(),
            State::Open(block) => self.settings = block.settings,
            State::Failed { settings, .. } => self.settings = *settings,
        }
        self.cursors.end_transaction(false);
        Response::complete("ROLLBACK")
    }

    fn warn_of_no_transaction(&mut self) {
        let message = "there is no transaction in progress";
        self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }

    pub(super) fn savepoint(&mut self, name: String) -> Result<Response> {
        let (settings, cursors) = (self.settings.clone(), self.cursors.declared());
        let block = self.explicit_block("SAVEPOINT")?;
        block.savepoints.push(Savepoint { name, mark: block.transaction.mark(), settings, cursors });
        Ok(Response::complete("SAVEPOINT"))
    }

    pub(super) fn release(&mut self, name: &str) -> Result<Response> {
        let block = self.explicit_block("RELEASE SAVEPOINT")?;
        let position = block.position_of(name)?;
        block.savepoints.truncate(position);
        Ok(Response::complete("RELEASE"))
    }

    pub(super) fn roll_back_to(&mut self, name: &str) -> Result<Response> {
        if matches!(self.state, State::Failed { implicit: false, .. }) {
            return Err(no_savepoint(name));
        }
        let block = self.explicit_block("ROLLBACK TO SAVEPOINT")?;
        let position = block.position_of(name)?;
        block.savepoints.truncate(position + 1);
        let savepoint = &block.savepoints[position];
        block.transaction.return_to(&savepoint.mark);
        block.failed = false;
        // What the client was told since, errors too, is not part of what can be run again.
        block.history.push_unrepeatable();
        let (settings, cursors) = (savepoint.settings.clone(), savepoint.cursors);
        self.settings = settings;
        self.cursors.close_since(cursors);
        Ok(Response::complete("ROLLBACK"))
    }

    /// The block that BEGIN has begun, or `25P01`.
    fn explicit_block(&mut self, what: &str) -> Result<&mut Block> {
        match &mut self.state {
            State::Open(block) if !block.implicit => Ok(block),
            _ => Err(outside_of_block(what)),
        }
    }

    /// Fails with `25P01` outside of a transaction block.
    pub(super) fn require_block(&self, what: &str) -> Result<()> {
        if matches!(self.state, State::Idle) { Err(outside_of_block(what)) } else { Ok(()) }
    }

    /// Whether a statement outside of a transaction block would have no effect: warns then.
    pub(super) fn has_no_effect(&mut self, what: &str) -> bool {
        let idle = matches!(self.state, State::Idle);
        if idle {
            let message = format!("{what} can only be used in transaction blocks");
            self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
        }
        idle
    }

    /// The transaction that is open cannot be run again.
    pub(super) fn note_unrepeatable(&mut self) {
        if let State::Open(block) = &mut self.state {
            block.history.push_unrepeatable();
        }
    }

    /// Begins the transaction that a string of several statements forms, unless one is open.
    pub fn begin_implicit(&mut self) {
        self.begin_now();
        if matches!(self.state, State::Idle) {
            self.open(true, false);
        }
    }

    /// Commits the transaction that [`Session::begin_implicit`] began, unless its statements ended it or
    /// made it an explicit one.
    pub fn end_implicit(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.take_requests();
            match &self.state {
                State::Open(block) if block.implicit => self.commit().await.map(|_| ()),
                _ => Ok(()),
            }
        })
    }

    /// Rolls back the transaction that [`Session::begin_implicit`] began, after an error.
    pub fn abort_implicit(&mut self) {
        let implicit = match &self.state {
            State::Idle => false,
            State::Open(block) => block.implicit,
            State::Failed { implicit, .. } => *implicit,
        };
        if implicit {
            self.rollback();
        }
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.state {
            State::Idle => TransactionStatus::Idle,
            State::Open(block) if block.failed => TransactionStatus::Failed,
            State::Open(block) if block.implicit => TransactionStatus::Idle,
            State::Open(_) => TransactionStatus::InTransaction,
            State::Failed { .. } => TransactionStatus::Failed,
        }
    }

    /// Marks the transaction block, if there is one, as failed: for errors that the caller finds, such as
    /// while rows are sent.
    pub fn fail_transaction(&mut self) {
        let State::Open(block) = &mut self.state else { return };
        block.failed = true;
        if block.savepoints.is_empty() {
            // There is nothing to return to, and so no reason to keep what has been read and written.
            let (implicit, settings) = (block.implicit, Box::new(block.settings.clone()));
            self.state = State::Failed { implicit, settings };
        }
    }

    /// Sees to what queries have asked for by `set_config`.
    pub(super) fn take_requests(&mut self) {
        let in_block = !matches!(self.state, State::Idle);
        for request in self.requests.take() {
            let scope = if request.local { Scope::Local } else { Scope::Session };
            let set = match (request.name.as_str(), request.local) {
                // The statement was a transaction of its own.
                (_, true) if !in_block => Ok(()),
                (what @ (ROLE | SESSION_AUTHORIZATION), _) => {
                    self.set_role(what, scope, Some(&request.value)).map(drop)
                }
                (name, true) => self.settings.set_local(name, &request.value),
                (name, false) => self.settings.set(name, &request.value),
            };
            if let Err(error) = set {
                self.notices.push(Notice { severity: "WARNING", error });
            }
        }
    }
}

impl Block {
    /// The newest savepoint of this name, or `3B001`.
    fn position_of(&self, name: &str) -> Result<usize> {
        let position = self.savepoints.iter().rposition(|savepoint| savepoint.name == name);
        position.ok_or_else(|| no_savepoint(name))
    }
}

fn no_savepoint(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist"))
}

fn outside_of_block(what: &str) -> SqlError {
    let message = format!("{what} can only be used in transaction blocks");
    SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message)
}

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use springtide_catalog::Catalog;
use springtide_sql::sqlparser::ast;
use springtide_sql::{Planner, Statement};
use springtide_storage::Snapshot;
use springtide_types::{Epoch, Result, SqlError, SqlState, SqlType};

use crate::commit::CommitError;
use crate::control::{Control, control};
use crate::database::Shared;
use crate::history::{Digest, History, digested};
use crate::moment::epoch_at;
use crate::notice::Notice;
use crate::prepared::Prepared;
use crate::response::{Column, Response, RowsTag};
use crate::settings::Settings;
use crate::statement::{self, Bound, Context, CopyIn, parse_query};
use crate::transaction::Transaction;

/// What SHOW lists the named moments under.
const SNAPSHOTS: &str = "snapshots";

/// One client's conversation with the database. Statements run one after the other.
pub struct Session {
    shared: Arc<Shared>,
    state: State,
    settings: Settings,
    /// What the settings were when the transaction began; a rollback returns to them.
    settings_before: Option<Settings>,
    notices: Vec<Notice>,
    copy: Option<CopyIn>,
}

enum State {
    Idle,
    Open(Box<Open>),
    /// Everything is refused until the client ends the transaction.
    Failed {
        implicit: bool,
    },
}

struct Open {
    transaction: Transaction,
    history: History,
    /// Begun by a string of several statements rather than by BEGIN.
    implicit: bool,
    read_only: bool,
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
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        Session {
            shared,
            state: State::Idle,
            settings: Settings::new(),
            settings_before: None,
            notices: Vec::new(),
            copy: None,
        }
    }

    /// Splits a string of statements.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        springtide_sql::parse(sql)
    }

    /// Binds a statement, inferring the parameter types that are not given.
    pub async fn prepare(
        &mut self,
        statement: &Statement,
        parameter_types: &[Option<SqlType>],
    ) -> Result<Prepared> {
        let prepared = self.prepare_now(statement, parameter_types);
        if prepared.is_err() {
            self.fail_transaction();
        }
        prepared
    }

    fn prepare_now(&self, statement: &Statement, parameter_types: &[Option<SqlType>]) -> Result<Prepared> {
        let control = control(&statement.ast)?;
        if matches!(self.state, State::Failed { .. }) && !ends_transaction(control.as_ref()) {
            return Err(in_failed_transaction());
        }
        let planner = self.planner();
        let (bound, catalog_version) = match &self.state {
            State::Open(open) => {
                let catalog = open.transaction.query_catalog();
                let bound = statement::bind(&planner, &catalog, statement, parameter_types)?;
                (bound, open.transaction.shared_catalog_version())
            }
            _ => {
                let objects = self.shared.reads.objects();
                let bound = statement::bind(&planner, &objects.catalog, statement, parameter_types)?;
                (bound, Some(objects.version))
            }
        };
        Ok(Prepared {
            parameters: bound.parameters(),
            columns: bound.columns().or_else(|| text_columns(&statement.ast, control.as_ref())),
            statement: Arc::new(statement.clone()),
            bound: Arc::new(bound),
            catalog_version,
        })
    }

    /// The planner, for queries that ask for the session's parameters too.
    fn planner(&self) -> Planner {
        self.shared.planner.with_settings(self.settings.values())
    }

    /// Runs a prepared statement. An error inside a transaction block makes it fail as a whole.
    pub fn execute<'a>(
        &'a mut self,
        prepared: &'a Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Response>> {
        // Boxed, as the other ways into the engine, so that they are compiled here and not in each crate that waits for them.
        Box::pin(async move {
            let response = self.dispatch(prepared, parameters).await;
            if response.is_err() {
                self.fail_transaction();
            }
            response
        })
    }

    async fn dispatch(&mut self, prepared: &Prepared, parameters: Vec<ScalarValue>) -> Result<Response> {
        check_parameters(prepared, &parameters)?;
        let control = control(&prepared.statement.ast)?;
        if matches!(self.state, State::Failed { .. }) && !ends_transaction(control.as_ref()) {
            return Err(in_failed_transaction());
        }
        if control.is_none() && self.settings.as_of().is_some() {
            prepared.bound.check_past(&prepared.statement)?;
        }
        match control {
            Some(control) => self.control(control).await,
            None if matches!(self.state, State::Open(_)) => {
                self.run_in_transaction(prepared, parameters).await
            }
            None => self.run_alone(prepared, &parameters).await,
        }
    }

    async fn control(&mut self, control: Control) -> Result<Response> {
        match control {
            Control::Begin { read_only } => Ok(self.begin(read_only)),
            Control::Commit => self.commit().await,
            Control::Rollback => Ok(self.rollback()),
            Control::Set { name, value, local: true } => {
                self.set_local(&name, value.as_deref())?;
                Ok(Response::complete("SET"))
            }
            Control::Set { name, value, local: false } => {
                match value {
                    Some(value) => self.settings.set(&name, &value)?,
                    None => self.settings.reset(&name)?,
                }
                Ok(Response::complete("SET"))
            }
            Control::Reset { name } => {
                self.settings.reset(&name)?;
                Ok(Response::complete("RESET"))
            }
            Control::ResetAll { tag } => {
                self.settings = Settings::new();
                Ok(Response::complete(tag))
            }
            Control::Show { name } if name == SNAPSHOTS => {
                Ok(show_snapshots(&self.shared.checkpoints()?.snapshots()))
            }
            Control::Show { name } => {
                let value = self.settings.get(&name)?.to_owned();
                Ok(Response::text(&name, "SHOW", vec![value]))
            }
            Control::Checkpoint => {
                self.shared.checkpoint().await?;
                Ok(Response::complete("CHECKPOINT"))
            }
            Control::CreateSnapshot { name, as_of } => {
                self.refuse_in_transaction("CREATE SNAPSHOT")?;
                let epoch = match as_of {
                    Some(expr) => Some(self.moment(&expr).await?),
                    None => None,
                };
                self.shared.checkpoints()?.create_snapshot(name, epoch).await?;
                Ok(Response::complete("CREATE SNAPSHOT"))
            }
            Control::DropSnapshot { name, if_exists } => {
                self.refuse_in_transaction("DROP SNAPSHOT")?;
                let dropped = self.shared.checkpoints()?.drop_snapshot(name).await;
                match dropped {
                    Err(error) if if_exists && error.sqlstate == SqlState::UNDEFINED_OBJECT => {
                        self.notices.push(Notice::new(format!("{}, skipping", error.message)));
                    }
                    dropped => dropped?,
                }
                Ok(Response::complete("DROP SNAPSHOT"))
            }
            Control::Ignore { tag } => Ok(Response::complete(tag)),
        }
    }

    fn refuse_in_transaction(&self, what: &str) -> Result<()> {
        if matches!(self.state, State::Idle) {
            return Ok(());
        }
        let message = format!("{what} cannot run inside a transaction block");
        Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
    }

    /// The moment that an expression without columns stands for.
    async fn moment(&self, expr: &ast::Expr) -> Result<Epoch> {
        let query = parse_query(&format!("SELECT CAST(({expr}) AS timestamptz)"))?;
        let planner = &self.shared.planner;
        let bound = planner.bind(&query, &Catalog::default(), &[])?;
        let rows: Vec<RecordBatch> =
            planner.execute(&bound, &HashMap::new(), &[]).await?.try_collect().await?;
        let value = rows.iter().find(|batch| batch.num_rows() == 1).map(|batch| batch.column(0));
        let moments = value.and_then(|value| value.as_primitive_opt::<TimestampMicrosecondType>());
        match moments.filter(|moments| moments.is_valid(0)) {
            Some(moments) => epoch_at(moments.value(0), self.shared.reads.committed()),
            None => {
                let message = "the moment of a snapshot can't be NULL";
                Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message))
            }
        }
    }

    /// Runs a statement as a transaction of its own, again if it was overtaken.
    async fn run_alone(&mut self, prepared: &Prepared, parameters: &[ScalarValue]) -> Result<Response> {
        if let Bound::Copy(copy) = prepared.bound.as_ref() {
            let response = Response::CopyIn { columns: copy.columns() };
            self.copy = Some(copy.begin());
            return Ok(response);
        }
        let shared = self.shared.clone();
        let notices_before = self.notices.len();
        for times in 0.. {
            let turn = shared.turns.take(times).await;
            self.notices.truncate(notices_before);
            let mut transaction = Transaction::begin(&shared.reads);
            transaction.read_as_of(self.settings.as_of());
            let response = self.run(&mut transaction, prepared, parameters).await?;
            match shared.commit(transaction, &turn, self.settings.acknowledged()).await {
                Ok(_) => return Ok(response),
                Err(CommitError::Conflict) if turn.is_alone() => break,
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(overtaken())
    }

    async fn run_in_transaction(
        &mut self,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Response> {
        // If the caller drops this future, the transaction has failed.
        let implicit = matches!(&self.state, State::Open(open) if open.implicit);
        let State::Open(mut open) = std::mem::replace(&mut self.state, State::Failed { implicit }) else {
            return Err(SqlError::internal("a transaction is open"));
        };
        if open.read_only && !matches!(prepared.bound.as_ref(), Bound::Query(_)) {
            self.state = State::Open(open);
            let message = "cannot execute this statement in a read-only transaction";
            return Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
        }
        if let Bound::Copy(copy) = prepared.bound.as_ref() {
            self.copy = Some(copy.begin());
            open.history.push_unrepeatable();
        }
        let as_of = self.settings.as_of();
        open.transaction.read_as_of(as_of);
        let response = self.run(&mut open.transaction, prepared, &parameters).await;
        self.state = match &response {
            Ok(_) => State::Open(open),
            Err(_) => State::Failed { implicit },
        };
        let (response, digest) = digested(response?);
        if let (State::Open(open), Some(digest)) = (&mut self.state, digest) {
            open.history.push(prepared.clone(), parameters, as_of, digest);
        }
        Ok(response)
    }

    async fn run(
        &mut self,
        transaction: &mut Transaction,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let bound = self.bound_for(transaction, prepared)?;
        let planner = self.planner();
        let mut context = Context { planner: &planner, notices: &mut self.notices };
        statement::run(&mut context, transaction, &prepared.statement, &bound, parameters).await
    }

    /// The statement as bound under the catalog that the transaction sees.
    fn bound_for(&self, transaction: &Transaction, prepared: &Prepared) -> Result<Arc<Bound>> {
        if !prepared.bound.reads_settings()
            && transaction.can_use(prepared.catalog_version, prepared.bound.scanned())
        {
            return Ok(prepared.bound.clone());
        }
        let types = prepared.parameters.iter().copied().map(Some).collect::<Vec<_>>();
        let catalog = transaction.query_catalog();
        let bound = statement::bind(&self.planner(), &catalog, &prepared.statement, &types)?;
        if matches!(bound, Bound::Query(_)) && bound.columns() != prepared.columns {
            let message = "cached plan must not change result type";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        Ok(Arc::new(bound))
    }

    fn begin(&mut self, read_only: bool) -> Response {
        match &mut self.state {
            State::Idle => self.open(false, read_only),
            State::Open(open) if open.implicit => {
                open.implicit = false;
                open.read_only = read_only;
            }
            State::Open(_) | State::Failed { .. } => self.notices.push(Notice::warning(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            )),
        }
        Response::complete("BEGIN")
    }

    fn open(&mut self, implicit: bool, read_only: bool) {
        let transaction = Transaction::begin(&self.shared.reads);
        let history = History::default();
        self.settings_before = Some(self.settings.clone());
        self.state = State::Open(Box::new(Open { transaction, history, implicit, read_only }));
    }

    async fn commit(&mut self) -> Result<Response> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {
                self.warn_of_no_transaction();
                Ok(Response::complete("COMMIT"))
            }
            State::Failed { .. } => {
                self.settings_of_before();
                Ok(Response::complete("ROLLBACK"))
            }
            State::Open(open) => {
                let committed = self.commit_open(*open).await;
                match committed {
                    Ok(()) => {
                        self.settings_before = None;
                        self.settings.end_transaction()?;
                    }
                    Err(_) => self.settings_of_before(),
                }
                committed.map(|()| Response::complete("COMMIT"))
            }
        }
    }

    async fn commit_open(&mut self, open: Open) -> Result<()> {
        let shared = self.shared.clone();
        let turn = shared.turns.together();
        match shared.commit(open.transaction, &turn, self.settings.acknowledged()).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => self.repeat(open.history).await,
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Undoes what the transaction has set.
    fn settings_of_before(&mut self) {
        if let Some(before) = self.settings_before.take() {
            self.settings = before;
        }
    }

    fn set_local(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        if matches!(self.state, State::Idle) {
            let message = "SET LOCAL can only be used in transaction blocks";
            self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
            return Ok(());
        }
        self.settings.set_local(name, value)
    }

    /// Runs a transaction that was overtaken again from its beginning. If every statement answers what its
    /// client was told, the transaction might as well have run now, and commits; else the client must
    /// decide.
    async fn repeat(&mut self, history: History) -> Result<()> {
        let shared = self.shared.clone();
        let notices_before = self.notices.len();
        for times in 1.. {
            let turn = shared.turns.take(times).await;
            let mut transaction = Transaction::begin(&shared.reads);
            for step in history.steps().ok_or_else(overtaken)? {
                transaction.read_as_of(step.as_of);
                let response = self.run(&mut transaction, &step.prepared, &step.parameters).await?;
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

    fn rollback(&mut self) -> Response {
        if matches!(self.state, State::Idle) {
            self.warn_of_no_transaction();
        }
        self.state = State::Idle;
        self.settings_of_before();
        Response::complete("ROLLBACK")
    }

    fn warn_of_no_transaction(&mut self) {
        let message = "there is no transaction in progress";
        self.notices.push(Notice::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }

    /// Begins the transaction that a string of several statements forms, unless one is open.
    pub fn begin_implicit(&mut self) {
        if matches!(self.state, State::Idle) {
            self.open(true, false);
        }
    }

    /// Commits the transaction that [`Session::begin_implicit`] began, unless its statements ended it or
    /// made it an explicit one.
    pub fn end_implicit(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match &self.state {
                State::Open(open) if open.implicit => self.commit().await.map(|_| ()),
                _ => Ok(()),
            }
        })
    }

    /// Rolls back the transaction that [`Session::begin_implicit`] began, after an error.
    pub fn abort_implicit(&mut self) {
        let implicit = match &self.state {
            State::Idle => false,
            State::Open(open) => open.implicit,
            State::Failed { implicit } => *implicit,
        };
        if implicit {
            self.state = State::Idle;
            self.settings_of_before();
        }
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.state {
            State::Idle => TransactionStatus::Idle,
            State::Open(open) if open.implicit => TransactionStatus::Idle,
            State::Open(_) => TransactionStatus::InTransaction,
            State::Failed { .. } => TransactionStatus::Failed,
        }
    }

    /// Marks the transaction block, if there is one, as failed: for errors that the caller finds, such as
    /// while rows are sent.
    pub fn fail_transaction(&mut self) {
        if let State::Open(open) = &self.state {
            self.state = State::Failed { implicit: open.implicit };
        }
    }

    /// Takes bytes of a COPY that [`Response::CopyIn`] began.
    pub async fn copy_data(&mut self, data: Bytes) -> Result<()> {
        let Some(copy) = &mut self.copy else { return Err(no_copy()) };
        let result = copy.data(&data);
        if result.is_err() {
            self.copy = None;
            self.fail_transaction();
        }
        result
    }

    /// Ends a COPY: its rows are written.
    pub fn copy_done(&mut self) -> BoxFuture<'_, Result<Response>> {
        Box::pin(async move {
            let copy = self.copy.take().ok_or_else(no_copy)?;
            let result = self.finish_copy(copy).await;
            if result.is_err() {
                self.fail_transaction();
            }
            result.map(|rows| Response::complete(format!("COPY {rows}")))
        })
    }

    async fn finish_copy(&mut self, copy: CopyIn) -> Result<usize> {
        let shared = self.shared.clone();
        if let State::Open(open) = &mut self.state {
            return copy.finish(&shared.planner, &mut open.transaction).await;
        }
        let mut transaction = Transaction::begin(&shared.reads);
        let rows = copy.finish(&shared.planner, &mut transaction).await?;
        match shared.commit(transaction, &shared.turns.together(), self.settings.acknowledged()).await {
            Ok(_) => Ok(rows),
            // Rows that are only inserted depend on nothing but their table.
            Err(CommitError::Conflict) => Err(overtaken()),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Abandons a COPY at the client's wish. Returns the error to report.
    pub fn copy_fail(&mut self, message: &str) -> SqlError {
        self.copy = None;
        self.fail_transaction();
        SqlError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"))
    }

    /// The value of a parameter of this type from its text.
    pub fn parse_parameter(&self, sql_type: SqlType, text: &str) -> Result<ScalarValue> {
        let texts = arrow::array::StringArray::from(vec![text]);
        let array = springtide_sql::parse_text(&texts, sql_type)?;
        ScalarValue::try_from_array(&array, 0).map_err(|error| springtide_plan::sql_error(&error))
    }

    /// The messages that have come up since they were last taken.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Sets a run-time parameter, as SET does.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(name, value)
    }

    /// The value of a run-time parameter, as SHOW gives it.
    pub fn setting(&self, name: &str) -> Result<&str> {
        self.settings.get(name)
    }
}

fn ends_transaction(control: Option<&Control>) -> bool {
    matches!(control, Some(Control::Commit | Control::Rollback))
}

fn check_parameters(prepared: &Prepared, parameters: &[ScalarValue]) -> Result<()> {
    if parameters.len() == prepared.parameters.len() {
        return Ok(());
    }
    if parameters.is_empty() {
        return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let message = format!(
        "bind message supplies {} parameters, but prepared statement requires {}",
        parameters.len(),
        prepared.parameters.len()
    );
    Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, message))
}

/// Columns of the statements that answer with lines of text.
fn text_columns(statement: &ast::Statement, control: Option<&Control>) -> Option<Vec<Column>> {
    let name = match (statement, control) {
        (_, Some(Control::Show { name })) if name == SNAPSHOTS => return Some(snapshot_columns()),
        (_, Some(Control::Show { name })) => name.clone(),
        (ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. }, _) => "QUERY PLAN".to_owned(),
        _ => return None,
    };
    Some(vec![Column { name, sql_type: SqlType::Text }])
}

fn snapshot_columns() -> Vec<Column> {
    let column = |name: &str, sql_type| Column { name: name.to_owned(), sql_type };
    vec![column("snapshot", SqlType::Text), column("moment", SqlType::Timestamptz)]
}

/// The answer to SHOW SNAPSHOTS.
fn show_snapshots(snapshots: &[Snapshot]) -> Response {
    let names = snapshots.iter().map(|snapshot| Some(snapshot.name.as_str()));
    let moments = snapshots.iter().map(|snapshot| snapshot.epoch as i64);
    let columns: [(&str, ArrayRef); 2] = [
        ("snapshot", Arc::new(StringArray::from_iter(names))),
        ("moment", Arc::new(TimestampMicrosecondArray::from_iter_values(moments).with_timezone("+00:00"))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns are of one length");
    let batches = stream::iter([Ok(batch)]).boxed();
    Response::Rows { columns: snapshot_columns(), batches, tag: RowsTag::Fixed("SHOW") }
}

fn in_failed_transaction() -> SqlError {
    let message = "current transaction is aborted, commands ignored until end of transaction block";
    SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message)
}

fn overtaken() -> SqlError {
    let message = "could not serialize access due to concurrent update";
    SqlError::new(SqlState::SERIALIZATION_FAILURE, message).with_hint("Retry the transaction.")
}

fn no_copy() -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, "no COPY is in progress")
}

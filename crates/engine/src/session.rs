mod block;
mod commands;
mod copying;
mod cursor;
mod cursors;
mod identity;
mod reports;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::Array;
use datafusion::common::ScalarValue;
use futures::future::{BoxFuture, ready};
use futures::stream::{self, StreamExt};
use springtide_catalog::system::{self, SessionFacts};
use springtide_catalog::{Catalog, RoleId, SessionSequences};
use springtide_datetime::{Style, Styled, current, within};
use springtide_sql::sqlparser::ast;
use springtide_sql::{Planner, Statement};
use springtide_types::{ErrorSubject, Result, SqlError, SqlState, SqlType};
use tokio::time::Instant;

use crate::activity::{Backend, Client, Listed};
use crate::binary_format::from_text;
use crate::commit::CommitError;
use crate::control::{Control, control};
use crate::database::Shared;
use crate::notice::Notice;
use crate::prepared::Prepared;
use crate::response::{Column, Response};
use crate::settings::{Requests, Settings};
use crate::statement::{self, Bound, Context, CopyIn};
use crate::transaction::{Transaction, along};
use block::State;
use cursors::Cursors;
use reports::Reports;
use statements::Statements;

pub use block::TransactionStatus;
pub(crate) use identity::Scope;

/// One client's conversation with the database. Statements run one after the other.
pub struct Session {
    shared: Arc<Shared>,
    /// Who logged in.
    authenticated: RoleId,
    /// Where it is listed, if it is that of a client.
    listed: Option<Listed>,
    state: State,
    settings: Settings,
    requests: Arc<Requests>,
    sequences: Arc<SessionSequences>,
    statements: Statements,
    cursors: Cursors,
    notices: Vec<Notice>,
    reports: Reports,
    copy: Option<CopyIn>,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, authenticated: RoleId) -> Session {
        let name = shared.reads.objects().catalog.roles().name(authenticated);
        let temporary = shared.next_temporary_schema();
        Session {
            shared,
            authenticated,
            listed: None,
            state: State::Idle,
            settings: Settings::new(authenticated, &name, temporary),
            requests: Arc::default(),
            sequences: Arc::default(),
            statements: Statements::default(),
            cursors: Cursors::default(),
            notices: Vec::new(),
            reports: Reports::default(),
            copy: None,
        }
    }

    /// Drops the temporary objects of the session.
    async fn drop_temporary(&mut self) -> Result<()> {
        self.note_unrepeatable();
        self.act_as_identity();
        let schema = self.settings.temporary();
        if let State::Open(block) = &mut self.state {
            block.transaction.drop_temporary(schema);
            return Ok(());
        }
        let shared = self.shared.clone();
        for times in 0.. {
            let turn = shared.turns.take(times).await;
            let mut transaction = Transaction::begin(&shared.reads);
            transaction.drop_temporary(schema);
            match shared.commit(transaction, &turn, self.settings.acknowledged()).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict) if turn.is_alone() => break,
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(overtaken())
    }

    /// Lists the session as that of a client.
    pub(crate) fn list(&mut self, client: Client, role: (RoleId, &str, i32)) -> Result<()> {
        self.listed = Some(self.shared.activity.list(client, role, self.settings.facts())?);
        Ok(())
    }

    /// The session waits for its client.
    pub fn note_idle(&self) {
        if let Some(listed) = &self.listed {
            listed.backend.end(self.transaction_status(), self.settings.facts());
        }
    }

    /// Whether it may do everything.
    pub fn is_superuser(&self) -> bool {
        self.query_catalog().roles().is_superuser(self.identity().current)
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
        self.begin_now();
        let style = self.settings.style().clone();
        let prepared = within(&style, || self.prepare_now(statement, parameter_types));
        if prepared.is_err() {
            self.fail_transaction();
        }
        prepared
    }

    fn prepare_now(&self, statement: &Statement, parameter_types: &[Option<SqlType>]) -> Result<Prepared> {
        let control = control(&statement.ast)?;
        self.check_not_failed(control.as_ref())?;
        if let Some(Control::Execute(call)) = &control
            && let Ok(Some(called)) = self.statements.get(&call.name)
        {
            let statement = Arc::new(statement.clone());
            return Ok(Prepared { statement, parameters: Vec::new(), ..called.as_ref().clone() });
        }
        let explained = self.explained(statement)?;
        let statement = explained.as_ref().unwrap_or(statement);
        let (catalog, catalog_version) = self.visible();
        let bound = statement::bind(&self.planner(), &catalog, statement, parameter_types)?;
        let columns = || self.columns_of(&statement.ast, control.as_ref());
        let parameters = match &control {
            // Its query is bound when it runs; who prepares it is told of the parameters already.
            Some(Control::Declare(declared)) => {
                self.prepare_now(&declared.statement(&statement.text), parameter_types)?.parameters
            }
            _ => as_declared(bound.parameters(), parameter_types),
        };
        Ok(Prepared {
            parameters,
            columns: bound.columns().or_else(columns),
            statement: Arc::new(statement.clone()),
            bound: Arc::new(bound),
            catalog_version,
            identity: self.identity(),
            path: self.settings.path().clone(),
            style: self.settings.style().clone(),
        })
    }

    /// The user's type of an OID, or that of arrays of one.
    pub fn type_of_oid(&self, oid: u32) -> Option<SqlType> {
        let catalog = self.query_catalog();
        let types = catalog.types().iter().map(|known| known.sql_type());
        let mut all = types.flat_map(|known| [Some(known), known.array()]).flatten();
        all.find(|known| known.oid() == oid)
    }

    /// What exists, as the next statement sees it, and to be bound under.
    fn query_catalog(&self) -> Arc<Catalog> {
        self.visible().0
    }

    /// What exists, and the version that plans may be kept for.
    fn visible(&self) -> (Arc<Catalog>, Option<u64>) {
        match &self.state {
            State::Open(block) => {
                let catalog = along(&block.transaction.query_catalog(), self.settings.path());
                (catalog, block.transaction.shared_catalog_version())
            }
            _ => {
                let objects = self.shared.reads.objects();
                (along(&objects.catalog, self.settings.path()), Some(objects.version))
            }
        }
    }

    /// Columns of the statements that are not about tables.
    fn columns_of(&self, statement: &ast::Statement, control: Option<&Control>) -> Option<Vec<Column>> {
        match control {
            Some(Control::Fetch { cursor, moves: false, .. }) => {
                self.cursors.get(cursor).ok().map(|cursor| cursor.columns().to_vec())
            }
            Some(control) => commands::columns(control),
            None => match statement {
                ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. } => {
                    Some(vec![Column::computed("QUERY PLAN", SqlType::Text)])
                }
                _ => None,
            },
        }
    }

    /// The planner, for queries that ask for what the session knows of itself too.
    fn planner(&self) -> Planner {
        let shared_with_queries = (&self.requests, &self.sequences);
        let backend = self.listed.as_ref().map(|listed| listed.backend.clone());
        let known = (&self.statements, &self.cursors);
        session_planner(&self.shared, &self.settings, shared_with_queries, known, backend)
    }

    /// Runs a prepared statement. An error inside a transaction block makes it fail as a whole.
    pub fn execute<'a>(
        &'a mut self,
        prepared: &'a Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Response>> {
        self.begin_now();
        if let Some(listed) = &self.listed {
            let timeout = self.settings.statement_timeout();
            listed.backend.begin(&prepared.statement, self.settings.facts(), timeout);
        }
        if let Some(response) = self.read_point(prepared, &parameters) {
            return Box::pin(ready(response));
        }
        // Boxed, as the other ways into the engine, so that they are compiled here and not in each crate that waits for them.
        let style = self.settings.style().clone();
        let work = Box::pin(async move {
            let response = match self.dispatch(prepared, parameters).await {
                Ok(response) => self.with_numbers_noted(response, prepared).await,
                Err(error) => Err(error),
            };
            if response.is_err() {
                self.fail_transaction();
            }
            response
        });
        Box::pin(Styled::new(style, work))
    }

    /// Answers a read by a key that is a transaction of its own, if what it reads is there; else `None`.
    fn read_point(&self, prepared: &Prepared, parameters: &[ScalarValue]) -> Option<Result<Response>> {
        let read = prepared.bound.point_read()?;
        let is_query = matches!(prepared.statement.ast, ast::Statement::Query(_));
        let is_plain = is_query && matches!(self.state, State::Idle) && self.settings.as_of().is_none();
        if !is_plain || parameters.len() != prepared.parameters.len() {
            return None;
        }
        let point = self.shared.reads.begin();
        let identity = self.settings.identity();
        let path = self.settings.path();
        let is_bound_so = prepared.identity == identity
            && prepared.path == *path
            && prepared.style.reads_like(self.settings.style());
        if prepared.catalog_version != Some(point.objects.version) || !is_bound_so {
            return None;
        }
        let (catalog, bound) = (&point.objects.catalog, &prepared.bound);
        if let Err(error) = statement::check(catalog, identity.current, &prepared.statement, bound) {
            return Some(Err(error));
        }
        let rows = read.rows(&point, parameters).transpose()?;
        Some(rows.map(|rows| Response::rows(read.columns().clone(), stream::iter([Ok(rows)]).boxed())))
    }

    /// Waits until the numbers that a statement took from sequences can't be handed out again after a crash. Those that are
    /// taken as rows are computed are waited for with the rows.
    async fn with_numbers_noted(&mut self, response: Response, prepared: &Prepared) -> Result<Response> {
        self.shared.note_numbers(&self.sequences, self.settings.acknowledged()).await?;
        if !prepared.bound.draws() {
            return Ok(response);
        }
        let (shared, sequences) = (self.shared.clone(), self.sequences.clone());
        let acknowledged = self.settings.acknowledged();
        Ok(response.after_each(move || {
            let (shared, sequences) = (shared.clone(), sequences.clone());
            Box::pin(async move { shared.note_numbers(&sequences, acknowledged).await })
        }))
    }

    async fn dispatch(&mut self, prepared: &Prepared, parameters: Vec<ScalarValue>) -> Result<Response> {
        check_parameters(prepared, &parameters)?;
        let control = control(&prepared.statement.ast)?;
        self.check_not_failed(control.as_ref())?;
        match control {
            Some(Control::Execute(call)) => {
                let Some(called) = self.statements.get(&call.name)?.cloned() else {
                    return Ok(Response::Empty);
                };
                let values = self.argument_values(&call, &called).await?;
                self.run_prepared(&called, values).await
            }
            Some(control) => self.control(control, prepared, parameters).await,
            None => self.run_prepared(prepared, parameters).await,
        }
    }

    /// Runs a statement that is about tables.
    async fn run_prepared(&mut self, prepared: &Prepared, parameters: Vec<ScalarValue>) -> Result<Response> {
        if self.settings.as_of().is_some() {
            prepared.bound.check_past(&prepared.statement)?;
        }
        match self.state {
            State::Open(_) => self.run_in_block(prepared, parameters).await,
            _ => self.run_alone(prepared, &parameters).await,
        }
    }

    /// Runs a statement as a transaction of its own, again if it was overtaken.
    async fn run_alone(&mut self, prepared: &Prepared, parameters: &[ScalarValue]) -> Result<Response> {
        let identity = self.identity();
        if let Bound::Copy(copy) = prepared.bound.as_ref() {
            let catalog = self.query_catalog();
            statement::check(&catalog, identity.current, &prepared.statement, &prepared.bound)?;
            let response = Response::CopyIn { columns: copy.columns(), binary: copy.is_binary() };
            self.copy = Some(copy.begin());
            return Ok(response);
        }
        let shared = self.shared.clone();
        let planner = self.planner();
        let deadline = deadline(&self.settings);
        let notices_before = self.notices.len();
        for times in 0.. {
            let turn = shared.turns.take(times).await;
            self.notices.truncate(notices_before);
            let mut transaction = Transaction::begin(&shared.reads);
            transaction.read_as_of(self.settings.as_of());
            transaction.act_as(identity);
            transaction.look_along(self.settings.path());
            let mut context = Context { planner: &planner, notices: &mut self.notices };
            let work = run(&mut context, &mut transaction, prepared, parameters);
            let response = until(deadline, work).await?;
            match shared.commit(transaction, &turn, self.settings.acknowledged()).await {
                Ok(_) => return Ok(response),
                Err(CommitError::Conflict) if turn.is_alone() => break,
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(overtaken())
    }

    /// The value of a parameter of this type from its text.
    pub fn parse_parameter(&self, sql_type: SqlType, text: &str) -> Result<ScalarValue> {
        within(self.settings.style(), || from_text(sql_type, text))
    }

    /// How the session reads and writes moments.
    pub fn style(&self) -> &Arc<Style> {
        self.settings.style()
    }

    /// Outside of a transaction, `now` is the time at which a statement begins.
    fn begin_now(&mut self) {
        self.take_requests();
        if matches!(self.state, State::Idle) {
            self.settings.set_now(crate::moment::now() as i64);
        }
    }

    /// The messages that have come up since they were last taken.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Sets a run-time parameter as the client wants it from the start: RESET returns to this value.
    pub fn set_initial(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set_initial(name, value)
    }

    /// The value of a run-time parameter, as SHOW gives it.
    pub fn setting(&mut self, name: &str) -> Result<&str> {
        self.take_requests();
        self.settings.get(name)
    }

    /// How long a statement may run; `None` is for ever. What [`Session::execute`] does ends then by itself, but for
    /// commits.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.settings.statement_timeout()
    }

    /// Whether nothing but an answer, or the transaction that is open, is lost where the statement is cut off.
    pub fn is_interruptible(&self, prepared: &Prepared) -> bool {
        let is_about_tables = match control(&prepared.statement.ast) {
            Ok(None | Some(Control::Execute(_) | Control::Declare(_) | Control::Fetch { .. })) => true,
            Ok(Some(_)) | Err(_) => false,
        };
        let in_block = matches!(self.state, State::Open(_));
        let answers = prepared.columns.is_some() && !prepared.bound.writes();
        is_about_tables && (in_block || answers || prepared.bound.only_reads())
    }

    /// Whether the session holds something that the client would miss in another one: an open transaction,
    /// prepared statements, cursors, parameters that were set.
    pub fn is_dispensable(&self) -> bool {
        let is_idle = matches!(self.state, State::Idle);
        is_idle && self.statements.is_empty() && self.cursors.is_empty() && !self.settings.were_set()
    }

    /// How long the client may leave the session idle in the transaction that is open; `None` is for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        let idles = !matches!(self.state, State::Idle) && self.copy.is_none();
        self.settings.idle_in_transaction_timeout().filter(|_| idles)
    }
}

fn session_planner(
    shared: &Shared,
    settings: &Settings,
    (requests, sequences): (&Arc<Requests>, &Arc<SessionSequences>),
    (statements, cursors): (&Statements, &Cursors),
    backend: Option<Arc<Backend>>,
) -> Planner {
    shared.planner.for_session(SessionFacts {
        identity: settings.identity(),
        settings: settings.facts().clone(),
        statements: statements.facts().clone(),
        cursors: cursors.facts().clone(),
        snapshots: shared.snapshots(),
        live: Some(shared.live()),
        backend: backend.map(|backend| backend as Arc<dyn system::Backend>),
        requests: Some(requests.clone()),
        sequences: sequences.clone(),
    })
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.end_temporary(self.settings.temporary());
    }
}

/// The moment at which a statement that begins now has run for too long.
fn deadline(settings: &Settings) -> Option<Instant> {
    settings.statement_timeout().map(|timeout| Instant::now() + timeout)
}

/// Fails with `57014` if something is not done at the deadline.
async fn until<T>(deadline: Option<Instant>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = deadline else { return work.await };
    tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
        let message = "canceling statement due to statement timeout";
        Err(SqlError::new(SqlState::QUERY_CANCELED, message))
    })
}

/// Runs a statement in a transaction.
async fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    prepared: &Prepared,
    parameters: &[ScalarValue],
) -> Result<Response> {
    let bound = bound_for(context.planner, transaction, prepared)?;
    statement::run(context, transaction, &prepared.statement, &bound, parameters).await
}

/// The statement as bound under the catalog that the transaction sees.
fn bound_for(planner: &Planner, transaction: &Transaction, prepared: &Prepared) -> Result<Arc<Bound>> {
    if !prepared.bound.beyond_catalog()
        && prepared.identity == transaction.identity()
        && prepared.path == *transaction.path()
        && prepared.style.reads_like(&current())
        && transaction.can_use(prepared.catalog_version, &prepared.bound.scanned())
    {
        return Ok(prepared.bound.clone());
    }
    let types = prepared.parameters.iter().copied().map(Some).collect::<Vec<_>>();
    let catalog = transaction.query_catalog();
    let bound = statement::bind(planner, &catalog, &prepared.statement, &types)?;
    if matches!(bound, Bound::Query(_)) && !have_same_shape(bound.columns(), prepared.columns()) {
        let message = "cached plan must not change result type";
        // Drivers that prepare by themselves prepare again when they read this.
        let subject = ErrorSubject { routine: Some("RevalidateCachedQuery"), ..ErrorSubject::default() };
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).about(subject));
    }
    Ok(Arc::new(bound))
}

/// Whether rows of these columns look the same to a client.
fn have_same_shape(new: Option<Vec<Column>>, old: Option<&[Column]>) -> bool {
    let shape = |column: &Column| (column.name.clone(), column.sql_type);
    new.iter().flatten().map(shape).eq(old.into_iter().flatten().map(shape))
}

/// The one value of an array.
fn scalar(array: &dyn Array) -> Result<ScalarValue> {
    ScalarValue::try_from_array(array, 0).map_err(|error| springtide_plan::sql_error(&error))
}

/// The types of parameters, those that a client declares as it declares them: to a column of text it may send a varchar.
fn as_declared(mut types: Vec<SqlType>, declared: &[Option<SqlType>]) -> Vec<SqlType> {
    for (sql_type, declared) in types.iter_mut().zip(declared) {
        if let Some(declared) = declared.filter(|declared| declared.arrow() == sql_type.arrow()) {
            *sql_type = declared;
        }
    }
    types
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

fn overtaken() -> SqlError {
    let message = "could not serialize access due to concurrent update";
    SqlError::new(SqlState::SERIALIZATION_FAILURE, message).with_hint("Retry the transaction.")
}

//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.

use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use pgwire::api::results::FieldFormat;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use springtide_engine::{Column, Prepared, Response, ScalarValue, TransactionStatus};
use springtide_types::{Result, SqlError, SqlState};

use crate::connection::{Connection, Failure};
use crate::describe::{declared_type, formats, row_description};
use crate::parameters;
use crate::rows::Cursor;

/// How long an Execute waits to see whether a Sync follows. Clients send them together.
const SYNC_PATIENCE: Duration = Duration::from_millis(10);

/// A prepared statement with its parameters.
pub(crate) struct Portal {
    /// `None` if the statement is empty.
    prepared: Option<Arc<Prepared>>,
    /// One format per column of the result.
    formats: Vec<FieldFormat>,
    state: PortalState,
}

enum PortalState {
    /// Not executed yet.
    Bound(Vec<ScalarValue>),
    /// Executed, and some rows may be left.
    Open(Cursor),
    /// Executed; it returned no rows.
    Done,
}

impl Connection {
    pub(crate) async fn parse(&mut self, message: Parse) -> Result<(), Failure> {
        let name = message.name.unwrap_or_default();
        self.session.check_statement_name(&name)?;
        self.session.close_statement(&name);
        let prepared = match &self.session.parse(&message.query)?[..] {
            [] => None,
            [statement] => {
                let declared = message.type_oids.iter();
                let declared =
                    declared.map(|oid| declared_type(*oid).or_else(|| self.session.type_of_oid(*oid)));
                let declared = declared.collect::<Vec<_>>();
                Some(self.session.prepare(statement, &declared).await?)
            }
            _ => {
                let text = "cannot insert multiple commands into a prepared statement";
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).into());
            }
        };
        self.session.keep_statement(&name, prepared, &message.query);
        self.send_notices().await?;
        Ok(self.wire.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?)
    }

    pub(crate) async fn bind(&mut self, message: Bind) -> Result<(), Failure> {
        let name = message.portal_name.clone().unwrap_or_default();
        if !name.is_empty() && self.portals.contains_key(&name) {
            return Err(SqlError::new(
                SqlState::from_code("42P03"),
                format!("cursor \"{name}\" already exists"),
            )
            .into());
        }
        let portal = self.bound(&message)?;
        self.portals.insert(name, portal);
        Ok(self.wire.feed(PgWireBackendMessage::BindComplete(BindComplete::new())).await?)
    }

    fn bound(&self, message: &Bind) -> Result<Portal> {
        let violation = |text: String| SqlError::new(SqlState::PROTOCOL_VIOLATION, text);
        let name = message.statement_name.as_deref().unwrap_or_default();
        let prepared = self.session.statement(name)?.cloned();
        let types = prepared.as_deref().map_or(&[][..], Prepared::parameters);
        let given = &message.parameters;

        let codes = &message.parameter_format_codes;
        let parameter_formats = formats(codes, given.len())?.ok_or_else(|| {
            violation(format!(
                "bind message has {} parameter formats but {} parameters",
                codes.len(),
                given.len()
            ))
        })?;
        if given.len() != types.len() {
            return Err(violation(format!(
                "bind message supplies {} parameters, but prepared statement \"{name}\" requires {}",
                given.len(),
                types.len()
            )));
        }
        let values = given.iter().zip(types).zip(parameter_formats).enumerate();
        let values = values.map(|(i, ((bytes, sql_type), format))| {
            parameters::decode(&self.session, i, *sql_type, format, bytes.as_deref())
        });
        let values = values.collect::<Result<Vec<_>>>()?;

        let codes = &message.result_column_format_codes;
        let columns = prepared.as_deref().and_then(Prepared::columns).map_or(0, <[Column]>::len);
        let formats = formats(codes, columns)?.ok_or_else(|| {
            violation(format!(
                "bind message has {} result formats but query has {columns} columns",
                codes.len()
            ))
        })?;
        Ok(Portal { prepared, formats, state: PortalState::Bound(values) })
    }

    pub(crate) async fn describe(&mut self, message: Describe) -> Result<(), Failure> {
        let name = message.name.as_deref().unwrap_or_default();
        let (parameters, columns) = match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                let prepared = self.session.statement(name)?.map(Arc::as_ref);
                let parameters = prepared.map_or(&[][..], Prepared::parameters);
                let parameters =
                    ParameterDescription::new(parameters.iter().map(|sql_type| sql_type.oid()).collect());
                let text =
                    |columns: &[Column]| row_description(columns, &vec![FieldFormat::Text; columns.len()]);
                (Some(parameters), prepared.and_then(Prepared::columns).map(text))
            }
            TARGET_TYPE_BYTE_PORTAL => (None, self.portal_description(name)?),
            other => {
                return Err(Failure::protocol_violation(format!("invalid DESCRIBE message subtype {other}")));
            }
        };
        if let Some(parameters) = parameters {
            self.wire.feed(PgWireBackendMessage::ParameterDescription(parameters)).await?;
        }
        let columns = columns.unwrap_or(PgWireBackendMessage::NoData(NoData::new()));
        Ok(self.wire.feed(columns).await?)
    }

    /// The columns of a portal, or of a cursor, which is one too; `None` if it returns no rows.
    fn portal_description(&self, name: &str) -> Result<Option<PgWireBackendMessage>> {
        if let Some(portal) = self.portals.get(name) {
            let columns = portal.prepared.as_deref().and_then(Prepared::columns);
            return Ok(columns.map(|columns| row_description(columns, &portal.formats)));
        }
        let columns = self.session.cursor_columns(name).ok_or_else(|| no_portal(name))?;
        Ok(Some(row_description(columns, &vec![FieldFormat::Text; columns.len()])))
    }

    pub(crate) async fn execute_portal(&mut self, message: Execute) -> Result<(), Failure> {
        let name = message.name.unwrap_or_default();
        let limit = usize::try_from(message.max_rows).ok().filter(|limit| *limit > 0);
        // A portal that fails is gone.
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let answer = self.advance(&mut portal, &name, limit).await?;
        self.portals.insert(name, portal);
        Ok(self.wire.feed(answer).await?)
    }

    /// Runs a portal, or goes on with it; gives back the message that ends the answer.
    async fn advance(
        &mut self,
        portal: &mut Portal,
        name: &str,
        limit: Option<usize>,
    ) -> Result<PgWireBackendMessage, Failure> {
        let complete = |tag| PgWireBackendMessage::CommandComplete(CommandComplete::new(tag));
        let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
        let Some(prepared) = &portal.prepared else { return Ok(empty) };
        if let PortalState::Bound(parameters) = &mut portal.state {
            let parameters = std::mem::take(parameters);
            portal.state = PortalState::Done;
            self.join_pipeline().await?;
            match self.execute(prepared, parameters).await? {
                Response::Rows { columns, batches, tag } => {
                    let cursor = Cursor::new(&columns, portal.formats.clone(), batches, tag);
                    portal.state = PortalState::Open(cursor);
                }
                Response::Complete { tag } => return Ok(complete(tag)),
                Response::Empty => return Ok(empty),
                Response::CopyIn { columns, binary } => {
                    return Ok(complete(self.copy_in(columns, binary).await?));
                }
                Response::CopyOut { columns, batches, format } => {
                    return Ok(complete(self.copy_out(&columns, batches, format).await?));
                }
            }
        }
        let PortalState::Open(cursor) = &mut portal.state else {
            let text = format!("portal \"{name}\" cannot be run");
            return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).into());
        };
        let sent = self.send_rows(cursor, limit).await?;
        if sent.suspended {
            return Ok(PgWireBackendMessage::PortalSuspended(PortalSuspended::new()));
        }
        Ok(complete(cursor.tag(sent.rows)))
    }

    /// All statements up to a Sync are one transaction. A single one, which is followed by its Sync, commits by
    /// itself instead: that costs less, and the engine can then repeat it if it conflicts with another commit.
    async fn join_pipeline(&mut self) -> Result<(), Failure> {
        if self.session.transaction_status() != TransactionStatus::Idle {
            return Ok(());
        }
        if let Ok(message) = tokio::time::timeout(SYNC_PATIENCE, self.receive()).await {
            self.lookahead = message?;
        }
        if !matches!(self.lookahead, Some(PgWireFrontendMessage::Sync(_))) {
            self.session.begin_implicit();
        }
        Ok(())
    }

    pub(crate) async fn close(&mut self, message: Close) -> Result<(), Failure> {
        let name = message.name.unwrap_or_default();
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => self.session.close_statement(&name),
            TARGET_TYPE_BYTE_PORTAL if self.portals.remove(&name).is_none() => {
                self.session.close_cursor(&name);
            }
            TARGET_TYPE_BYTE_PORTAL => {}
            other => {
                return Err(Failure::protocol_violation(format!("invalid CLOSE message subtype {other}")));
            }
        }
        Ok(self.wire.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?)
    }

    pub(crate) async fn sync(&mut self) -> Result<(), Failure> {
        self.session.end_implicit().await?;
        self.ready_for_query().await
    }
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

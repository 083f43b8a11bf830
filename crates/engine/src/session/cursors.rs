//! DECLARE, FETCH, MOVE and CLOSE.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::common::ScalarValue;
use futures::{StreamExt, stream};
use springtide_catalog::system::CursorFacts;
use springtide_types::{Result, SqlError, SqlState, SqlType};

use super::cursor::Cursor;
use super::{Session, deadline, until};
use crate::control::{DeclareCursor, Motion};
use crate::moment::{Moment, now};
use crate::response::{Column, Response, RowsTag};

/// The open cursors of a session, by name.
#[derive(Default)]
pub(super) struct Cursors {
    open: HashMap<String, Open>,
    facts: Arc<BTreeMap<String, CursorFacts>>,
    /// How many were ever declared.
    declared: usize,
}

struct Open {
    cursor: Cursor,
    hold: bool,
    /// How many had been declared before it, while the transaction that declared it is open.
    of_transaction: Option<usize>,
}

impl Cursors {
    /// What queries may ask about them.
    pub(super) fn facts(&self) -> &Arc<BTreeMap<String, CursorFacts>> {
        &self.facts
    }

    /// How many were ever declared.
    pub(super) fn declared(&self) -> usize {
        self.declared
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The cursor of this name, or `34000`.
    pub(super) fn get(&self, name: &str) -> Result<&Cursor> {
        self.open.get(name).map(|open| &open.cursor).ok_or_else(|| missing(name))
    }

    fn insert(&mut self, name: String, open: Open, facts: CursorFacts) {
        self.declared += 1;
        Arc::make_mut(&mut self.facts).insert(name.clone(), facts);
        self.open.insert(name, open);
    }

    /// Closes those for which `stays` does not hold.
    fn retain(&mut self, stays: impl Fn(&Open) -> bool) {
        if self.open.values().all(&stays) {
            return;
        }
        self.open.retain(|_, open| stays(open));
        let open = &self.open;
        Arc::make_mut(&mut self.facts).retain(|name, _| open.contains_key(name));
    }

    /// Closes those of the transaction that were declared when there had been so many, or later.
    pub(super) fn close_since(&mut self, declared: usize) {
        self.retain(|open| open.of_transaction.is_none_or(|before| before < declared));
    }

    /// Those WITH HOLD outlive the transaction that declared them, if it commits; others don't.
    pub(super) fn end_transaction(&mut self, committed: bool) {
        self.retain(|open| open.of_transaction.is_none() || (open.hold && committed));
        self.open.values_mut().for_each(|open| open.of_transaction = None);
    }
}

impl Session {
    /// DECLARE, of a query with these parameters.
    pub(super) async fn declare_cursor(
        &mut self,
        declared: DeclareCursor,
        text: &str,
        (types, parameters): (&[SqlType], Vec<ScalarValue>),
    ) -> Result<Response> {
        let query = declared.statement(text);
        let DeclareCursor { name, scroll, hold, .. } = declared;
        if !hold {
            self.require_block("DECLARE CURSOR")?;
        }
        if self.cursors.open.contains_key(&name) {
            let message = format!("cursor \"{name}\" already exists");
            return Err(SqlError::new(SqlState::DUPLICATE_CURSOR, message));
        }
        let types = types.iter().copied().map(Some).collect::<Vec<_>>();
        let prepared = self.prepare_now(&query, &types)?;
        let in_block = self.require_block("DECLARE CURSOR").is_ok();
        let Response::Rows { columns, batches, .. } = self.run_prepared(&prepared, parameters).await? else {
            return Err(SqlError::internal("a query returns rows"));
        };
        // What it will be asked is not known when the transaction is run again.
        self.note_unrepeatable();
        let facts = CursorFacts {
            text: text.to_owned(),
            created_at: now() as Moment,
            hold,
            scroll: scroll != Some(false),
        };
        let of_transaction = in_block.then_some(self.cursors.declared);
        let cursor = Cursor::new(columns, batches, scroll);
        self.cursors.insert(name, Open { cursor, hold, of_transaction }, facts);
        Ok(Response::complete("DECLARE CURSOR"))
    }

    pub(super) async fn fetch(&mut self, name: &str, motion: Motion, moves: bool) -> Result<Response> {
        let open = self.cursors.open.get_mut(name).ok_or_else(|| missing(name))?;
        let cursor = &mut open.cursor;
        let passed = until(deadline(&self.settings), cursor.go(motion)).await?;
        if moves {
            cursor.forget();
            return Ok(Response::complete(format!("MOVE {}", passed.count())));
        }
        let columns = cursor.columns().into();
        let rows = cursor.rows(&passed)?;
        cursor.forget();
        let batches = stream::iter(rows.into_iter().map(Ok)).boxed();
        Ok(Response::Rows { columns, batches, tag: RowsTag::Counted("FETCH") })
    }

    /// CLOSE of one cursor, or of all.
    pub(super) fn close_cursors(&mut self, name: Option<&str>) -> Result<Response> {
        let Some(name) = name else {
            self.cursors.retain(|_| false);
            return Ok(Response::complete("CLOSE CURSOR ALL"));
        };
        self.cursors.get(name)?;
        self.close_cursor(name);
        Ok(Response::complete("CLOSE CURSOR"))
    }

    /// Closes a cursor, if there is one of this name.
    pub fn close_cursor(&mut self, name: &str) {
        if self.cursors.open.remove(name).is_some() {
            Arc::make_mut(&mut self.cursors.facts).remove(name);
        }
    }

    /// The columns of a cursor, if there is one of this name.
    pub fn cursor_columns(&self, name: &str) -> Option<&[Column]> {
        self.cursors.get(name).ok().map(Cursor::columns)
    }
}

fn missing(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

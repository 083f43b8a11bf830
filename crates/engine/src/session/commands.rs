//! Statements about the session itself, and about the database as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use futures::{StreamExt, TryStreamExt, stream};
use springtide_catalog::Catalog;
use springtide_sql::sqlparser::ast::{self, Ident, ObjectName};
use springtide_storage::Snapshot;
use springtide_types::{Epoch, Result, SqlError, SqlState, SqlType};

use super::{Scope, Session};
use crate::control::Control;
use crate::moment::epoch_at;
use crate::notice::Notice;
use crate::prepared::Prepared;
use crate::response::{Column, Response, RowsTag};
use crate::settings::SESSION_AUTHORIZATION;
use crate::statement::{column_positions, parse_query};

/// What SHOW lists the named moments under.
const SNAPSHOTS: &str = "snapshots";

impl Session {
    pub(super) async fn control(
        &mut self,
        control: Control,
        prepared: &Prepared,
        parameters: Vec<ScalarValue>,
    ) -> Result<Response> {
        let statement = prepared.statement.as_ref();
        match control {
            Control::Begin { read_only } => Ok(self.begin(read_only)),
            Control::Commit => self.commit().await,
            Control::Rollback => Ok(self.rollback()),
            Control::Savepoint(name) => self.savepoint(name),
            Control::Release(name) => self.release(&name),
            Control::RollbackTo(name) => self.roll_back_to(&name),
            Control::Prepare { name, types, statement: named } => {
                self.prepare_named(name, &types, *named, (&statement.text, statement.write.clone()))
            }
            Control::Execute(_) => Err(SqlError::internal("EXECUTE is run as what it executes")),
            Control::Deallocate(name) => self.deallocate(name.as_deref()),
            Control::Declare(declared) => {
                self.declare_cursor(*declared, &statement.text, (prepared.parameters(), parameters)).await
            }
            Control::Fetch { cursor, motion, moves } => self.fetch(&cursor, motion, moves).await,
            Control::Close(name) => self.close_cursors(name.as_deref()),
            Control::Set { name, value, local: true } => {
                if !self.has_no_effect("SET LOCAL") {
                    self.settings.set_local(&name, &value)?;
                }
                Ok(Response::complete("SET"))
            }
            Control::Set { name, value, local: false } => {
                self.settings.set(&name, &value)?;
                Ok(Response::complete("SET"))
            }
            Control::Reset { name, local: true } => {
                if !self.has_no_effect("SET LOCAL") {
                    self.settings.reset_local(&name)?;
                }
                Ok(Response::complete("SET"))
            }
            Control::Reset { name, local: false } => {
                self.settings.reset(&name)?;
                Ok(Response::complete("RESET"))
            }
            Control::SetRole { what, scope, name } => self.set_role(what, scope, name.as_deref()),
            Control::ResetAll => {
                self.settings.reset_all();
                Ok(Response::complete("RESET"))
            }
            Control::DiscardAll => {
                self.refuse_in_transaction("DISCARD ALL")?;
                self.set_role(SESSION_AUTHORIZATION, Scope::Session, None)?;
                self.settings.reset_all();
                self.deallocate(None)?;
                self.close_cursors(None)?;
                self.sequences.forget();
                self.drop_temporary().await?;
                Ok(Response::complete("DISCARD ALL"))
            }
            Control::Show { name } if name == SNAPSHOTS => {
                Ok(show_snapshots(&self.shared.checkpoints()?.snapshots()))
            }
            Control::Show { name } => {
                let value = self.settings.get(&name)?.to_owned();
                Ok(Response::text(&name, "SHOW", vec![value]))
            }
            Control::ShowAll => Ok(self.show_all()),
            Control::Maintain { tag, relations } => self.maintain(tag, &relations),
            Control::Checkpoint => {
                self.require_superuser("do CHECKPOINT")?;
                self.shared.checkpoint().await?;
                Ok(Response::complete("CHECKPOINT"))
            }
            Control::CreateSnapshot { name, as_of } => {
                self.refuse_in_transaction("CREATE SNAPSHOT")?;
                self.require_superuser("create a snapshot")?;
                let epoch = match as_of {
                    Some(expr) => Some(self.moment(&expr).await?),
                    None => None,
                };
                self.shared.checkpoints()?.create_snapshot(name, epoch).await?;
                Ok(Response::complete("CREATE SNAPSHOT"))
            }
            Control::DropSnapshot { name, if_exists } => {
                self.refuse_in_transaction("DROP SNAPSHOT")?;
                self.require_superuser("drop a snapshot")?;
                let dropped = self.shared.checkpoints()?.drop_snapshot(name).await;
                match dropped {
                    Err(error) if if_exists && error.sqlstate == SqlState::UNDEFINED_OBJECT => {
                        self.notices.push(Notice::new(format!("{}, skipping", error.message)));
                    }
                    dropped => dropped?,
                }
                Ok(Response::complete("DROP SNAPSHOT"))
            }
            Control::DiscardSequences => {
                self.sequences.forget();
                Ok(Response::complete("DISCARD SEQUENCES"))
            }
            Control::DiscardTemporary => {
                self.drop_temporary().await?;
                Ok(Response::complete("DISCARD TEMP"))
            }
            Control::Ignore { tag } => Ok(Response::complete(tag)),
        }
    }

    /// VACUUM and ANALYZE: contents and statistics look after themselves.
    fn maintain(&self, tag: &'static str, relations: &[(ObjectName, Vec<Ident>)]) -> Result<Response> {
        if tag == "VACUUM" {
            self.refuse_in_transaction(tag)?;
        }
        let catalog = self.query_catalog();
        for (name, columns) in relations {
            let relation = catalog.get(&springtide_sql::object_name(name)?)?;
            column_positions(relation, columns)?;
        }
        Ok(Response::complete(tag))
    }

    /// The moment that an expression without columns stands for.
    async fn moment(&mut self, expr: &ast::Expr) -> Result<Epoch> {
        let query = parse_query(&format!("SELECT CAST(({expr}) AS timestamptz)"))?;
        let planner = self.shared.planner.clone();
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

    fn show_all(&self) -> Response {
        let facts = self.settings.facts();
        let names = facts.keys().map(|name| Some(name.as_str()));
        let values = facts.values().map(|fact| Some(fact.value.as_str()));
        let descriptions = facts.values().map(|fact| Some(fact.description));
        let columns: [(&str, ArrayRef); 3] = [
            ("name", Arc::new(StringArray::from_iter(names))),
            ("setting", Arc::new(StringArray::from_iter(values))),
            ("description", Arc::new(StringArray::from_iter(descriptions))),
        ];
        shown(setting_columns(), columns)
    }
}

/// Columns of the statements that answer with rows of their own.
pub(super) fn columns(control: &Control) -> Option<Vec<Column>> {
    match control {
        Control::Show { name } if name == SNAPSHOTS => Some(snapshot_columns()),
        Control::Show { name } => Some(vec![column(name, SqlType::Text)]),
        Control::ShowAll => Some(setting_columns()),
        _ => None,
    }
}

fn column(name: &str, sql_type: SqlType) -> Column {
    Column::computed(name, sql_type)
}

fn setting_columns() -> Vec<Column> {
    ["name", "setting", "description"].map(|name| column(name, SqlType::Text)).into()
}

fn snapshot_columns() -> Vec<Column> {
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
    shown(snapshot_columns(), columns)
}

fn shown<const N: usize>(columns: Vec<Column>, arrays: [(&str, ArrayRef); N]) -> Response {
    let batch = RecordBatch::try_from_iter(arrays).expect("columns are of one length");
    let batches = stream::iter([Ok(batch)]).boxed();
    Response::Rows { columns: columns.into(), batches, tag: RowsTag::Fixed("SHOW") }
}

//! Runs bound queries over snapshots.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::{TableProvider, source_as_provider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream, StreamExt};
use springtide_datetime::{Styled, current};
use springtide_plan::sql_error;
use springtide_types::{Result, SqlError, ZBatch};

use crate::errors::plan_error;
use crate::relation_table::RelationTable;
use crate::style::keep_style;
use crate::{BoundQuery, Planner, Scan, pipeline};

/// Rows of a result, as they are computed.
pub type SendableStream = BoxStream<'static, Result<RecordBatch>>;

/// Below this many input rows, sharing work out costs more than it saves.
const PARALLEL_ROWS: usize = 64 * 1024;

impl Planner {
    /// Runs a query over what it scans: rows with positive weights, a row of weight n being n rows. The parameters have the types of [`BoundQuery::parameters`].
    pub async fn execute(
        &self,
        query: &BoundQuery,
        contents: &HashMap<Scan, Vec<ZBatch>>,
        parameters: &[ScalarValue],
    ) -> Result<SendableStream> {
        check_parameters(query, parameters)?;
        let rows = contents.values().flatten().map(ZBatch::len).sum::<usize>();
        let schema = query.schema().clone();
        if rows <= pipeline::MOST_ROWS
            && let Some(pipeline) = query.pipeline()
        {
            let batches = pipeline.run(contents, parameters).map_err(|error| run_error(&error))?;
            return Ok(stream::iter(batches).map(move |batch| conform(&batch, &schema)).boxed());
        }
        let (physical, state) = self.physical(query, contents, parameters).await?;
        let stream = execute_stream(physical, state.task_ctx()).map_err(|error| plan_error(&error))?;
        let stream = in_a_task(stream);
        Ok(stream.map(move |batch| conform(&batch.map_err(|error| run_error(&error))?, &schema)).boxed())
    }

    /// The physical plan of a query over what it scans, and what it runs in.
    pub(crate) async fn physical(
        &self,
        query: &BoundQuery,
        contents: &HashMap<Scan, Vec<ZBatch>>,
        parameters: &[ScalarValue],
    ) -> Result<(Arc<dyn ExecutionPlan>, SessionState)> {
        let rows = contents.values().flatten().map(ZBatch::len).sum::<usize>();
        let plan = with_parameters(query, parameters)?;
        let state = if rows < PARALLEL_ROWS { self.serial() } else { self.parallel() };
        let state = with_clock(state);
        let plan = with_snapshots(plan, contents, state.config_options().execution.target_partitions)?;
        let plan = self.optimize(&state, plan)?;
        let physical = state.query_planner().create_physical_plan(&plan, &state).await;
        let physical = physical.and_then(with_pauses).map_err(|error| plan_error(&error))?;
        Ok((physical, state))
    }
}

/// Joins may give rows for a long time out of few that they read. Between them, others get their turn, and the query can
/// be given up.
fn with_pauses(plan: Arc<dyn ExecutionPlan>) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let paused = plan.transform_up(|node| {
        if !node.name().ends_with("JoinExec") {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
    });
    paused.map(|plan| plan.data)
}

/// Computes rows, one batch ahead, in a task of its own, so that whoever waits for them can stop waiting at any time. The
/// task ends with the stream.
fn in_a_task(mut input: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(input.schema(), 1);
    let output = builder.tx();
    let work = Box::pin(async move {
        while let Some(batch) = input.next().await {
            if output.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    builder.spawn(Styled::new(current(), work));
    builder.build()
}

/// `now()` is the time at which the statement starts.
fn with_clock(state: &SessionState) -> SessionState {
    let mut state = SessionStateBuilder::new_from_existing(state.clone()).build();
    keep_style(state.config_mut().options_mut());
    state.mark_start_execution();
    state
}

/// Some of what the planner refuses shows only when a query runs.
pub(crate) fn run_error(error: &datafusion::error::DataFusionError) -> SqlError {
    match sql_error(error) {
        SqlError { sqlstate, .. } if sqlstate.code() == "XX000" || sqlstate.code() == "22000" => {
            plan_error(error)
        }
        known => known,
    }
}

fn check_parameters(query: &BoundQuery, parameters: &[ScalarValue]) -> Result<()> {
    let (given, required) = (parameters.len(), query.parameters.len());
    if given >= required {
        return Ok(());
    }
    let message = format!("bind message supplies {given} parameters, but the statement requires {required}");
    Err(SqlError::new(springtide_types::SqlState::PROTOCOL_VIOLATION, message))
}

fn with_parameters(query: &BoundQuery, parameters: &[ScalarValue]) -> Result<LogicalPlan> {
    let plan = (*query.plan).clone();
    if query.parameters.is_empty() {
        return Ok(plan);
    }
    let values = ParamValues::from(parameters.to_vec());
    plan.with_param_values(values).map_err(|error| plan_error(&error))
}

fn with_snapshots(
    plan: LogicalPlan,
    contents: &HashMap<Scan, Vec<ZBatch>>,
    partitions: usize,
) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let provider: &dyn std::any::Any = provider.as_ref();
        let Some(table) = provider.downcast_ref::<RelationTable>() else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let contents = contents.get(&table.scan()).map_or(&[][..], Vec::as_slice);
        scan.source = table.with_snapshot(partition(contents, &table.schema(), partitions)?).into_source();
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    plan.map(|plan| plan.data).map_err(|error| plan_error(&error))
}

/// Deals batches out to partitions, large ones in slices.
fn partition(
    contents: &[ZBatch],
    schema: &SchemaRef,
    partitions: usize,
) -> datafusion::error::Result<Vec<Vec<RecordBatch>>> {
    let mut dealt = vec![Vec::new(); partitions];
    let mut next = 0;
    for zbatch in contents.iter().filter(|zbatch| !zbatch.is_empty()) {
        let rows = under_names(expand(zbatch)?, schema)?;
        let slice =
            if partitions == 1 { rows.num_rows() } else { rows.num_rows().div_ceil(partitions).max(8192) };
        for start in (0..rows.num_rows()).step_by(slice) {
            dealt[next % partitions].push(rows.slice(start, slice.min(rows.num_rows() - start)));
            next += 1;
        }
    }
    Ok(dealt)
}

/// Rows under the names that their columns have now: contents keep those of their beginning.
fn under_names(rows: RecordBatch, schema: &SchemaRef) -> datafusion::error::Result<RecordBatch> {
    if Arc::ptr_eq(&rows.schema(), schema) {
        return Ok(rows);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), rows.columns().to_vec(), &options)?)
}

/// Each row as often as its weight says.
pub(crate) fn expand(zbatch: &ZBatch) -> datafusion::error::Result<RecordBatch> {
    if zbatch.weights().values().iter().all(|weight| *weight == 1) {
        return Ok(zbatch.rows().clone());
    }
    let repeat =
        |(row, weight): (usize, &i64)| std::iter::repeat_n(row as u32, usize::try_from(*weight).unwrap_or(0));
    let rows = zbatch.weights().values().iter().enumerate().flat_map(repeat).collect::<Vec<_>>();
    Ok(take_record_batch(zbatch.rows(), &UInt32Array::from(rows))?)
}

/// The batch under the names that the client sees. The types are right already, but for views of texts.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let arrow = |error| springtide_plan::arrow_error(&error);
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(column.clone())
        } else {
            arrow::compute::cast(column, field.data_type()).map_err(arrow)
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(arrow)
}

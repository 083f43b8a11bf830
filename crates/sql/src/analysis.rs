//! What it takes to run a query: EXPLAIN ANALYZE.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use futures::TryStreamExt;
use springtide_types::{Result, ZBatch};

use crate::errors::plan_error;
use crate::execute::run_error;
use crate::{BoundQuery, Planner, Scan};

/// A query that was run.
#[derive(Debug)]
pub struct Analysis {
    /// What gave the result.
    pub root: AnalyzedNode,
    /// How long it took to decide how to run it.
    pub planning: Duration,
    /// How long it took to run it.
    pub execution: Duration,
}

/// A step of a query that was run.
#[derive(Debug)]
pub struct AnalyzedNode {
    /// What kind of step it is.
    pub name: String,
    /// What it does, in one line.
    pub description: String,
    /// How many rows it gave, if it counts them.
    pub rows: Option<usize>,
    /// The time that it took itself, on all processors.
    pub time: Duration,
    /// Where its rows came from.
    pub inputs: Vec<AnalyzedNode>,
}

impl Planner {
    /// Runs a query without parameters as [`Planner::execute`] does, and tells what it took.
    pub async fn analyze_execution(
        &self,
        query: &BoundQuery,
        contents: &HashMap<Scan, Vec<ZBatch>>,
    ) -> Result<Analysis> {
        let start = Instant::now();
        let (physical, state) = self.physical(query, contents, &[]).await?;
        let planned = Instant::now();
        let stream =
            execute_stream(physical.clone(), state.task_ctx()).map_err(|error| plan_error(&error))?;
        stream.try_for_each(|_| async { Ok(()) }).await.map_err(|error| run_error(&error))?;
        let execution = planned.elapsed();
        Ok(Analysis { root: analyzed(&physical), planning: planned - start, execution })
    }
}

fn analyzed(plan: &Arc<dyn ExecutionPlan>) -> AnalyzedNode {
    let metrics = plan.metrics();
    let nanoseconds = metrics.as_ref().and_then(|metrics| metrics.elapsed_compute()).unwrap_or(0);
    AnalyzedNode {
        name: plan.name().to_owned(),
        description: displayable(plan.as_ref()).one_line().to_string().trim_end().to_owned(),
        rows: metrics.as_ref().and_then(|metrics| metrics.output_rows()),
        time: Duration::from_nanos(nanoseconds as u64),
        inputs: plan.children().into_iter().map(analyzed).collect(),
    }
}

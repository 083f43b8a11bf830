//! The join of batches.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan,
    ExecutionPlanProperties, InputDistributionRequirements, PhysicalExpr, PlanProperties,
    ReplaceChildrenOptions, apply_expression_roots,
};
use futures::lock::Mutex;
use futures::{StreamExt, TryStreamExt, stream};

use super::candidates::Candidates;

/// What an ASOF JOIN computes. Expressions of one side are over its columns, [`of_match`](Compiled::of_match) over
/// those of both.
#[derive(Debug)]
pub(super) struct Compiled {
    pub left_keys: Vec<Arc<dyn PhysicalExpr>>,
    pub right_keys: Vec<Arc<dyn PhysicalExpr>>,
    pub left_time: Arc<dyn PhysicalExpr>,
    pub right_time: Arc<dyn PhysicalExpr>,
    pub op: Operator,
    pub of_match: Option<Arc<dyn PhysicalExpr>>,
    pub keeps_left: bool,
    pub schema: SchemaRef,
}

/// Sorts the right side once, for all partitions of the left; the rows of these are then joined as they come, and keep
/// their order. O((n + m) log m) for n rows on the left and m on the right.
pub(super) struct AsofJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    compiled: Arc<Compiled>,
    properties: Arc<PlanProperties>,
    /// `None` until the first partition runs.
    candidates: Arc<Mutex<Option<Arc<Candidates>>>>,
}

impl AsofJoinExec {
    pub(super) fn new(
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        compiled: Arc<Compiled>,
    ) -> AsofJoinExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(compiled.schema.clone()),
            left.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let properties = Arc::new(properties);
        AsofJoinExec { left, right, compiled, properties, candidates: Arc::default() }
    }
}

impl fmt::Debug for AsofJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsofJoinExec").field("compiled", &self.compiled).finish_non_exhaustive()
    }
}

impl DisplayAs for AsofJoinExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsofJoinExec")
    }
}

impl ExecutionPlan for AsofJoinExec {
    fn name(&self) -> &str {
        "AsofJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![
            Distribution::UnspecifiedDistribution,
            Distribution::SinglePartition,
        ])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let Compiled { left_keys, right_keys, left_time, right_time, of_match, .. } = self.compiled.as_ref();
        let keys = left_keys.iter().chain(right_keys);
        apply_expression_roots(keys.chain([left_time, right_time]).chain(of_match), f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right] = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children)
            .map_err(|_| internal_datafusion_err!("an ASOF JOIN has two inputs"))?;
        Ok(Arc::new(AsofJoinExec::new(left, right, self.compiled.clone())))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let left = self.left.execute(partition, context.clone())?;
        let (right, compiled, shared) = (self.right.clone(), self.compiled.clone(), self.candidates.clone());
        let joined = stream::once(async move {
            let candidates = candidates(&shared, &right, context, &compiled).await?;
            let joined = left.map(move |rows| compiled.join(&rows?, &candidates));
            Ok::<_, DataFusionError>(joined)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.compiled.schema.clone(), joined.try_flatten())))
    }
}

/// The sorted right side, from whoever asks first.
async fn candidates(
    shared: &Mutex<Option<Arc<Candidates>>>,
    right: &Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    compiled: &Compiled,
) -> Result<Arc<Candidates>> {
    let mut shared = shared.lock().await;
    if let Some(candidates) = shared.as_ref() {
        return Ok(candidates.clone());
    }
    let batches = right.execute(0, context)?.try_collect::<Vec<_>>().await?;
    let rows = concat_batches(&right.schema(), &batches)?;
    Ok(shared.insert(Arc::new(compiled.candidates(rows)?)).clone())
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(rows)?.into_array(rows.num_rows())
}

fn evaluate_all(exprs: &[Arc<dyn PhysicalExpr>], rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
    exprs.iter().map(|expr| evaluate(expr, rows)).collect()
}

impl Compiled {
    fn candidates(&self, rows: RecordBatch) -> Result<Candidates> {
        let (keys, time) = (evaluate_all(&self.right_keys, &rows)?, evaluate(&self.right_time, &rows)?);
        Candidates::new(rows, &keys, &time)
    }

    fn join(&self, left: &RecordBatch, candidates: &Candidates) -> Result<RecordBatch> {
        let (keys, time) = (evaluate_all(&self.left_keys, left)?, evaluate(&self.left_time, left)?);
        let found = candidates.nearest(&candidates.order.points(&keys, &time)?, self.op);
        let found = self.checked(left, found, candidates)?;
        if self.keeps_left {
            return self.combine(left.columns().to_vec(), &UInt32Array::from(found), candidates);
        }
        let (kept, right) = pairs(&found);
        self.combine(taken(left.columns(), &kept)?, &right, candidates)
    }

    /// The matches that fulfil what the match must fulfil.
    fn checked(
        &self,
        left: &RecordBatch,
        mut found: Vec<Option<u32>>,
        candidates: &Candidates,
    ) -> Result<Vec<Option<u32>>> {
        let Some(condition) = &self.of_match else { return Ok(found) };
        let (kept, right) = pairs(&found);
        let joined = self.combine(taken(left.columns(), &kept)?, &right, candidates)?;
        let holds = evaluate(condition, &joined)?;
        for (row, holds) in kept.values().iter().zip(holds.as_boolean()) {
            if holds != Some(true) {
                found[*row as usize] = None;
            }
        }
        Ok(found)
    }

    fn combine(
        &self,
        mut columns: Vec<ArrayRef>,
        right: &UInt32Array,
        candidates: &Candidates,
    ) -> Result<RecordBatch> {
        columns.extend(taken(candidates.rows.columns(), right)?);
        let options = RecordBatchOptions::new().with_row_count(Some(right.len()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// The rows that have a match, and the matches.
fn pairs(found: &[Option<u32>]) -> (UInt32Array, UInt32Array) {
    let matched = found.iter().enumerate().filter_map(|(row, found)| Some((row as u32, (*found)?)));
    let (left, right): (Vec<_>, Vec<_>) = matched.unzip();
    (left.into(), right.into())
}

fn taken(columns: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    columns.iter().map(|column| Ok(take(column, rows, None)?)).collect()
}

//! Queries that only filter and project one relation, run over a few rows without DataFusion's planner:
//! for point reads and point updates, planning costs a hundred times what the work does.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_expr::create_physical_expr;
use springtide_types::{RelationId, ZBatch};

use crate::execute::expand;

/// More rows than this are worth a plan.
const MOST_ROWS: usize = 1024;

/// The result of `plan` over `relations`, or `None` if the plan or the rows are not of the kind.
pub(crate) fn run(
    plan: &LogicalPlan,
    relations: &HashMap<RelationId, Vec<ZBatch>>,
) -> Option<Result<Vec<RecordBatch>>> {
    let rows = relations.values().flatten().map(ZBatch::len).sum::<usize>();
    (rows <= MOST_ROWS && is_pipeline(plan)).then(|| rows_of(plan, relations))
}

fn is_pipeline(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => {
            scan.filters.is_empty()
                && scan.fetch.is_none()
                && scan.projection.is_none()
                && crate::relation_table::scanned(scan).is_some()
        }
        LogicalPlan::SubqueryAlias(alias) => is_pipeline(&alias.input),
        LogicalPlan::Filter(filter) => is_row_wise(&filter.predicate) && is_pipeline(&filter.input),
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().all(is_row_wise) && is_pipeline(&projection.input)
        }
        _ => false,
    }
}

/// Whether the expression depends on nothing but its row: on no subquery and on no clock.
fn is_row_wise(expr: &Expr) -> bool {
    let mut row_wise = true;
    let visited = expr.apply(|expr| {
        row_wise &= match expr {
            // What computes its arguments lazily exists for the simplifier only.
            Expr::ScalarFunction(function) => {
                function.func.signature().volatility == Volatility::Immutable
                    && !function.func.short_circuits()
            }
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => false,
            _ => true,
        };
        Ok(if row_wise { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    visited.is_ok() && row_wise
}

fn rows_of(plan: &LogicalPlan, relations: &HashMap<RelationId, Vec<ZBatch>>) -> Result<Vec<RecordBatch>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let relation = crate::relation_table::scanned(scan).and_then(|table| relations.get(&table.id));
            relation.into_iter().flatten().map(expand).collect()
        }
        LogicalPlan::SubqueryAlias(alias) => rows_of(&alias.input, relations),
        LogicalPlan::Filter(filter) => {
            let input = rows_of(&filter.input, relations)?;
            let batches = input.iter().map(|batch| keep(batch, &filter.predicate, filter.input.schema()));
            batches.collect()
        }
        LogicalPlan::Projection(projection) => {
            let input = rows_of(&projection.input, relations)?;
            let schema = projection.input.schema();
            input.iter().map(|batch| project(batch, &projection.expr, schema)).collect()
        }
        _ => datafusion::common::internal_err!("not a pipeline"),
    }
}

fn keep(batch: &RecordBatch, predicate: &Expr, schema: &DFSchema) -> Result<RecordBatch> {
    let mask = evaluate(predicate, batch, schema)?;
    Ok(filter_record_batch(batch, mask.as_boolean())?)
}

fn project(batch: &RecordBatch, exprs: &[Expr], schema: &DFSchema) -> Result<RecordBatch> {
    let columns = exprs.iter().map(|expr| evaluate(expr, batch, schema)).collect::<Result<Vec<_>>>()?;
    let fields = exprs.iter().zip(&columns).map(|(expr, values)| {
        arrow::datatypes::Field::new(expr.schema_name().to_string(), values.data_type().clone(), true)
    });
    let output = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(output, columns, &options)?)
}

fn evaluate(expr: &Expr, batch: &RecordBatch, schema: &DFSchema) -> Result<arrow::array::ArrayRef> {
    let props = ExecutionProps::new();
    let physical = create_physical_expr(expr, schema, &props, &PhysicalPlanningContext::default())?;
    physical.evaluate(batch)?.into_array(batch.num_rows())
}

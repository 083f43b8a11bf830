//! Queries that only filter and project one relation, run over a few rows without DataFusion's planner: for
//! point reads and point updates, planning costs a hundred times what the work does.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{self as logical, DFSchema, Result, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, Volatility};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use springtide_types::{SqlType, ZBatch};

use crate::execute::expand;
use crate::parameter::Parameter;
use crate::scan::Scan;

/// More rows than this are worth a plan.
pub(crate) const MOST_ROWS: usize = 1024;

/// Qualifies the columns of parameters, so that no column of the query is mistaken for one.
const PARAMETERS: &str = "$parameters";

/// A compiled query, good for any parameters. Every batch on its way carries the parameters as columns after
/// its own.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// `None` stands for one row without columns.
    scan: Option<Scan>,
    schema: SchemaRef,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Keep(Arc<dyn PhysicalExpr>),
    /// The expressions, and the schema of what they make.
    Project(Vec<Arc<dyn PhysicalExpr>>, SchemaRef),
}

impl Pipeline {
    /// Compiles a plan if it is of the kind.
    pub(crate) fn compile(plan: &LogicalPlan, parameters: &[SqlType]) -> Option<Pipeline> {
        match plan {
            LogicalPlan::TableScan(scan) => Pipeline::scan(scan, parameters),
            LogicalPlan::EmptyRelation(empty)
                if empty.produce_one_row && empty.schema.fields().is_empty() =>
            {
                let schema = with_parameters(empty.schema.as_arrow(), parameters);
                Some(Pipeline { scan: None, schema, steps: Vec::new() })
            }
            LogicalPlan::SubqueryAlias(alias) => Pipeline::compile(&alias.input, parameters),
            LogicalPlan::Filter(filter) if is_row_wise(&filter.predicate) => {
                let mut pipeline = Pipeline::compile(&filter.input, parameters)?;
                let predicate = compile(&filter.predicate, filter.input.schema(), parameters)?;
                pipeline.steps.push(Step::Keep(predicate));
                Some(pipeline)
            }
            LogicalPlan::Projection(projection) if projection.expr.iter().all(is_row_wise) => {
                let mut pipeline = Pipeline::compile(&projection.input, parameters)?;
                let input = projection.input.schema();
                let exprs = projection.expr.iter().map(|expr| compile(expr, input, parameters));
                let schema = with_parameters(projection.schema.as_arrow(), parameters);
                pipeline.steps.push(Step::Project(exprs.collect::<Option<_>>()?, schema));
                Some(pipeline)
            }
            _ => None,
        }
    }

    fn scan(scan: &TableScan, parameters: &[SqlType]) -> Option<Pipeline> {
        let plain = scan.filters.is_empty() && scan.fetch.is_none() && scan.projection.is_none();
        let (_, read) = crate::relation_table::scanned(scan).filter(|_| plain)?;
        let schema = with_parameters(scan.projected_schema.as_arrow(), parameters);
        Some(Pipeline { scan: Some(read), schema, steps: Vec::new() })
    }

    /// The result, in batches whose first columns are those of the query. O(rows scanned).
    pub(crate) fn run(
        &self,
        contents: &HashMap<Scan, Vec<ZBatch>>,
        parameters: &[ScalarValue],
    ) -> Result<Vec<RecordBatch>> {
        let rows = match self.scan {
            None => vec![batch(&Arc::new(Schema::empty()), Vec::new(), 1)?],
            Some(scan) => {
                let contents = contents.get(&scan).map_or(&[][..], Vec::as_slice);
                contents.iter().filter(|rows| !rows.is_empty()).map(expand).collect::<Result<_>>()?
            }
        };
        let mut results = Vec::with_capacity(rows.len());
        for rows in &rows {
            results.extend(self.run_batch(rows, parameters)?);
        }
        Ok(results)
    }

    fn run_batch(&self, rows: &RecordBatch, parameters: &[ScalarValue]) -> Result<Option<RecordBatch>> {
        let mut columns = rows.columns().to_vec();
        for parameter in parameters.iter().take(self.schema.fields().len() - columns.len()) {
            columns.push(parameter.to_array_of_size(rows.num_rows())?);
        }
        let mut current = batch(&self.schema, columns, rows.num_rows())?;
        for step in &self.steps {
            current = step.run(&current)?;
            if current.num_rows() == 0 {
                return Ok(None);
            }
        }
        Ok(Some(current))
    }
}

impl Step {
    fn run(&self, input: &RecordBatch) -> Result<RecordBatch> {
        match self {
            Step::Keep(predicate) => {
                let mask = predicate.evaluate(input)?.into_array(input.num_rows())?;
                let mask = mask.as_boolean();
                let all = mask.true_count() == input.num_rows();
                if all { Ok(input.clone()) } else { Ok(filter_record_batch(input, mask)?) }
            }
            Step::Project(exprs, schema) => {
                let values = exprs.iter().map(|expr| expr.evaluate(input)?.into_array(input.num_rows()));
                let mut columns = values.collect::<Result<Vec<_>>>()?;
                let carried = schema.fields().len() - columns.len();
                columns.extend_from_slice(&input.columns()[input.num_columns() - carried..]);
                batch(schema, columns, input.num_rows())
            }
        }
    }
}

/// The schema with a column for each parameter after its own.
fn with_parameters(schema: &Schema, parameters: &[SqlType]) -> SchemaRef {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let own = schema.fields().iter().map(nullable);
    let parameters = parameters.iter().enumerate();
    let parameters =
        parameters.map(|(index, sql_type)| Field::new(format!("${}", index + 1), sql_type.arrow(), true));
    Arc::new(Schema::new(own.chain(parameters).collect::<Vec<_>>()))
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The expression over rows of `schema` and the parameters; `None` if that is not known to mean the same as
/// the expression with literals in the place of its parameters.
fn compile(expr: &Expr, schema: &DFSchema, parameters: &[SqlType]) -> Option<Arc<dyn PhysicalExpr>> {
    let width = schema.fields().len();
    let fields = with_parameters(&Schema::empty(), parameters);
    let parameters = DFSchema::try_from_qualified_schema(PARAMETERS, &fields).ok()?;
    let schema = schema.join(&parameters).ok()?;
    let expr = expr.clone().transform_up(|expr| match expr {
        Expr::Placeholder(placeholder) => {
            Ok(Transformed::yes(Expr::Column(logical::Column::new(Some(PARAMETERS), placeholder.id))))
        }
        other => Ok(Transformed::no(other)),
    });
    let props = ExecutionProps::new();
    let physical =
        create_physical_expr(&expr.ok()?.data, &schema, &props, &PhysicalPlanningContext::default());
    let physical = physical.ok()?.transform_up(|expr| match expr.downcast_ref::<Column>() {
        Some(column) if column.index() >= width => {
            Ok(Transformed::yes(Arc::new(Parameter::new(column.clone())) as Arc<dyn PhysicalExpr>))
        }
        _ => Ok(Transformed::no(expr)),
    });
    Some(physical.ok()?.data)
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

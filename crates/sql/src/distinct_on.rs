use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Distinct, DistinctOn, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::logical_expr::{WindowFunctionDefinition, lit};
use datafusion::optimizer::AnalyzerRule;

/// `SELECT DISTINCT ON (g) e ... ORDER BY g, o` as the rows numbered 1 by `o` among those of equal `g`.
#[derive(Debug)]
pub(crate) struct DistinctOnAsRowNumber;

impl AnalyzerRule for DistinctOnAsRowNumber {
    fn name(&self) -> &str {
        "distinct_on_as_row_number"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Distinct(Distinct::On(distinct)) => numbered(distinct).map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        });
        rewritten.map(|rewritten| rewritten.data)
    }
}

fn numbered(distinct: DistinctOn) -> Result<LogicalPlan> {
    let DistinctOn { on_expr, select_expr, sort_expr, input, .. } = distinct;
    let order = sort_expr.unwrap_or_default();
    let mut call = WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]);
    call.params.partition_by = on_expr;
    call.params.order_by = order.clone();
    let call = Expr::from(call);
    let number = Expr::Column(Column::from_name(call.schema_name().to_string()));
    LogicalPlanBuilder::from(input)
        .window([call])?
        .filter(number.eq(lit(ScalarValue::UInt64(Some(1)))))?
        .sort(order)?
        .project(select_expr)?
        .build()
}

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::{Sort, WindowFunction as Call, WindowFunctionParams};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Window as LogicalWindow};
use datafusion::physical_planner::create_window_expr;
use springtide_plan::{Node, Window, WindowFunction};
use springtide_types::{Result, SortColumn};

use super::refuse::in_view;
use super::window_function::{argument, batched};
use super::{Lowering, arrow_schema, expr};
use crate::errors::plan_error;

impl Lowering<'_> {
    /// One node per PARTITION BY and ORDER BY.
    pub(super) fn window(&self, window: &LogicalWindow) -> Result<Node> {
        let schema = window.input.schema();
        let calls = window.window_expr.iter().map(call).collect::<Result<Vec<_>>>()?;
        let read = calls.iter().flat_map(|call| {
            let order = call.params.order_by.iter().map(|sort| &sort.expr);
            call.params.partition_by.iter().chain(order).chain(argument(call, schema))
        });
        let (mut node, computed) = with_computed(self.lower(&window.input)?, schema, read)?;
        let results = &window.schema.fields()[schema.fields().len()..];
        let mut start = 0;
        for run in calls.chunk_by(|left, right| same_order(&left.params, &right.params)) {
            let exprs = &window.window_expr[start..start + run.len()];
            let functions = exprs.iter().zip(run).map(|(expr, call)| function(expr, call, schema, &computed));
            let functions = functions.collect::<Result<Vec<_>>>()?;
            let fields = results[start..start + run.len()].iter();
            let fields = fields.map(|field| Arc::new(field.as_ref().clone().with_nullable(true)));
            let fields = node.schema().fields().iter().cloned().chain(fields).collect::<Vec<_>>();
            let Places { partition, order, peers } = places(&run[0].params, schema, &computed)?;
            start += run.len();
            node = Node::Window(Box::new(Window {
                input: node,
                partition,
                peers,
                order,
                functions,
                schema: Arc::new(Schema::new(fields)),
            }));
        }
        without_computed(node, schema.fields().len(), &arrow_schema(&window.schema))
    }
}

/// The first `own` columns of a node and as many from its end as the output has more.
pub(super) fn without_computed(node: Node, own: usize, output: &SchemaRef) -> Result<Node> {
    let mut columns = expr::all_columns(&node.schema());
    let results = columns.split_off(columns.len() - (output.fields().len() - own));
    columns.truncate(own);
    columns.extend(results);
    if columns.len() == node.schema().fields().len() {
        return Ok(node);
    }
    expr::project_physical(node, columns, output)
}

/// What a window function is called with.
pub(super) fn params(expr: &Expr) -> Result<&WindowFunctionParams> {
    Ok(&call(expr)?.params)
}

fn call(expr: &Expr) -> Result<&Call> {
    match expr {
        Expr::WindowFunction(call) => Ok(call),
        Expr::Alias(alias) => call(&alias.expr),
        other => Err(in_view(other)),
    }
}

fn function(expr: &Expr, call: &Call, schema: &DFSchema, computed: &[&Expr]) -> Result<WindowFunction> {
    if let Some(function) = batched(call, schema, |argument| place(argument, schema, computed).ok()) {
        return Ok(function);
    }
    create_window_expr(expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
        .map(WindowFunction::Other)
        .map_err(|error| plan_error(&error))
}

fn same_order(left: &WindowFunctionParams, right: &WindowFunctionParams) -> bool {
    (&left.partition_by, &left.order_by) == (&right.partition_by, &right.order_by)
}

/// The node with a column more for each of these expressions that is none yet, and those.
pub(super) fn with_computed<'a>(
    node: Node,
    schema: &DFSchema,
    exprs: impl Iterator<Item = &'a Expr>,
) -> Result<(Node, Vec<&'a Expr>)> {
    let mut computed = Vec::new();
    for expr in exprs.filter(|expr| expr::column(expr, schema).is_none()) {
        if !computed.contains(&expr) {
            computed.push(expr);
        }
    }
    if computed.is_empty() {
        return Ok((node, computed));
    }
    let mut columns = expr::all_columns(&node.schema());
    columns.truncate(schema.fields().len());
    let mut fields = node.schema().fields()[..columns.len()].to_vec();
    for expr in &computed {
        let column = expr::physical(expr, schema)?;
        let data_type = column.data_type(schema.as_arrow()).map_err(|error| plan_error(&error))?;
        fields.push(Arc::new(Field::new(expr.schema_name().to_string(), data_type, true)));
        columns.push(column);
    }
    let node = expr::project_physical(node, columns, &Arc::new(Schema::new(fields)))?;
    Ok((node, computed))
}

/// Where the columns of PARTITION BY and ORDER BY are.
pub(super) struct Places {
    pub partition: Vec<usize>,
    pub order: Vec<SortColumn>,
    /// How many columns of the order are those of ORDER BY.
    pub peers: usize,
}

/// The columns of a PARTITION BY and an ORDER BY.
pub(super) fn places(params: &WindowFunctionParams, schema: &DFSchema, computed: &[&Expr]) -> Result<Places> {
    let mut partition = Vec::new();
    for expr in &params.partition_by {
        let column = place(expr, schema, computed)?;
        if !partition.contains(&column) {
            partition.push(column);
        }
    }
    let mut order = order(&params.order_by, schema, computed)?;
    order.retain(|sort| !partition.contains(&sort.column));
    let ordered_by = order_by(&params.order_by, schema, computed)?;
    let is_given = |sort: &&SortColumn| ordered_by.iter().any(|given| given.column == sort.column);
    let peers = order.iter().take_while(is_given).count();
    Ok(Places { partition, order, peers })
}

/// The columns of an ORDER BY.
fn order_by(order_by: &[Sort], schema: &DFSchema, computed: &[&Expr]) -> Result<Vec<SortColumn>> {
    let mut order: Vec<SortColumn> = Vec::new();
    for sort in order_by {
        let column = place(&sort.expr, schema, computed)?;
        if order.iter().all(|before| before.column != column) {
            order.push(SortColumn { column, descending: !sort.asc, nulls_first: sort.nulls_first });
        }
    }
    Ok(order)
}

/// The columns of an ORDER BY, then all others by name, so that only equal rows tie, in a view as in a query.
pub(super) fn order(by: &[Sort], schema: &DFSchema, computed: &[&Expr]) -> Result<Vec<SortColumn>> {
    let mut order = order_by(by, schema, computed)?;
    let mut others = schema.columns().into_iter().enumerate().collect::<Vec<_>>();
    others.sort_by_key(|(_, column)| column.flat_name());
    for (column, _) in others {
        if order.iter().all(|before| before.column != column) {
            order.push(SortColumn::ascending(column));
        }
    }
    Ok(order)
}

fn place(expr: &Expr, schema: &DFSchema, computed: &[&Expr]) -> Result<usize> {
    let own = schema.fields().len();
    let computed = || computed.iter().position(|other| *other == expr).map(|position| own + position);
    expr::column(expr, schema).or_else(computed).ok_or_else(|| in_view(expr))
}

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, JoinType, LogicalPlan, Operator, Window, WindowFrameBound, WindowFrameUnits,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Lets rows that tie in an ORDER BY follow each other by their other columns, wherever that decides which rows
/// there are or what they hold: under LIMIT, and for functions of the position of a row. A query then has one
/// result, the one of a view over it. On the way, PARTITION BY loses keys that are constant, or equal to others.
#[derive(Debug)]
pub(crate) struct TotalOrder;

impl OptimizerRule for TotalOrder {
    fn name(&self) -> &str {
        "total_order"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Limit(_) => plan.transform_down(|node| match node {
                LogicalPlan::Limit(_) | LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
                    Ok(Transformed::no(node))
                }
                LogicalPlan::Sort(mut sort) => {
                    let changed = complete(&mut sort.expr, sort.input.schema(), &[]);
                    Ok(Transformed::new(LogicalPlan::Sort(sort), changed, TreeNodeRecursion::Jump))
                }
                other => Ok(Transformed::new(other, false, TreeNodeRecursion::Jump)),
            }),
            LogicalPlan::Sort(mut sort) if sort.fetch.is_some() => {
                let changed = complete(&mut sort.expr, sort.input.schema(), &[]);
                Ok(Transformed::new_transformed(LogicalPlan::Sort(sort), changed))
            }
            LogicalPlan::Window(window) => complete_window(window),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn complete_window(mut window: Window) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    for call in &mut window.window_expr {
        let name = call.schema_name().to_string();
        let function = match call {
            Expr::WindowFunction(function) => function,
            Expr::Alias(alias) => match alias.expr.as_mut() {
                Expr::WindowFunction(function) => function,
                _ => continue,
            },
            _ => continue,
        };
        // DataFusion may lose track of what is constant or equal, and then refuses a plan that does not sort by it.
        let keys = function.params.partition_by.len();
        let mut origins = Vec::new();
        function.params.partition_by.retain(|key| {
            let origin = origin(key, &window.input);
            let is_new = !is_constant(key, &window.input) && !origins.contains(&origin);
            origins.push(origin);
            is_new
        });
        let mut renamed = function.params.partition_by.len() < keys;
        for key in &mut function.params.partition_by {
            renamed |= unite_zeros(key, window.input.schema())?;
        }
        if is_positional(function) {
            let params = &mut function.params;
            renamed |= complete(&mut params.order_by, window.input.schema(), &params.partition_by);
        }
        if renamed && let Expr::WindowFunction(_) = call {
            *call = call.clone().alias(name);
        }
        changed |= renamed;
    }
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    Window::try_new(window.window_expr, window.input)
        .map(|window| Transformed::yes(LogicalPlan::Window(window)))
}

/// Makes one key of 0 and -0, which are equal, where DataFusion compares bits: -0 + 0 is 0.
fn unite_zeros(key: &mut Expr, schema: &DFSchema) -> Result<bool> {
    let zero = match key.get_type(schema)? {
        DataType::Float32 => ScalarValue::Float32(Some(0.0)),
        DataType::Float64 => ScalarValue::Float64(Some(0.0)),
        _ => return Ok(false),
    };
    let is_united = |key: &Expr| match key {
        Expr::BinaryExpr(sum) => sum.op == Operator::Plus && sum.right.as_literal() == Some(&zero),
        _ => false,
    };
    if is_united(key) {
        return Ok(false);
    }
    *key = std::mem::take(key) + Expr::Literal(zero, None);
    Ok(true)
}

/// What an expression over a plan's rows is, and of which plan's rows, as far down as columns only get new names or wider types:
/// where one of two of the same origin has equal values, so has the other.
fn origin(expr: &Expr, plan: &LogicalPlan) -> (*const LogicalPlan, Expr) {
    let here = || (std::ptr::from_ref(plan), expr.clone());
    let expr = match expr {
        Expr::Alias(alias) => return origin(&alias.expr, plan),
        Expr::Cast(cast) if is_widening(cast, plan.schema()) => return origin(&cast.expr, plan),
        Expr::Column(column) => column,
        _ => return here(),
    };
    let Some(position) = plan.schema().maybe_index_of_column(expr) else { return here() };
    let same_place = |input: &LogicalPlan| Expr::Column(input.schema().columns()[position].clone());
    match plan {
        LogicalPlan::Projection(projection) => origin(&projection.expr[position], &projection.input),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(position) {
            Some(key) => origin(key, &aggregate.input),
            None => here(),
        },
        LogicalPlan::SubqueryAlias(alias) => origin(&same_place(&alias.input), &alias.input),
        LogicalPlan::Filter(filter) => origin(&same_place(&filter.input), &filter.input),
        _ => here(),
    }
}

/// Whether a cast to another decimal keeps different values different.
fn is_widening(cast: &Cast, schema: &DFSchema) -> bool {
    match (cast.expr.get_type(schema), cast.field.data_type()) {
        (Ok(DataType::Decimal128(from, from_scale)), DataType::Decimal128(to, to_scale)) => {
            *to_scale >= from_scale && *to as i8 - to_scale >= from as i8 - from_scale
        }
        _ => false,
    }
}

/// Whether an expression over a plan's rows is known to have the same value for all of them.
fn is_constant(expr: &Expr, plan: &LogicalPlan) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_constant(&alias.expr, plan),
        Expr::Cast(cast) => is_constant(&cast.expr, plan),
        Expr::Column(column) => {
            let position = plan.schema().maybe_index_of_column(column);
            position.is_some_and(|position| is_constant_column(position, plan))
        }
        _ => false,
    }
}

fn is_constant_column(position: usize, plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_constant(&projection.expr[position], &projection.input),
        // Without keys there is one row.
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => true,
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.get(position).is_some_and(|key| is_constant(key, &aggregate.input))
        }
        LogicalPlan::SubqueryAlias(alias) => is_constant_column(position, &alias.input),
        LogicalPlan::Filter(filter) => {
            let column = Expr::Column(plan.schema().columns()[position].clone());
            let equals_constant = |conjunct: &&Expr| match conjunct {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                    let constant = |expr| is_constant(expr, &filter.input);
                    (**left == column && constant(right)) || (**right == column && constant(left))
                }
                _ => false,
            };
            is_constant_column(position, &filter.input)
                || split_conjunction(&filter.predicate).iter().any(equals_constant)
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            let column = Expr::Column(plan.schema().columns()[position].clone());
            let equals_constant = |(left, right): &(Expr, Expr)| {
                (*left == column && is_constant(right, &join.right))
                    || (*right == column && is_constant(left, &join.left))
            };
            is_constant(&column, &join.left)
                || is_constant(&column, &join.right)
                || join.on.iter().any(equals_constant)
        }
        _ => false,
    }
}

/// Whether the result for a row depends on where among its peers it stands.
fn is_positional(function: &WindowFunction) -> bool {
    let frame = &function.params.window_frame;
    match function.fun.name() {
        "row_number" | "ntile" | "lag" | "lead" => true,
        "rank" | "dense_rank" | "percent_rank" | "cume_dist" => false,
        // The first row of a partition is the same whatever the end of the frame is.
        "first_value" if matches!(&frame.start_bound, WindowFrameBound::Preceding(rows) if rows.is_null()) => {
            true
        }
        _ => frame.units == WindowFrameUnits::Rows,
    }
}

/// Appends the columns that are not named yet, by name. Returns whether there were any.
fn complete(order: &mut Vec<SortExpr>, schema: &DFSchema, partition: &[Expr]) -> bool {
    let mut columns = schema.columns();
    columns.sort_by_cached_key(|column| column.flat_name());
    let before = order.len();
    for column in columns {
        let column = Expr::Column(column);
        if !partition.contains(&column) && order.iter().all(|sort| sort.expr != column) {
            order.push(column.sort(true, false));
        }
    }
    order.len() > before
}

//! LIMIT, and a filter on ROW_NUMBER() or RANK(), as top-k.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, FetchType, Filter as LogicalFilter, Limit, LogicalPlan, Operator, Projection, SkipType,
    Window as LogicalWindow,
};
use springtide_plan::{Filter, Node, TopK};
use springtide_types::{Result, SqlError, SqlState};

use super::refuse::in_view;
use super::window::Places;
use super::{Lowering, arrow_schema, expr, window};

/// A filter on ROW_NUMBER() or RANK().
pub(super) struct Ranks<'a> {
    window: &'a LogicalWindow,
    /// Whether rows that tie have one rank.
    ties: bool,
    /// The greatest rank that passes.
    last: u64,
    /// What else the filter asks for.
    rest: Option<Expr>,
}

/// What a filter over one ROW_NUMBER() or RANK() keeps, if it sets an upper bound to it.
pub(super) fn ranks(filter: &LogicalFilter) -> Option<Ranks<'_>> {
    let LogicalPlan::Window(window) = filter.input.as_ref() else { return None };
    let [call] = window.window_expr.as_slice() else { return None };
    let Expr::WindowFunction(function) = call else { return None };
    let ties = match function.fun.name() {
        "row_number" => false,
        "rank" => true,
        _ => return None,
    };
    let rank = window.schema.fields().len() - 1;
    let is_rank = |expr: &Expr| is_column(expr, rank, window);
    let mut last = None;
    let mut rest = Vec::new();
    for term in split_conjunction(&filter.predicate) {
        let (bound, exact) =
            bound(term, is_rank).map_or((None, false), |(bound, exact)| (Some(bound), exact));
        last = [last, bound].into_iter().flatten().min();
        if !exact {
            rest.push(term.clone());
        }
    }
    Some(Ranks { window, ties, last: last?, rest: conjunction(rest) })
}

/// A filter on ROW_NUMBER() or RANK() over a projection, as that projection over the filter.
pub(super) fn below_projection(filter: &LogicalFilter) -> Option<LogicalPlan> {
    let LogicalPlan::Projection(projection) = filter.input.as_ref() else { return None };
    let LogicalPlan::Window(_) = projection.input.as_ref() else { return None };
    let predicate = in_terms_of_input(&filter.predicate, projection)?;
    let below = LogicalFilter::try_new(predicate, projection.input.clone()).ok()?;
    ranks(&below)?;
    let (exprs, schema) = (projection.expr.clone(), projection.schema.clone());
    let projection = Projection::try_new_with_schema(exprs, Arc::new(LogicalPlan::Filter(below)), schema);
    projection.ok().map(LogicalPlan::Projection)
}

/// A projection over what [`below_projection`] rewrites, as one projection.
pub(super) fn over_projection(outer: &Projection) -> Option<LogicalPlan> {
    let LogicalPlan::Filter(filter) = outer.input.as_ref() else { return None };
    let LogicalPlan::Projection(inner) = below_projection(filter)? else { return None };
    let exprs = outer.expr.iter().map(|expr| in_terms_of_input(expr, &inner)).collect::<Option<Vec<_>>>()?;
    let merged = Projection::try_new_with_schema(exprs, inner.input.clone(), outer.schema.clone());
    merged.ok().map(LogicalPlan::Projection)
}

/// An expression over what a projection gives, as one over what it reads.
fn in_terms_of_input(expr: &Expr, projection: &Projection) -> Option<Expr> {
    let replaced = expr.clone().transform(|expr| match &expr {
        Expr::Column(column) => match projection.schema.maybe_index_of_column(column) {
            Some(position) => Ok(Transformed::yes(projection.expr[position].clone().unalias())),
            None => Ok(Transformed::no(expr)),
        },
        _ => Ok(Transformed::no(expr)),
    });
    replaced.ok().map(|replaced| replaced.data)
}

fn is_column(expr: &Expr, position: usize, window: &LogicalWindow) -> bool {
    match expr {
        Expr::Cast(cast) => is_column(&cast.expr, position, window),
        other => expr::column(other, &window.schema) == Some(position),
    }
}

/// The upper bound that a term sets, and whether it says no more than that.
fn bound(term: &Expr, is_rank: impl Fn(&Expr) -> bool) -> Option<(u64, bool)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = term else { return None };
    let (op, value) = match (is_rank(left), is_rank(right)) {
        (true, false) => (*op, literal(right)?),
        (false, true) => (op.swap()?, literal(left)?),
        _ => return None,
    };
    let at_least_zero = |value: i64| u64::try_from(value).unwrap_or(0);
    match op {
        Operator::LtEq => Some((at_least_zero(value), true)),
        Operator::Lt => Some((at_least_zero(value.saturating_sub(1)), true)),
        Operator::Eq => Some((at_least_zero(value), value == 1)),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Cast(cast) => literal(&cast.expr),
        Expr::Literal(value, _) => match value.cast_to(&arrow::datatypes::DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value,
            _ => None,
        },
        _ => None,
    }
}

/// The node without the rank that a projection over it does not read.
pub(super) fn without_rank(node: Node, projection: &Projection) -> Node {
    let Node::TopK(mut top_k) = node else { return node };
    let rank = top_k.schema.fields().len() - 1;
    let schema = projection.input.schema();
    let mut read = projection.expr.iter().flat_map(Expr::column_refs);
    if top_k.with_rank && read.all(|column| schema.maybe_index_of_column(column) != Some(rank)) {
        top_k.with_rank = false;
        top_k.schema = Arc::new(Schema::new(top_k.schema.fields()[..rank].to_vec()));
    }
    Node::TopK(top_k)
}

impl Lowering<'_> {
    /// A filter for which [`ranks`] has found an upper bound.
    pub(super) fn top_of_groups(&self, filter: &LogicalFilter) -> Result<Node> {
        let Some(Ranks { window, ties, last, rest }) = ranks(filter) else {
            return Err(in_view(&filter.predicate));
        };
        let schema = window.input.schema();
        let params = window::params(&window.window_expr[0])?;
        let read = params.partition_by.iter().chain(params.order_by.iter().map(|sort| &sort.expr));
        let (input, computed) = window::with_computed(self.lower(&window.input)?, schema, read)?;
        let Places { partition: group, order, peers } = window::places(params, schema, &computed)?;
        let ties = ties.then_some(peers);
        let rank = window.schema.fields()[schema.fields().len()].as_ref().clone();
        let fields = input.schema().fields().iter().cloned().chain([Arc::new(rank)]).collect::<Vec<_>>();
        let schema_with_rank = Arc::new(Schema::new(fields));
        let top_k = TopK {
            input,
            group,
            order,
            offset: 0,
            limit: last,
            ties,
            with_rank: true,
            schema: schema_with_rank,
        };
        let node = Node::TopK(Box::new(top_k));
        let node = window::without_computed(node, schema.fields().len(), &arrow_schema(&window.schema))?;
        match rest {
            None => Ok(node),
            Some(rest) => {
                let predicate = expr::physical(&rest, &window.schema)?;
                Ok(Node::Filter(Box::new(Filter { input: node, predicate })))
            }
        }
    }

    /// LIMIT and OFFSET, which are about the order of the input.
    pub(super) fn limit(&self, limit: &Limit) -> Result<Node> {
        let bounds = bounds(limit)?;
        match limit.input.as_ref() {
            // Row by row, so the rows may as well be picked first.
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Sort(_) => {
                    let input = self.first(&projection.input, bounds)?;
                    let schema = arrow_schema(&projection.schema);
                    expr::project(input, projection.input.schema(), &projection.expr, &schema)
                }
                _ => self.first(&limit.input, bounds),
            },
            input => self.first(input, bounds),
        }
    }

    /// The first rows of a plan, which may be a sort.
    fn first(&self, plan: &LogicalPlan, (offset, limit): (u64, u64)) -> Result<Node> {
        let (input, order_by) = match plan {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (sort.input.as_ref(), sort.expr.as_slice()),
            other => (other, [].as_slice()),
        };
        let schema = input.schema();
        let read = order_by.iter().map(|sort| &sort.expr);
        let (node, computed) = window::with_computed(self.lower(input)?, schema, read)?;
        let order = window::order(order_by, schema, &computed)?;
        let top_k = TopK {
            schema: node.schema(),
            input: node,
            group: vec![],
            order,
            offset,
            limit,
            ties: None,
            with_rank: false,
        };
        let node = Node::TopK(Box::new(top_k));
        if computed.is_empty() {
            return Ok(node);
        }
        window::without_computed(node, schema.fields().len(), &arrow_schema(schema))
    }
}

/// Rows to skip, and rows to take after them.
fn bounds(limit: &Limit) -> Result<(u64, u64)> {
    let skip = match limit.get_skip_type() {
        Ok(SkipType::Literal(skip)) => skip as u64,
        _ => return Err(negative_or_computed()),
    };
    match limit.get_fetch_type() {
        Ok(FetchType::Literal(fetch)) => Ok((skip, fetch.map_or(u64::MAX, |fetch| fetch as u64))),
        _ => Err(negative_or_computed()),
    }
}

fn negative_or_computed() -> SqlError {
    SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        "LIMIT or OFFSET by other than a number in a materialized view",
    )
    .with_hint("Write the number itself.")
}

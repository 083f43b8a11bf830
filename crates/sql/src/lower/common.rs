//! What a filter and the projection above it both compute, computed once below them.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use springtide_plan::{Filter, Node, Project, ScalarExpr};
use springtide_types::Result;

use super::expr;
use super::over_expand::{computes_all, skips_right};
use crate::errors::plan_error;

type Expr = Arc<dyn PhysicalExpr>;

/// The projection of what a filter lets through. An expression that the filter computes for every row anyway and that
/// occurs once more becomes a column below it.
pub(super) fn project(filter: Filter, mut exprs: Vec<ScalarExpr>, output: &SchemaRef) -> Result<Node> {
    let mut occurrences = HashMap::new();
    let all = std::iter::once(&filter.predicate).chain(exprs.iter().map(|output| &output.expr));
    all.for_each(|expr| count(expr, &mut occurrences));
    let mut shared = Vec::new();
    find(&filter.predicate, &occurrences, &mut shared);
    if shared.is_empty() {
        return Ok(Node::Project(Box::new(Project {
            input: Node::Filter(Box::new(filter)),
            exprs,
            schema: output.clone(),
        })));
    }
    let before = filter.input.schema();
    let mut columns = expr::all_columns(&before);
    let mut fields = before.fields().iter().cloned().collect::<Vec<_>>();
    let mut places = HashMap::new();
    for expr in shared {
        let data_type = expr.data_type(&before).map_err(|error| plan_error(&error))?;
        let name = expr.to_string();
        places.insert(expr.clone(), Arc::new(Column::new(&name, columns.len())) as Expr);
        fields.push(Arc::new(Field::new(name, data_type, true)));
        columns.push(expr);
    }
    let predicate = replace(&filter.predicate, &places)?;
    for output in &mut exprs {
        output.expr = replace(&output.expr, &places)?;
    }
    let input = expr::project_physical(filter.input, columns, &Arc::new(Schema::new(fields)))?;
    let input = Node::Filter(Box::new(Filter { input, predicate }));
    Ok(Node::Project(Box::new(Project { input, exprs, schema: output.clone() })))
}

/// How often each expression that is not a bare column or a constant occurs.
fn count(expr: &Expr, occurrences: &mut HashMap<Expr, usize>) {
    if expr.children().is_empty() {
        return;
    }
    *occurrences.entry(expr.clone()).or_default() += 1;
    expr.children().into_iter().for_each(|child| count(child, occurrences));
}

/// The largest expressions that occur more than once, among those that are computed for every row.
fn find(expr: &Expr, occurrences: &HashMap<Expr, usize>, shared: &mut Vec<Expr>) {
    if occurrences.get(expr).is_some_and(|count| *count > 1) {
        if !shared.contains(expr) {
            shared.push(expr.clone());
        }
        return;
    }
    let children = expr.children();
    // The left side of AND and OR is computed for every row, whatever the right side is spared.
    let always = if computes_all(expr) { children.len() } else { usize::from(is_and_or(expr)) };
    children.into_iter().take(always).for_each(|child| find(child, occurrences, shared));
}

fn is_and_or(expr: &Expr) -> bool {
    let expr: &dyn Any = expr.as_ref();
    let binary = expr.downcast_ref::<BinaryExpr>();
    binary.is_some_and(|binary| skips_right(binary.op()))
}

fn replace(expr: &Expr, places: &HashMap<Expr, Expr>) -> Result<Expr> {
    let replaced = expr.clone().transform_down(|part| {
        Ok(match places.get(&part) {
            Some(column) => Transformed::new(column.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(part),
        })
    });
    Ok(replaced.map_err(|error| plan_error(&error))?.data)
}

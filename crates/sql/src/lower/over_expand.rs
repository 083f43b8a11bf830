//! Projections above an expansion. What they compute of columns that are the same in all rows that come of one is computed
//! once, before these rows come to be, and columns that nobody reads go no further.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use springtide_plan::{Expand, Node, Project, ScalarExpr};
use springtide_types::Result;

use super::expr::{self, position_of};
use crate::errors::plan_error;

type Expr = Arc<dyn PhysicalExpr>;

/// The projection of what an expansion gives.
pub(super) fn project(expand: Expand, exprs: Vec<ScalarExpr>, output: &SchemaRef) -> Result<Node> {
    let simple = |output: &ScalarExpr| output.column().is_some() || is::<Literal>(&output.expr);
    if !expand.projections.iter().flatten().all(simple) {
        let schema = output.clone();
        return Ok(Node::Project(Box::new(Project { input: Node::Expand(Box::new(expand)), exprs, schema })));
    }
    let mut below = Below { expand: &expand, exprs: Vec::new(), fields: Vec::new() };
    let projections = (0..expand.projections.len()).map(|which| {
        let placed = exprs.iter().map(|output| {
            let expr = below.place(&output.expr, which, true)?;
            Ok(ScalarExpr { expr, name: output.name.clone() })
        });
        placed.collect::<Result<Vec<_>>>()
    });
    let projections = projections.collect::<Result<Vec<_>>>()?;
    let (exprs, fields) = (below.exprs, below.fields);
    let input = expr::project_physical(expand.input, exprs, &Arc::new(Schema::new(fields)))?;
    Ok(Node::Expand(Box::new(Expand { input, projections, schema: output.clone() })))
}

/// What is computed before the expansion.
struct Below<'a> {
    expand: &'a Expand,
    exprs: Vec<Expr>,
    fields: Vec<Field>,
}

impl Below<'_> {
    /// An expression over the output of one of the projections as one over what is computed before, to which it may add parts
    /// of itself if it is computed for every row.
    fn place(&mut self, expr: &Expr, which: usize, always: bool) -> Result<Expr> {
        if let Some(column) = position_of(expr) {
            let source = &self.expand.projections[which][column].expr;
            return if is::<Literal>(source) { Ok(source.clone()) } else { self.add(source.clone()) };
        }
        if always && self.is_shared(expr) {
            let source = expr.clone().transform(|part| {
                Ok(match position_of(&part) {
                    Some(column) => Transformed::yes(self.expand.projections[0][column].expr.clone()),
                    None => Transformed::no(part),
                })
            });
            return self.add(source.map_err(|error| plan_error(&error))?.data);
        }
        let always = always && computes_all(expr);
        let children = expr.children().into_iter().map(|child| self.place(child, which, always));
        let children = children.collect::<Result<Vec<_>>>()?;
        if children.is_empty() {
            return Ok(expr.clone());
        }
        expr.clone().with_new_children(children).map_err(|error| plan_error(&error))
    }

    /// Whether the expression reads columns, all of which come from the input alike for every projection.
    fn is_shared(&self, expr: &Expr) -> bool {
        let (first, others) = self.expand.projections.split_first().expect("it expands into something");
        let columns = collect_columns(expr);
        let is_shared = |column: &Column| {
            let source = &first[column.index()];
            source.column().is_some()
                && others.iter().all(|other| other[column.index()].expr.eq(&source.expr))
        };
        !columns.is_empty() && columns.iter().all(is_shared)
    }

    /// The column in which the value of an expression over the input will be.
    fn add(&mut self, expr: Expr) -> Result<Expr> {
        let position = match self.exprs.iter().position(|other| other.eq(&expr)) {
            Some(position) => position,
            None => {
                let schema = self.expand.input.schema();
                let data_type = expr.data_type(&schema).map_err(|error| plan_error(&error))?;
                let name =
                    position_of(&expr).map_or(expr.to_string(), |column| schema.field(column).name().clone());
                self.fields.push(Field::new(name, data_type, true));
                self.exprs.push(expr);
                self.exprs.len() - 1
            }
        };
        Ok(Arc::new(Column::new(self.fields[position].name(), position)))
    }
}

/// Whether all operands of an expression are computed for every row; AND, CASE and the like skip some.
pub(super) fn computes_all(expr: &Expr) -> bool {
    let expr: &dyn std::any::Any = expr.as_ref();
    if let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() {
        return !function.fun().short_circuits();
    }
    let has_one = expr.is::<CastExpr>()
        || expr.is::<NotExpr>()
        || expr.is::<IsNullExpr>()
        || expr.is::<IsNotNullExpr>();
    has_one || expr.downcast_ref::<BinaryExpr>().is_some_and(|binary| !skips_right(binary.op()))
}

/// Whether an operator computes its right side only where the left side leaves the result open.
pub(super) fn skips_right(operator: &Operator) -> bool {
    matches!(operator, Operator::And | Operator::Or)
}

fn is<T: 'static>(expr: &Expr) -> bool {
    let expr: &dyn std::any::Any = expr.as_ref();
    expr.is::<T>()
}

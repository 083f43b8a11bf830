use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use springtide_plan::{Node, Project, ScalarExpr};
use springtide_types::Result;

use super::case;
use super::refuse::in_view;
use crate::errors::plan_error;

/// The expression over columns by position. The same as in an ad-hoc query: what is special about our
/// semantics sits in the functions of the logical expression.
pub(super) fn physical(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    match expr {
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => {
            return Err(in_view("this kind of correlated subquery"));
        }
        _ => {}
    }
    let props = ExecutionProps::new();
    create_physical_expr(expr, schema, &props, &PhysicalPlanningContext::default())
        .and_then(case::with_tables)
        .map_err(|error| plan_error(&error))
}

/// The position of a column, if the expression is one.
pub(super) fn column(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        Expr::Alias(alias) => column(&alias.expr, schema),
        _ => None,
    }
}

/// Computes `exprs`; nothing at all if they are the input's columns as they come.
pub(super) fn project(input: Node, schema: &DFSchema, exprs: &[Expr], output: &SchemaRef) -> Result<Node> {
    let exprs = exprs.iter().map(|expr| physical(expr, schema)).collect::<Result<Vec<_>>>()?;
    project_physical(input, exprs, output)
}

/// [`project`] of expressions that are physical already; their types become those of `output`.
pub(super) fn project_physical(
    input: Node,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    output: &SchemaRef,
) -> Result<Node> {
    let before = input.schema();
    let exprs = outputs(exprs, &before, output)?;
    if exprs.is_empty() {
        return Ok(input);
    }
    let identity = exprs.len() == before.fields().len()
        && exprs.iter().enumerate().all(|(position, output)| {
            position_of(&output.expr) == Some(position) && *before.field(position).name() == output.name
        });
    if identity {
        return Ok(input);
    }
    if let Node::Constant(rows) = &input {
        return super::constant::evaluate(rows, &exprs, output);
    }
    match input {
        Node::Expand(expand) => super::over_expand::project(*expand, exprs, output),
        Node::Filter(filter) => super::common::project(*filter, exprs, output),
        input => Ok(Node::Project(Box::new(through(input, exprs, output)))),
    }
}

/// Expressions over `before` as columns of `output`, of the types that these have.
pub(super) fn outputs(
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    before: &Schema,
    output: &Schema,
) -> Result<Vec<ScalarExpr>> {
    let exprs = exprs.into_iter().zip(output.fields()).map(|(expr, field)| {
        let data_type = expr.data_type(before).map_err(|error| plan_error(&error))?;
        let expr = if data_type == *field.data_type() {
            expr
        } else {
            Arc::new(CastExpr::new(expr, field.data_type().clone(), None))
        };
        Ok(ScalarExpr { expr, name: field.name().clone() })
    });
    exprs.collect()
}

/// The projection; one of bare columns over another projection becomes one with it.
fn through(input: Node, mut exprs: Vec<ScalarExpr>, output: &SchemaRef) -> Project {
    let columns = exprs.iter().map(|output| position_of(&output.expr)).collect::<Option<Vec<_>>>();
    match (input, columns) {
        (Node::Project(inner), Some(columns)) => {
            for (expr, column) in exprs.iter_mut().zip(columns) {
                expr.expr = inner.exprs[column].expr.clone();
            }
            Project { input: inner.input, exprs, schema: output.clone() }
        }
        (input, _) => Project { input, exprs, schema: output.clone() },
    }
}

/// The position of the column that an expression is, if it is one.
pub(super) fn position_of(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let expr: &dyn std::any::Any = expr.as_ref();
    expr.downcast_ref::<Column>().map(Column::index)
}

/// All columns of a node by position.
pub(super) fn all_columns(schema: &Schema) -> Vec<Arc<dyn PhysicalExpr>> {
    let column = |(position, field): (usize, &Arc<Field>)| {
        Arc::new(Column::new(field.name(), position)) as Arc<dyn PhysicalExpr>
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// Gives the columns these names and types.
pub(super) fn rename(node: Node, columns: Vec<(String, DataType)>) -> Result<Node> {
    let fields = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
    let output = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    if let Node::Project(mut project) = node {
        // The last projection does it on the way.
        let same_types = project
            .schema
            .fields()
            .iter()
            .zip(output.fields())
            .all(|(before, after)| before.data_type() == after.data_type());
        if same_types {
            for (expr, field) in project.exprs.iter_mut().zip(output.fields()) {
                expr.name.clone_from(field.name());
            }
            project.schema = output;
            return Ok(Node::Project(project));
        }
        let exprs = all_columns(&project.schema);
        return project_physical(Node::Project(project), exprs, &output);
    }
    let exprs = all_columns(&node.schema());
    project_physical(node, exprs, &output)
}

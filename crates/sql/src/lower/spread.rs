use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use springtide_plan::{Expand, Filter, Node, sql_error};
use springtide_types::{Result, ZBatch};

use super::expr;

/// With more rows than this, a join costs less than as many projections.
const MOST_ROWS: usize = 64;

/// The cross product with a few constant rows, such as the steps of HOP, as one projection per row. A join would
/// keep a copy of the other side. `None` if it is no such product.
pub(super) fn spread(
    left: &Node,
    right: &Node,
    filter: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<Option<Node>> {
    let (input, rows) = match (left, right) {
        (input, Node::Constant(rows)) | (Node::Constant(rows), input) => (input, rows),
        _ => return Ok(None),
    };
    let once = rows.weights().iter().all(|weight| weight == Some(1));
    if rows.is_empty() || rows.len() > MOST_ROWS || !once {
        return Ok(None);
    }
    let constant_first = matches!(left, Node::Constant(_)) && !matches!(right, Node::Constant(_));
    let fields = left.schema().fields().iter().chain(right.schema().fields()).cloned().collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let projections = (0..rows.len()).map(|row| {
        let (own, constant) = (expr::all_columns(&input.schema()), literals(rows, row)?);
        Ok(if constant_first { [constant, own] } else { [own, constant] }.concat())
    });
    let mut projections = projections.collect::<Result<Vec<_>>>()?;
    let node = if projections.len() == 1 {
        expr::project_physical(input.clone(), projections.swap_remove(0), &schema)?
    } else {
        let before = input.schema();
        let projections = projections.into_iter().map(|exprs| expr::outputs(exprs, &before, &schema));
        let projections = projections.collect::<Result<Vec<_>>>()?;
        Node::Expand(Box::new(Expand { input: input.clone(), projections, schema }))
    };
    Ok(Some(match filter {
        Some(predicate) => Node::Filter(Box::new(Filter { input: node, predicate: predicate.clone() })),
        None => node,
    }))
}

fn literals(rows: &ZBatch, row: usize) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
    let literal = |column: &arrow::array::ArrayRef| {
        let value = ScalarValue::try_from_array(column, row).map_err(|error| sql_error(&error))?;
        Ok(Arc::new(Literal::new(value)) as Arc<dyn PhysicalExpr>)
    };
    rows.rows().columns().iter().map(literal).collect()
}

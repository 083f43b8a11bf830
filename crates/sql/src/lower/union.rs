use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Union;
use datafusion::physical_expr::expressions::Literal;
use springtide_plan::Node;
use springtide_types::Result;

use super::{Lowering, arrow_schema, expr};

impl Lowering<'_> {
    pub(super) fn union(&self, union: &Union) -> Result<Node> {
        let output = arrow_schema(&union.schema);
        let inputs = union.inputs.iter().map(|input| {
            let node = self.lower(input)?;
            if output.fields().is_empty() {
                return counted(node);
            }
            let columns = expr::all_columns(&node.schema());
            expr::project_physical(node, columns, &output)
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        Ok(Node::Union(inputs))
    }
}

/// Rows that are only counted. What columns they still have differs from input to input, so all become one
/// that says nothing.
fn counted(input: Node) -> Result<Node> {
    let nothing = Arc::new(Literal::new(ScalarValue::Boolean(None)));
    let schema = Schema::new(vec![Field::new("nothing", DataType::Boolean, true)]);
    expr::project_physical(input, vec![nothing], &Arc::new(schema))
}

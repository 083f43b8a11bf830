use std::sync::Arc;

use datafusion::logical_expr::Union;
use springtide_plan::Node;
use springtide_types::Result;

use super::{Lowering, arrow_schema, expr};

impl Lowering<'_> {
    pub(super) fn union(&self, union: &Union) -> Result<Node> {
        let output = arrow_schema(&union.schema);
        let inputs = union.inputs.iter().map(|input| {
            let node = self.lower(input)?;
            let columns = expr::all_columns(&node.schema());
            expr::project_physical(node, columns, &output)
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        // An alias may have made two inputs of the same columns differ by name only.
        debug_assert!(
            inputs.iter().all(|input| Arc::ptr_eq(&input.schema(), &output) || *input.schema() == *output)
        );
        Ok(Node::Union(inputs))
    }
}

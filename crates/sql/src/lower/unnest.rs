use datafusion::common::NullHandling;
use datafusion::logical_expr::Unnest as LogicalUnnest;
use springtide_plan::{Node, Unnest, UnnestColumn};
use springtide_types::Result;

use super::refuse::in_view;
use super::{Lowering, arrow_schema};

impl Lowering<'_> {
    pub(super) fn unnest(&self, unnest: &LogicalUnnest) -> Result<Node> {
        let nested = unnest.list_type_columns.iter().any(|(_, list)| list.depth != 1);
        if nested || !unnest.struct_type_columns.is_empty() {
            return Err(in_view("unnest() of what is no plain array"));
        }
        let is_array = |column: usize| unnest.list_type_columns.iter().any(|(list, _)| *list == column);
        let columns = unnest.dependency_indices.iter().map(|column| match is_array(*column) {
            true => UnnestColumn::Elements(*column),
            false => UnnestColumn::Same(*column),
        });
        let columns = columns.collect();
        let keeps_empty = match unnest.options.null_handling {
            NullHandling::Drop => false,
            NullHandling::PreserveAndExpandEmpty => true,
            NullHandling::Preserve => return Err(in_view("unnest() that keeps NULLs alone")),
        };
        let (input, schema) = (self.lower(&unnest.input)?, arrow_schema(&unnest.schema));
        Ok(Node::Unnest(Box::new(Unnest { input, columns, keeps_empty, schema })))
    }
}

use datafusion::logical_expr::UserDefinedLogicalNode;
use springtide_plan::{Node, SetOperation, SetOperator};
use springtide_types::Result;

use super::{Lowering, refuse};
use crate::multisets::MultisetOperation;

impl Lowering<'_> {
    pub(super) fn set_operation(&self, node: &dyn UserDefinedLogicalNode) -> Result<Node> {
        let Some(operation) = node.as_any().downcast_ref::<MultisetOperation>() else {
            return Err(refuse::in_view("this operation"));
        };
        let operator = if operation.except { SetOperator::ExceptAll } else { SetOperator::IntersectAll };
        let (left, right) = (self.lower(&operation.left)?, self.lower(&operation.right)?);
        Ok(Node::SetOperation(Box::new(SetOperation { operator, left, right })))
    }
}

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use springtide_catalog::{Column, FunctionId};
use springtide_types::{RelationId, SqlType};

/// A query whose names and types are resolved, ready to be executed or lowered.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    pub(crate) plan: Arc<LogicalPlan>,
    pub(crate) columns: Vec<Column>,
    pub(crate) relations: Vec<RelationId>,
    pub(crate) depends_on: Vec<RelationId>,
    pub(crate) functions: Vec<FunctionId>,
    pub(crate) parameters: Vec<SqlType>,
}

impl BoundQuery {
    /// The output columns. Batches have exactly the Arrow types of these.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.clone()
    }

    /// The stored relations that are scanned, once each, in ascending order.
    pub fn relations(&self) -> &[RelationId] {
        &self.relations
    }

    /// The relations that the query and the functions that it calls name, plain views included, in
    /// ascending order.
    pub fn depends_on(&self) -> &[RelationId] {
        &self.depends_on
    }

    /// The users' functions that the query calls, directly or through others, in ascending order.
    pub fn functions(&self) -> &[FunctionId] {
        &self.functions
    }

    /// The types of the parameters `$1`, `$2`, …; text where nothing says otherwise.
    pub fn parameters(&self) -> Vec<SqlType> {
        self.parameters.clone()
    }
}

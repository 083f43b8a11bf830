use std::sync::Arc;

use springtide_catalog::SearchPath;
use springtide_catalog::system::Identity;
use springtide_datetime::Style;
use springtide_sql::Statement;
use springtide_types::SqlType;

use crate::response::Column;
use crate::statement::Bound;

/// A statement that is ready to run, any number of times.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) statement: Arc<Statement>,
    pub(crate) parameters: Vec<SqlType>,
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) bound: Arc<Bound>,
    /// The catalog that it is bound under, if that is the shared one.
    pub(crate) catalog_version: Option<u64>,
    /// Who it is bound for.
    pub(crate) identity: Identity,
    /// Where its names were looked up.
    pub(crate) path: Arc<SearchPath>,
    /// How it has read moments.
    pub(crate) style: Arc<Style>,
}

impl Prepared {
    /// Types of the parameters, in order.
    pub fn parameters(&self) -> &[SqlType] {
        &self.parameters
    }

    /// Whether it may change a table, so that more than an answer is lost when it is cut off.
    pub fn writes(&self) -> bool {
        self.bound.writes()
    }

    /// Columns of the rows that it returns; `None` if it returns none.
    pub fn columns(&self) -> Option<&[Column]> {
        self.columns.as_deref()
    }
}

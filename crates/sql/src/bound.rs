use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use springtide_catalog::{Column, FunctionId, TypeId};
use springtide_types::{RelationId, SqlType, UNCONSTRAINED_NUMERIC};

use crate::bind::{Names, scans};
use crate::declared::numeric;
use crate::origin::Origin;
use crate::pipeline::Pipeline;
use crate::plain::plain_columns;
use crate::scan::Scan;

/// What a query has that no row gives on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeyondRows {
    /// Aggregate functions.
    Aggregates,
    /// Window functions.
    Windows,
    /// Functions that return sets.
    Sets,
}

/// A query whose names and types are resolved, ready to be executed or lowered.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    pub(crate) plan: Arc<LogicalPlan>,
    pub(crate) columns: Vec<Column>,
    scans: Vec<Scan>,
    scans_twice: bool,
    relations: Vec<RelationId>,
    /// The query for the moments of the scans, if they name any.
    pub(crate) moments: Option<Arc<BoundQuery>>,
    pub(crate) depends_on: Vec<RelationId>,
    pub(crate) functions: Vec<FunctionId>,
    types: Vec<TypeId>,
    pub(crate) parameters: Vec<SqlType>,
    beyond_catalog: bool,
    draws: bool,
    schema: SchemaRef,
    origins: Arc<[Option<Origin>]>,
    /// Compiled when it first runs over few rows; `None` inside if it is not of the kind.
    pipeline: Arc<OnceLock<Option<Pipeline>>>,
}

impl BoundQuery {
    pub(crate) fn new(
        plan: LogicalPlan,
        columns: Vec<Column>,
        names: &Names<'_>,
        parameters: Vec<SqlType>,
        moments: Option<BoundQuery>,
    ) -> BoundQuery {
        let fields = columns.iter().map(|column| Field::new(&column.name, column.sql_type.arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut scans = scans(&plan);
        let places = scans.len();
        scans.dedup();
        let mut relations = scans.iter().map(|scan| scan.relation).collect::<Vec<_>>();
        relations.dedup();
        BoundQuery {
            scans_twice: scans.len() < places,
            scans,
            relations,
            moments: moments.map(Arc::new),
            plan: Arc::new(plan),
            columns,
            depends_on: names.depends_on(),
            functions: names.functions(),
            types: names.types(),
            beyond_catalog: names.beyond_catalog(),
            draws: names.draws(),
            parameters,
            schema,
            origins: Arc::default(),
            pipeline: Arc::default(),
        }
    }

    pub(crate) fn with_origins(mut self, origins: Vec<Option<Origin>>) -> BoundQuery {
        self.origins = origins.into();
        self
    }

    /// Where the values of each output column come from.
    pub fn origins(&self) -> &[Option<Origin>] {
        &self.origins
    }

    /// The schema of every batch of the result.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn pipeline(&self) -> Option<&Pipeline> {
        self.pipeline.get_or_init(|| Pipeline::compile(&self.plan, &self.parameters)).as_ref()
    }

    /// The output columns. Batches have exactly the Arrow types of these.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.clone()
    }

    /// The columns of a table that holds the result: what is computed declares no precision for what will come.
    pub fn table_columns(&self) -> Vec<Column> {
        let (precision, scale) = UNCONSTRAINED_NUMERIC;
        let column = |(position, column): (usize, &Column)| match column.sql_type {
            SqlType::Numeric(_, decimals) if decimals <= scale && numeric(&self.plan, position).is_none() => {
                Column { sql_type: SqlType::Numeric(precision, scale), ..column.clone() }
            }
            _ => column.clone(),
        };
        self.columns.iter().enumerate().map(column).collect()
    }

    /// What is scanned, once each, in ascending order.
    pub fn scans(&self) -> &[Scan] {
        &self.scans
    }

    /// Whether something is scanned in several places, which may be in functions that the query calls.
    pub fn scans_twice(&self) -> bool {
        self.scans_twice
    }

    /// Positions of the columns of the one relation that is scanned which are returned, if nothing else is done but to filter.
    pub fn plain_columns(&self) -> Option<Vec<usize>> {
        plain_columns(&self.plan)
    }

    /// The stored relations that are scanned, at whatever time, once each, in ascending order.
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

    /// The users' types that the query names, in ascending order.
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether the plan holds run-time parameters or named snapshots as they were when the query was bound.
    pub fn beyond_catalog(&self) -> bool {
        self.beyond_catalog
    }

    /// Whether it gives the same for the same rows, whenever and by whomever it is asked.
    pub fn is_immutable(&self) -> bool {
        let changes = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable);
        let node_changes = |node: &LogicalPlan| {
            Ok(node.expressions().iter().any(|expr| expr.exists(|expr| Ok(changes(expr))).unwrap_or(true)))
        };
        !self.draws && !self.beyond_catalog && !self.plan.exists(node_changes).unwrap_or(true)
    }

    /// What it has that no row gives on its own: aggregates, window functions, or functions that return sets.
    pub fn beyond_rows(&self) -> Option<BeyondRows> {
        let mut found = None;
        let visited = self.plan.apply(|node| {
            found = match node {
                LogicalPlan::Aggregate(_) => Some(BeyondRows::Aggregates),
                LogicalPlan::Window(_) => Some(BeyondRows::Windows),
                LogicalPlan::Unnest(_) => Some(BeyondRows::Sets),
                _ => None,
            };
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        visited.ok().and(found)
    }

    /// Whether it may take numbers of sequences.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// The types of the parameters `$1`, `$2`, …; text where nothing says otherwise.
    pub fn parameters(&self) -> Vec<SqlType> {
        self.parameters.clone()
    }
}

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use springtide_types::{RelationId, SortColumn, ZBatch};

use crate::{Aggregate, WindowFunction};

/// The plan of one materialized view.
#[derive(Clone, Debug)]
pub struct ViewPlan {
    /// Computes the view; its schema is the view's.
    pub root: Node,
}

impl ViewPlan {
    /// Every relation read, once each, in ascending order.
    pub fn sources(&self) -> Vec<RelationId> {
        fn visit(node: &Node, found: &mut Vec<RelationId>) {
            if let Node::Source(source) = node {
                found.push(source.relation);
            }
            node.inputs().into_iter().for_each(|input| visit(input, found));
        }
        let mut found = Vec::new();
        visit(&self.root, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A node of the incremental plan: a function from the deltas of its inputs to its own delta. SQL's
/// multisets are Z-sets whose weights are positive.
#[derive(Clone, Debug)]
pub enum Node {
    /// The deltas of a table or of another view.
    Source(Source),
    /// Rows that are always there, such as `VALUES` or the one row of a SELECT without FROM.
    Constant(ZBatch),
    /// Rows for which a predicate holds.
    Filter(Box<Filter>),
    /// One expression per output column.
    Project(Box<Project>),
    /// Each row once for each of several projections.
    Expand(Box<Expand>),
    /// Each row once for each element of its arrays.
    Unnest(Box<Unnest>),
    /// A join on equal keys; without keys, every row meets every other.
    Join(Box<Join>),
    /// GROUP BY; without keys, one row always.
    GroupBy(Box<GroupBy>),
    /// Each row once.
    Distinct(Box<Node>),
    /// All rows of all inputs, which share one schema.
    Union(Vec<Node>),
    /// INTERSECT ALL or EXCEPT ALL.
    SetOperation(Box<SetOperation>),
    /// The first rows of each group in an order.
    TopK(Box<TopK>),
    /// Window functions.
    Window(Box<Window>),
}

/// See [`Node::Source`].
#[derive(Clone, Debug)]
pub struct Source {
    /// The relation whose deltas these are.
    pub relation: RelationId,
    /// Its name, for EXPLAIN.
    pub name: String,
    /// The columns taken, by position in the relation.
    pub columns: Vec<usize>,
    /// Schema of the taken columns.
    pub schema: SchemaRef,
    /// No row of the relation is ever retracted.
    pub append_only: bool,
    /// Sets of taken columns, by position in `columns`, whose values are unique.
    pub unique_keys: Vec<Vec<usize>>,
}

/// See [`Node::Filter`].
#[derive(Clone, Debug)]
pub struct Filter {
    /// Where the rows come from.
    pub input: Node,
    /// Boolean, over the columns of the input; NULL counts as false.
    pub predicate: Arc<dyn PhysicalExpr>,
}

/// A computed column.
#[derive(Clone, Debug)]
pub struct ScalarExpr {
    /// Over the columns of the input.
    pub expr: Arc<dyn PhysicalExpr>,
    /// Name of the output column.
    pub name: String,
}

impl ScalarExpr {
    /// The input column that this passes through unchanged, if it does.
    pub fn column(&self) -> Option<usize> {
        let expr: &dyn std::any::Any = self.expr.as_ref();
        expr.downcast_ref::<Column>().map(Column::index)
    }
}

/// See [`Node::Project`].
#[derive(Clone, Debug)]
pub struct Project {
    /// Where the rows come from.
    pub input: Node,
    /// The output columns.
    pub exprs: Vec<ScalarExpr>,
    /// Their schema. The evaluated arrays have exactly these types.
    pub schema: SchemaRef,
}

/// See [`Node::Expand`].
#[derive(Clone, Debug)]
pub struct Expand {
    /// Where the rows come from.
    pub input: Node,
    /// For each row that comes of one, the output columns.
    pub projections: Vec<Vec<ScalarExpr>>,
    /// The schema of all of them.
    pub schema: SchemaRef,
}

/// A column of what a [`Node::Unnest`] emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnnestColumn {
    /// The value of an input column, in all rows that come of one.
    Same(usize),
    /// One element after the other of an input column of arrays, followed by NULLs where another array is longer.
    Elements(usize),
}

/// See [`Node::Unnest`].
#[derive(Clone, Debug)]
pub struct Unnest {
    /// Where the rows come from.
    pub input: Node,
    /// The output columns.
    pub columns: Vec<UnnestColumn>,
    /// Whether a row comes of one that has no elements.
    pub keeps_empty: bool,
    /// Their schema.
    pub schema: SchemaRef,
}

/// Which rows a [`Join`] emits. Rows match if their keys are equal and the filter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs of rows that match.
    Inner,
    /// These, and the rows of the left side that match none, padded with NULLs.
    Left,
    /// Pairs, and the rows of the right side that match none.
    Right,
    /// Pairs, and the rows of either side that match none.
    Full,
    /// The rows of the left side that match any, as they are.
    Semi,
    /// The rows of the left side that match none, as they are.
    Anti,
    /// All rows of the left side, and whether they match any.
    Mark,
}

impl JoinKind {
    /// Whether a row of the left side comes out at most once, whatever it matches.
    pub fn is_existence(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti | JoinKind::Mark)
    }
}

/// See [`Node::Join`].
#[derive(Clone, Debug)]
pub struct Join {
    /// Which rows come out.
    pub kind: JoinKind,
    /// Left input.
    pub left: Node,
    /// Right input.
    pub right: Node,
    /// Key columns of the left input.
    pub left_keys: Vec<usize>,
    /// Key columns of the right input: of the same number and types.
    pub right_keys: Vec<usize>,
    /// Whether NULL keys match each other (`IS NOT DISTINCT FROM`); `=` drops them.
    pub null_equals_null: bool,
    /// A further condition over the columns of left, then right.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// The columns of left, then those of right. For kinds that emit rows of left alone: its columns,
    /// followed by a boolean for [`JoinKind::Mark`].
    pub schema: SchemaRef,
}

impl Join {
    /// The columns of left, then those of right: what `filter` is evaluated over.
    pub fn pair_schema(&self) -> SchemaRef {
        let (left, right) = (self.left.schema(), self.right.schema());
        Arc::new(Schema::new(left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>()))
    }
}

/// How often a row comes out that the left side has `l` times and the right side `r` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    /// min(l, r).
    IntersectAll,
    /// max(l − r, 0).
    ExceptAll,
}

/// See [`Node::SetOperation`].
#[derive(Clone, Debug)]
pub struct SetOperation {
    /// What is computed.
    pub operator: SetOperator,
    /// Left input; its schema is the output's.
    pub left: Node,
    /// Right input, of the same types.
    pub right: Node,
}

/// See [`Node::GroupBy`].
#[derive(Clone, Debug)]
pub struct GroupBy {
    /// Where the rows come from.
    pub input: Node,
    /// Input columns that form the key.
    pub keys: Vec<usize>,
    /// What is computed for each group.
    pub aggregates: Vec<Aggregate>,
    /// The key columns, then one column per aggregate.
    pub schema: SchemaRef,
}

/// See [`Node::TopK`].
#[derive(Clone, Debug)]
pub struct TopK {
    /// Where the rows come from.
    pub input: Node,
    /// Input columns that form the group; without any, all rows are one.
    pub group: Vec<usize>,
    /// The order in each group. Rows that tie are ordered by their other columns.
    pub order: Vec<SortColumn>,
    /// Ranks skipped, and ranks that follow and are in the output. Equal rows have ranks of their own.
    pub offset: u64,
    /// See `offset`.
    pub limit: u64,
    /// Where rows may tie: those that are equal to the last one in so many columns of the order are in the output too, and
    /// rows that tie have one rank, as of `rank()`.
    pub ties: Option<usize>,
    /// Whether the rank, counted from 1, follows the input's columns.
    pub with_rank: bool,
    /// The columns of the input, then the rank if there is one.
    pub schema: SchemaRef,
}

/// See [`Node::Window`].
#[derive(Clone, Debug)]
pub struct Window {
    /// Where the rows come from.
    pub input: Node,
    /// Input columns that form the partition; without any, all rows are one.
    pub partition: Vec<usize>,
    /// The order in each partition. Rows that tie are ordered by their other columns.
    pub order: Vec<SortColumn>,
    /// How many columns of the order are those of ORDER BY: rows with the same values there are peers.
    pub peers: usize,
    /// Over a partition in its order.
    pub functions: Vec<WindowFunction>,
    /// The columns of the input, then one per function, named as in the query.
    pub schema: SchemaRef,
}

impl Node {
    /// Schema of the rows that the node emits.
    pub fn schema(&self) -> SchemaRef {
        match self {
            Node::Source(source) => source.schema.clone(),
            Node::Constant(rows) => rows.schema(),
            Node::Filter(filter) => filter.input.schema(),
            Node::Project(project) => project.schema.clone(),
            Node::Expand(expand) => expand.schema.clone(),
            Node::Unnest(unnest) => unnest.schema.clone(),
            Node::Join(join) => join.schema.clone(),
            Node::GroupBy(group_by) => group_by.schema.clone(),
            Node::Distinct(input) => input.schema(),
            Node::Union(inputs) => inputs.first().map_or_else(|| Arc::new(Schema::empty()), Node::schema),
            Node::SetOperation(operation) => operation.left.schema(),
            Node::TopK(top_k) => top_k.schema.clone(),
            Node::Window(window) => window.schema.clone(),
        }
    }

    /// The nodes that feed this one, in port order.
    pub fn inputs(&self) -> Vec<&Node> {
        match self {
            Node::Source(_) | Node::Constant(_) => Vec::new(),
            Node::Filter(filter) => vec![&filter.input],
            Node::Project(project) => vec![&project.input],
            Node::Expand(expand) => vec![&expand.input],
            Node::Unnest(unnest) => vec![&unnest.input],
            Node::Join(join) => vec![&join.left, &join.right],
            Node::GroupBy(group_by) => vec![&group_by.input],
            Node::Distinct(input) => vec![input],
            Node::Union(inputs) => inputs.iter().collect(),
            Node::SetOperation(operation) => vec![&operation.left, &operation.right],
            Node::TopK(top_k) => vec![&top_k.input],
            Node::Window(window) => vec![&window.input],
        }
    }
}

//! Joins of rows with the greatest, or least, of their group, as the first rows of the group with ties.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr};
use springtide_plan::{AggregateFunction, Filter, GroupBy, Node, TopK};
use springtide_types::{RelationId, Result, SortColumn};

use super::expr;
use super::extreme::{Keyed, below};

/// `rows JOIN (SELECT key, max(x) FROM rows GROUP BY key) USING (key) ON x = max`, in either order of the sides, as the rows of
/// each group that come first by x, with ties, and the columns of both sides made of them. A join would keep every row, and so
/// does this where rows are retracted; where they only come, it keeps the first ones alone. `None` if it is no such join.
pub(super) fn greatest(left: Keyed<'_>, right: Keyed<'_>) -> Result<Option<Node>> {
    let (rows, extremes, rows_first) = match (extreme_of(left, right), extreme_of(right, left)) {
        (Some(extreme), _) => (left, extreme, true),
        (None, Some(extreme)) => (right, extreme, false),
        (None, None) => return Ok(None),
    };
    let own = (0..rows.node.schema().fields().len()).collect::<Vec<_>>();
    let columns =
        if rows_first { [own, extremes.columns.clone()] } else { [extremes.columns.clone(), own] }.concat();
    let (left_schema, right_schema) = (left.node.schema(), right.node.schema());
    let fields = left_schema.fields().iter().chain(right_schema.fields()).cloned();
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let first = Node::TopK(Box::new(extremes.first_rows(rows.node.clone())));
    let all = expr::all_columns(&first.schema());
    let exprs = columns.into_iter().map(|column| all[column].clone()).collect();
    expr::project_physical(first, exprs, &schema).map(Some)
}

/// What rows are joined with: the extreme of their group.
struct Extreme {
    /// Columns of the rows that form the group.
    group: Vec<usize>,
    /// The column whose extreme it is.
    value: usize,
    greatest: bool,
    /// For each column of the side of the extremes, the column of the rows that it equals.
    columns: Vec<usize>,
}

impl Extreme {
    fn first_rows(&self, mut input: Node) -> TopK {
        let schema = input.schema();
        // What is NULL joins with nothing, and is no extreme.
        for column in self.group.iter().chain([&self.value]) {
            let field = schema.field(*column);
            if field.is_nullable() {
                let value = Arc::new(Column::new(field.name(), *column));
                let predicate: Arc<dyn PhysicalExpr> = Arc::new(IsNotNullExpr::new(value));
                input = Node::Filter(Box::new(Filter { input, predicate }));
            }
        }
        let order = SortColumn { column: self.value, descending: self.greatest, nulls_first: false };
        TopK {
            input,
            group: self.group.clone(),
            order: vec![order],
            offset: 0,
            limit: 1,
            ties: Some(1),
            with_rank: false,
            schema,
        }
    }
}

/// How the rows of one side are joined with the extreme of their group on the other, if they are.
fn extreme_of(rows: Keyed<'_>, extremes: Keyed<'_>) -> Option<Extreme> {
    let group_by = group_by(extremes.node)?;
    let [aggregate] = group_by.aggregates.as_slice() else { return None };
    let greatest = match &aggregate.function {
        AggregateFunction::Max => true,
        AggregateFunction::Min => false,
        _ => return None,
    };
    let (None, Some(argument)) = (aggregate.filter, aggregate.argument) else { return None };
    // For each column of the groups, the column of the rows that the join says is equal to it.
    let mut equal = vec![None; group_by.keys.len() + 1];
    for (key, extreme_key) in rows.keys.iter().zip(extremes.keys) {
        let place = &mut equal[below(extremes.node, *extreme_key).1];
        if place.replace(*key).is_some() {
            return None;
        }
    }
    let equal = equal.into_iter().collect::<Option<Vec<_>>>()?;
    let mine = Origin::of(rows.node)?;
    let theirs = Origin::of(&group_by.input)?;
    let columns = group_by.keys.iter().chain([&argument]);
    let same = mine.is_same_rows(&theirs)
        && equal.iter().zip(columns).all(|(own, other)| mine.meaning(*own) == theirs.meaning(*other));
    let value = equal[group_by.keys.len()];
    let (schema, extreme_type) =
        (rows.node.schema(), group_by.schema.field(group_by.keys.len()).data_type().clone());
    if !same || *schema.field(value).data_type() != extreme_type || !orders_as_it_equals(&extreme_type) {
        return None;
    }
    let width = extremes.node.schema().fields().len();
    let columns = (0..width).map(|column| equal[below(extremes.node, column).1]).collect();
    Some(Extreme { group: equal[..group_by.keys.len()].to_vec(), value, greatest, columns })
}

/// The grouping of which a node passes on columns, and nothing else.
fn group_by(node: &Node) -> Option<&GroupBy> {
    match node {
        Node::GroupBy(group_by) => Some(group_by),
        Node::Project(project) if project.exprs.iter().all(|expr| expr.column().is_some()) => {
            group_by(&project.input)
        }
        _ => None,
    }
}

/// Whether values that are equal are one value in the order of the type: not so floats, whose zeros are two.
fn orders_as_it_equals(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(data_type, DataType::Decimal128(..) | DataType::Date32 | DataType::Timestamp(..))
}

/// Where the rows of a node come from, one for one.
struct Origin {
    relation: RelationId,
    /// What holds for all of them.
    filters: BTreeSet<String>,
    /// Each column as an expression over the columns of the relation.
    columns: Vec<Arc<dyn PhysicalExpr>>,
}

impl Origin {
    fn of(node: &Node) -> Option<Origin> {
        match node {
            Node::Source(source) => {
                let column = |column: &usize| Arc::new(Column::new("", *column)) as Arc<dyn PhysicalExpr>;
                let columns = source.columns.iter().map(column).collect();
                Some(Origin { relation: source.relation, filters: BTreeSet::new(), columns })
            }
            Node::Filter(filter) => {
                let mut origin = Origin::of(&filter.input)?;
                origin.filters.insert(format!("{:?}", origin.of_relation(&filter.predicate)?));
                Some(origin)
            }
            Node::Project(project) => {
                let origin = Origin::of(&project.input)?;
                let columns = project.exprs.iter().map(|output| origin.of_relation(&output.expr));
                Some(Origin { columns: columns.collect::<Option<_>>()?, ..origin })
            }
            _ => None,
        }
    }

    /// An expression over the columns of the node as one over those of the relation.
    fn of_relation(&self, expr: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
        let replaced = expr.clone().transform_up(|expr| {
            let any: &dyn std::any::Any = expr.as_ref();
            let Some(column) = any.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            Ok(Transformed::yes(self.columns[column.index()].clone()))
        });
        replaced.ok().map(|replaced| replaced.data)
    }

    fn is_same_rows(&self, other: &Origin) -> bool {
        self.relation == other.relation && self.filters == other.filters
    }

    fn meaning(&self, column: usize) -> String {
        format!("{:?}", self.columns[column])
    }
}

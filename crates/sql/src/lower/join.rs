use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, NullEquality, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Expr, Join as LogicalJoin, JoinType, LogicalPlan, lit};
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::{Filter, Join, JoinKind, Node};
use springtide_types::{Result, SqlError};

use super::extreme::{Keyed, equalities};
use super::greatest::greatest;
use super::spread::spread;
use super::{Lowering, arrow_schema, expr, refuse};
use crate::errors::plan_error;

impl Lowering<'_> {
    pub(super) fn join(&self, join: &LogicalJoin) -> Result<Node> {
        if join.null_aware {
            return Err(refuse::in_view("NOT IN (SELECT ...)"));
        }
        let condition = Condition::of(join);
        let kind = match join.join_type {
            // The one row of an aggregate without GROUP BY joins with every row on the left.
            JoinType::Left if condition.is_none() && is_one_row(&join.right) => JoinKind::Inner,
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right => JoinKind::Right,
            JoinType::Full => JoinKind::Full,
            JoinType::LeftSemi | JoinType::RightSemi => JoinKind::Semi,
            JoinType::LeftAnti | JoinType::RightAnti => JoinKind::Anti,
            JoinType::LeftMark | JoinType::RightMark => JoinKind::Mark,
        };
        let mut left = Side::new("left", self.lower(&join.left)?, &join.left, &condition.left_keys)?;
        let mut right = Side::new("right", self.lower(&join.right)?, &join.right, &condition.right_keys)?;
        let from_right =
            matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark);
        if from_right {
            std::mem::swap(&mut left, &mut right);
        }
        let wide = left.schema.join(&right.schema).map_err(|error| plan_error(&error))?;
        let null_equals_null = join.null_equality == NullEquality::NullEqualsNull;
        let mut filter = condition.filter.map(|filter| expr::physical(&filter, &wide)).transpose()?;
        if let (JoinKind::Inner, false, Some(given)) = (kind, null_equals_null, &filter) {
            let (equal, rest) = equalities(left.keyed(), right.keyed(), given);
            filter = rest;
            for (left_key, right_key) in equal {
                left.keys.push(left_key);
                right.keys.push(right_key);
            }
        }
        let better = match kind {
            JoinKind::Inner if left.keys.is_empty() => spread(&left.node, &right.node, filter.as_ref())?,
            JoinKind::Inner if !null_equals_null => {
                filtered(greatest(left.keyed(), right.keyed())?, filter.as_ref())
            }
            _ => None,
        };
        let output = arrow_schema(&join.schema);
        // Computed keys have done their work.
        let mut kept = left.columns().collect::<Vec<_>>();
        match kind {
            JoinKind::Semi | JoinKind::Anti => {}
            JoinKind::Mark => kept.push(left.width()),
            _ => kept.extend(right.columns().map(|column| column + left.width())),
        }
        let node = match better {
            Some(node) => node,
            None => join_node(kind, left, right, null_equals_null, filter)?,
        };
        keep(node, &kept, &output)
    }
}

fn filtered(node: Option<Node>, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Option<Node> {
    match predicate {
        Some(predicate) => {
            node.map(|input| Node::Filter(Box::new(Filter { input, predicate: predicate.clone() })))
        }
        None => node,
    }
}

/// When rows of the two sides match.
struct Condition {
    left_keys: Vec<Expr>,
    right_keys: Vec<Expr>,
    filter: Option<Expr>,
}

impl Condition {
    fn of(join: &LogicalJoin) -> Condition {
        let (mut left_keys, mut right_keys): (Vec<_>, Vec<_>) = join.on.iter().cloned().unzip();
        let mut rest = Vec::new();
        for condition in join.filter.iter().flat_map(split_conjunction) {
            match condition {
                Expr::Literal(ScalarValue::Boolean(Some(true)), _) => {}
                // A test of one side is a key that the other side has always. It must not be able to fail,
                // for it is made of rows without partners too.
                Expr::IsNull(column) | Expr::IsNotNull(column)
                    if matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftMark)
                        && expr::column(column, join.left.schema()).is_some() =>
                {
                    left_keys.push(condition.clone());
                    right_keys.push(lit(true));
                }
                condition => rest.push(condition.clone()),
            }
        }
        Condition { left_keys, right_keys, filter: conjunction(rest) }
    }

    fn is_none(&self) -> bool {
        self.left_keys.is_empty() && self.filter.is_none()
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// One input of a join: its own columns, then keys that had to be computed.
struct Side {
    node: Node,
    schema: DFSchema,
    /// How many columns it has of its own.
    own: usize,
    keys: Vec<usize>,
}

impl Side {
    fn new(name: &str, node: Node, plan: &LogicalPlan, on: &[Expr]) -> Result<Side> {
        let own = plan.schema().fields().len();
        let mut exprs = expr::all_columns(&node.schema());
        let mut fields = plan
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
            .collect::<Vec<_>>();
        for extra in node.schema().fields().iter().skip(own) {
            let name = format!("unused {name} column {}", fields.len());
            fields.push((None, Arc::new(extra.as_ref().clone().with_name(name))));
        }
        let mut keys = Vec::new();
        for key in on {
            keys.push(match expr::column(key, plan.schema()) {
                Some(column) => column,
                None => {
                    let computed = expr::physical(key, plan.schema())?;
                    let data_type = computed.data_type(&node.schema()).map_err(|error| plan_error(&error))?;
                    let qualifier = plan.schema().iter().find_map(|(qualifier, _)| qualifier.cloned());
                    let name = format!("{name} key {}", keys.len());
                    fields.push((qualifier, Arc::new(Field::new(name, data_type, true))));
                    exprs.push(computed);
                    fields.len() - 1
                }
            });
        }
        let schema = DFSchema::new_with_metadata(fields, Default::default());
        let schema = schema.map_err(|error| plan_error(&error))?;
        let node = if exprs.len() == node.schema().fields().len() {
            node
        } else {
            expr::project_physical(node, exprs, &arrow_schema(&schema))?
        };
        Ok(Side { node, schema, own, keys })
    }

    fn columns(&self) -> std::ops::Range<usize> {
        0..self.own
    }

    fn keyed(&self) -> Keyed<'_> {
        Keyed { node: &self.node, keys: &self.keys }
    }

    fn width(&self) -> usize {
        self.node.schema().fields().len()
    }
}

fn join_node(
    kind: JoinKind,
    left: Side,
    right: Side,
    null_equals_null: bool,
    filter: Option<Arc<dyn PhysicalExpr>>,
) -> Result<Node> {
    let (left_schema, right_schema) = (left.node.schema(), right.node.schema());
    for (left_key, right_key) in left.keys.iter().zip(&right.keys) {
        let (one, other) = (left_schema.field(*left_key), right_schema.field(*right_key));
        if one.data_type() != other.data_type() {
            let (one, other) = (one.data_type(), other.data_type());
            return Err(SqlError::internal(format!("join keys of types {one} and {other}")));
        }
    }
    let mut fields = left_schema.fields().iter().cloned().collect::<Vec<_>>();
    match kind {
        JoinKind::Semi | JoinKind::Anti => {}
        JoinKind::Mark => fields.push(Arc::new(Field::new("mark", DataType::Boolean, true))),
        _ => fields.extend(right_schema.fields().iter().cloned()),
    }
    Ok(Node::Join(Box::new(Join {
        kind,
        left: left.node,
        right: right.node,
        left_keys: left.keys,
        right_keys: right.keys,
        null_equals_null,
        filter,
        schema: Arc::new(Schema::new(fields)),
    })))
}

/// The columns at these positions, under the names of `output`.
fn keep(node: Node, positions: &[usize], output: &SchemaRef) -> Result<Node> {
    let all = expr::all_columns(&node.schema());
    let everything = positions.iter().copied().eq(0..all.len());
    if everything {
        return Ok(node);
    }
    expr::project_physical(node, positions.iter().map(|position| all[*position].clone()).collect(), output)
}

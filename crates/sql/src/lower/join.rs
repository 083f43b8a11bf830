use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, NullEquality};
use datafusion::logical_expr::{Expr, Join as LogicalJoin, JoinType, LogicalPlan};
use springtide_plan::{Aggregate, AggregateFunction, Filter, GroupBy, Join, Node};
use springtide_types::{Result, SqlError};

use super::spread::spread;
use super::{Lowering, arrow_schema, distinct, expr, refuse};
use crate::errors::plan_error;

impl Lowering<'_> {
    pub(super) fn join(&self, join: &LogicalJoin) -> Result<Node> {
        match join.join_type {
            JoinType::Inner => self.inner(join),
            JoinType::LeftSemi => self.semi(join),
            // The one row of an aggregate without GROUP BY joins with every row on the left.
            JoinType::Left if join.on.is_empty() && always_holds(join) && is_one_row(&join.right) => {
                self.inner(join)
            }
            _ => Err(refuse::join(join)),
        }
    }

    fn inner(&self, join: &LogicalJoin) -> Result<Node> {
        let left = Side::new("left", self.lower(&join.left)?, &join.left, left_keys(join))?;
        let right = Side::new("right", self.lower(&join.right)?, &join.right, right_keys(join))?;
        let null_equals_null = join.null_equality == NullEquality::NullEqualsNull;
        let wide = left.schema.join(&right.schema).map_err(|error| plan_error(&error))?;
        let filter = join.filter.as_ref().map(|filter| expr::physical(filter, &wide)).transpose()?;
        // Computed keys have done their work.
        let kept = left.columns().chain(right.columns().map(|column| column + left.width()));
        let kept = kept.collect::<Vec<_>>();
        let spread =
            if join.on.is_empty() { spread(&left.node, &right.node, filter.as_ref())? } else { None };
        let node = match spread {
            Some(node) => node,
            None => inner_join(left, right, null_equals_null, filter)?,
        };
        keep(node, &kept, &arrow_schema(&join.schema))
    }

    /// `EXISTS` and `IN` keep a row of the left side once, however many partners it has: a join with the
    /// distinct keys of the right side.
    fn semi(&self, join: &LogicalJoin) -> Result<Node> {
        let left = self.lower(&join.left)?;
        let right = self.lower(&join.right)?;
        if !always_holds(join) {
            return Err(refuse::join(join));
        }
        let output = arrow_schema(&join.schema);
        let left = Side::new("left", left, &join.left, left_keys(join))?;
        let kept = left.columns().collect::<Vec<_>>();
        if join.on.is_empty() {
            let right = Side { schema: DFSchema::empty(), own: 0, keys: vec![], node: any_row(right)? };
            return keep(inner_join(left, right, false, None)?, &kept, &output);
        }
        let right = Side::new("right", right, &join.right, right_keys(join))?;
        let fields = right.keys.iter().enumerate().map(|(position, key)| {
            Field::new(format!("key {position}"), right.node.schema().field(*key).data_type().clone(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let keys = distinct(keep(right.node, &right.keys, &schema)?);
        let right =
            Side { schema: DFSchema::empty(), own: 0, keys: (0..right.keys.len()).collect(), node: keys };
        let null_equals_null = join.null_equality == NullEquality::NullEqualsNull;
        keep(inner_join(left, right, null_equals_null, None)?, &kept, &output)
    }
}

fn left_keys(join: &LogicalJoin) -> impl Iterator<Item = &Expr> {
    join.on.iter().map(|(left, _)| left)
}

fn right_keys(join: &LogicalJoin) -> impl Iterator<Item = &Expr> {
    join.on.iter().map(|(_, right)| right)
}

/// Whether the join has no condition but its keys.
fn always_holds(join: &LogicalJoin) -> bool {
    use datafusion::common::ScalarValue;
    match &join.filter {
        None => true,
        Some(Expr::Literal(value, _)) => *value == ScalarValue::Boolean(Some(true)),
        Some(_) => false,
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
    fn new<'a>(
        name: &str,
        node: Node,
        plan: &LogicalPlan,
        on: impl Iterator<Item = &'a Expr>,
    ) -> Result<Side> {
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

    fn width(&self) -> usize {
        self.node.schema().fields().len()
    }
}

fn inner_join(
    left: Side,
    right: Side,
    null_equals_null: bool,
    filter: Option<Arc<dyn datafusion::physical_expr::PhysicalExpr>>,
) -> Result<Node> {
    let (left_schema, right_schema) = (left.node.schema(), right.node.schema());
    for (left_key, right_key) in left.keys.iter().zip(&right.keys) {
        let (one, other) = (left_schema.field(*left_key), right_schema.field(*right_key));
        if one.data_type() != other.data_type() {
            let (one, other) = (one.data_type(), other.data_type());
            return Err(SqlError::internal(format!("join keys of types {one} and {other}")));
        }
    }
    let fields = left_schema.fields().iter().chain(right_schema.fields()).cloned().collect::<Vec<_>>();
    Ok(Node::Join(Box::new(Join {
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

/// One row without columns of interest if the input has any row at all, else none.
fn any_row(input: Node) -> Result<Node> {
    let schema = Arc::new(Schema::new(vec![Field::new("count", DataType::Int64, true)]));
    let count = Aggregate {
        function: AggregateFunction::Count,
        argument: None,
        distinct: false,
        filter: None,
        output: DataType::Int64,
    };
    let input = Node::GroupBy(Box::new(GroupBy {
        input,
        keys: vec![],
        aggregates: vec![count],
        schema: schema.clone(),
    }));
    let named = DFSchema::try_from(schema.as_ref().clone()).map_err(|error| plan_error(&error))?;
    let positive = datafusion::logical_expr::col("count").gt(datafusion::logical_expr::lit(0_i64));
    let predicate = expr::physical(&positive, &named)?;
    Ok(Node::Filter(Box::new(Filter { input, predicate })))
}

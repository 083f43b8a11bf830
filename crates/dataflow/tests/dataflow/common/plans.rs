//! Plans by hand.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use springtide_plan::{
    Aggregate, AggregateFunction, Expand, Filter, GroupBy, Join, JoinKind, Node, Project, ScalarExpr,
    SetOperation, SetOperator, Source, TopK,
};
use springtide_types::{RelationId, SortColumn};

use super::Harness;

type Expr = Arc<dyn PhysicalExpr>;

pub fn column(index: usize) -> Expr {
    Arc::new(Column::new(&format!("c{index}"), index))
}

pub fn number(value: i64) -> Expr {
    lit(value)
}

pub fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Arc::new(BinaryExpr::new(left, operator, right))
}

pub fn source(harness: &Harness, relation: RelationId, columns: &[usize], append_only: bool) -> Node {
    Node::Source(Source {
        relation,
        name: relation.to_string(),
        columns: columns.to_vec(),
        schema: Arc::new(harness.schema(relation).project(columns).unwrap()),
        append_only,
        unique_keys: vec![],
    })
}

pub fn filter(input: Node, predicate: Expr) -> Node {
    Node::Filter(Box::new(Filter { input, predicate }))
}

pub fn project(input: Node, exprs: Vec<Expr>) -> Node {
    let names = (0..exprs.len()).map(|index| format!("p{index}")).collect::<Vec<_>>();
    let fields = exprs
        .iter()
        .zip(&names)
        .map(|(expr, name)| Field::new(name, expr.data_type(&input.schema()).unwrap(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let exprs = exprs.into_iter().zip(names).map(|(expr, name)| ScalarExpr { expr, name }).collect();
    Node::Project(Box::new(Project { input, exprs, schema }))
}

/// One row for each of these projections, which give the same types.
pub fn expand(input: Node, projections: Vec<Vec<Expr>>) -> Node {
    let projects = projections.into_iter().map(|exprs| match project(input.clone(), exprs) {
        Node::Project(project) => *project,
        other => panic!("{other:?} is no projection"),
    });
    let projects = projects.collect::<Vec<_>>();
    let schema = projects[0].schema.clone();
    let projections = projects.into_iter().map(|project| project.exprs).collect();
    Node::Expand(Box::new(Expand { input, projections, schema }))
}

pub fn join(left: Node, right: Node, left_keys: &[usize], right_keys: &[usize]) -> Node {
    join_of(JoinKind::Inner, left, right, left_keys, right_keys)
}

pub fn join_of(kind: JoinKind, left: Node, right: Node, left_keys: &[usize], right_keys: &[usize]) -> Node {
    let mut fields = left.schema().fields().iter().cloned().collect::<Vec<_>>();
    match kind {
        JoinKind::Semi | JoinKind::Anti => {}
        JoinKind::Mark => fields.push(Arc::new(Field::new("mark", DataType::Boolean, true))),
        _ => fields.extend(right.schema().fields().iter().cloned()),
    }
    Node::Join(Box::new(Join {
        kind,
        left,
        right,
        left_keys: left_keys.to_vec(),
        right_keys: right_keys.to_vec(),
        null_equals_null: false,
        filter: None,
        schema: Arc::new(Schema::new(fields)),
    }))
}

pub fn group_by(input: Node, keys: &[usize], functions: &[(AggregateFunction, Option<usize>)]) -> Node {
    let schema = input.schema();
    let mut fields = keys.iter().map(|key| schema.field(*key).clone()).collect::<Vec<_>>();
    let mut aggregates = Vec::new();
    for (index, (function, argument)) in functions.iter().enumerate() {
        let output = match function {
            AggregateFunction::Sum => DataType::Decimal128(38, 0),
            _ => DataType::Int64,
        };
        fields.push(Field::new(format!("a{index}"), output.clone(), true));
        let (function, argument) = (function.clone(), *argument);
        aggregates.push(Aggregate {
            function,
            argument,
            distinct: false,
            order: Vec::new(),
            filter: None,
            output,
        });
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    Node::GroupBy(Box::new(GroupBy { input, keys: keys.to_vec(), aggregates, schema }))
}

pub fn set_operation(operator: SetOperator, left: Node, right: Node) -> Node {
    Node::SetOperation(Box::new(SetOperation { operator, left, right }))
}

pub fn distinct(input: Node) -> Node {
    Node::Distinct(Box::new(input))
}

pub fn top_k(input: Node, group: &[usize], order: SortColumn, limit: u64) -> Node {
    let (group, order, schema) = (group.to_vec(), vec![order], input.schema());
    Node::TopK(Box::new(TopK { input, group, order, offset: 0, limit, ties: None, with_rank: false, schema }))
}

//! Rows as plain vectors, and plans evaluated the slow way.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use springtide_plan::{
    AggregateFunction, GroupBy, Join, JoinKind, Node, ScalarExpr, SetOperation, SetOperator, TopK,
};
use springtide_types::{RelationId, ZBatch};

use super::integers;

pub type Row = Vec<Option<i64>>;
pub type Bag = BTreeMap<Row, i64>;

/// A row without NULLs.
pub fn row(values: &[i64]) -> Row {
    values.iter().copied().map(Some).collect()
}

pub fn add(bag: &mut Bag, row: Row, weight: i64) {
    let sum = bag.get(&row).copied().unwrap_or(0) + weight;
    if sum == 0 {
        bag.remove(&row)
    } else {
        bag.insert(row, sum)
    };
}

pub fn batch_of(schema: SchemaRef, rows: &[(Row, i64)]) -> ZBatch {
    let column = |index: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|(row, _)| row[index]).collect::<Int64Array>())
    };
    let columns = (0..schema.fields().len()).map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options).unwrap();
    ZBatch::new(batch, rows.iter().map(|(_, weight)| *weight).collect::<Vec<_>>().into())
}

fn values(column: &ArrayRef) -> Vec<Option<i64>> {
    cast(column, &DataType::Int64).unwrap().as_primitive::<Int64Type>().iter().collect()
}

pub fn bag_of(batches: &[ZBatch]) -> Bag {
    let mut bag = Bag::new();
    for batch in batches {
        let columns = batch.columns().iter().map(values).collect::<Vec<_>>();
        for index in 0..batch.len() {
            let row = columns.iter().map(|column| column[index]).collect();
            add(&mut bag, row, batch.weights().value(index));
        }
    }
    bag
}

fn project(exprs: &[ScalarExpr], input: &Bag) -> Bag {
    let batch = rows_of(input);
    let evaluated = |output: &ScalarExpr| {
        values(&output.expr.evaluate(batch.rows()).unwrap().into_array(batch.len()).unwrap())
    };
    let columns = exprs.iter().map(evaluated).collect::<Vec<_>>();
    let output = |index: usize| columns.iter().map(|column| column[index]).collect::<Row>();
    collect(input.values().enumerate().map(|(index, weight)| (output(index), *weight)))
}

/// The result of a node over the contents of the relations that it reads.
pub fn evaluate(node: &Node, contents: &impl Fn(RelationId) -> Bag) -> Bag {
    match node {
        Node::Source(source) => {
            let pick = |row: Row| source.columns.iter().map(|column| row[*column]).collect::<Row>();
            collect(contents(source.relation).into_iter().map(|(row, weight)| (pick(row), weight)))
        }
        Node::Constant(rows) => bag_of(std::slice::from_ref(rows)),
        Node::Filter(filter) => {
            let input = evaluate(&filter.input, contents);
            let batch = rows_of(&input);
            let kept = filter.predicate.evaluate(batch.rows()).unwrap().into_array(batch.len()).unwrap();
            let kept = kept.as_boolean().clone();
            let is_kept = |index: &usize| kept.is_valid(*index) && kept.value(*index);
            collect(input.into_iter().enumerate().filter(|(index, _)| is_kept(index)).map(|(_, entry)| entry))
        }
        Node::Project(node) => project(&node.exprs, &evaluate(&node.input, contents)),
        Node::Expand(node) => {
            let input = evaluate(&node.input, contents);
            collect(node.projections.iter().flat_map(|exprs| project(exprs, &input)))
        }
        Node::Unnest(_) => panic!("arrays are tested from SQL"),
        Node::Join(node) => join(node, contents),
        Node::GroupBy(node) => group_by(node, contents),
        Node::Distinct(input) => evaluate(input, contents).into_keys().map(|row| (row, 1)).collect(),
        Node::Union(inputs) => collect(inputs.iter().flat_map(|input| evaluate(input, contents))),
        Node::SetOperation(node) => set_operation(node, contents),
        Node::TopK(node) => top_k(node, contents),
        Node::Window(_) => panic!("window functions are tested from SQL"),
    }
}

fn collect(entries: impl IntoIterator<Item = (Row, i64)>) -> Bag {
    let mut bag = Bag::new();
    entries.into_iter().for_each(|(row, weight)| add(&mut bag, row, weight));
    bag
}

/// The distinct rows of a bag in its order, for expressions to run on.
fn rows_of(bag: &Bag) -> ZBatch {
    let width = bag.keys().next().map_or(8, Vec::len);
    let names = (0..width).map(|index| format!("c{index}")).collect::<Vec<_>>();
    let names = names.iter().map(String::as_str).collect::<Vec<_>>();
    let rows = bag.iter().map(|(row, weight)| (row.clone(), *weight)).collect::<Vec<_>>();
    batch_of(integers(&names), &rows)
}

fn join(node: &Join, contents: &impl Fn(RelationId) -> Bag) -> Bag {
    let (left, right) = (evaluate(&node.left, contents), evaluate(&node.right, contents));
    let matches = |l: &Row, r: &Row| {
        node.left_keys.iter().zip(&node.right_keys).all(|(left_key, right_key)| {
            l[*left_key] == r[*right_key] && (node.null_equals_null || l[*left_key].is_some())
        })
    };
    let nulls = |input: &Node| vec![None; input.schema().fields().len()];
    let mut joined = Bag::new();
    for (l, weight) in &left {
        let matched = right.keys().any(|r| matches(l, r));
        match node.kind {
            JoinKind::Semi if matched => add(&mut joined, l.clone(), *weight),
            JoinKind::Anti if !matched => add(&mut joined, l.clone(), *weight),
            JoinKind::Mark => add(&mut joined, [&l[..], &[Some(i64::from(matched))]].concat(), *weight),
            JoinKind::Left | JoinKind::Full if !matched => {
                add(&mut joined, [&l[..], &nulls(&node.right)].concat(), *weight);
            }
            _ => {}
        }
    }
    if node.kind.is_existence() {
        return joined;
    }
    for (r, right_weight) in &right {
        for (l, left_weight) in left.iter().filter(|(l, _)| matches(l, r)) {
            add(&mut joined, [&l[..], r].concat(), left_weight * right_weight);
        }
        let keeps = matches!(node.kind, JoinKind::Right | JoinKind::Full);
        if keeps && !left.keys().any(|l| matches(l, r)) {
            add(&mut joined, [&nulls(&node.left)[..], r].concat(), *right_weight);
        }
    }
    joined
}

fn set_operation(node: &SetOperation, contents: &impl Fn(RelationId) -> Bag) -> Bag {
    let (left, right) = (evaluate(&node.left, contents), evaluate(&node.right, contents));
    let weight = |row: &Row, left: i64| {
        let right = right.get(row).copied().unwrap_or(0);
        match node.operator {
            SetOperator::IntersectAll => left.min(right),
            SetOperator::ExceptAll => (left - right).max(0),
        }
    };
    collect(
        left.iter().map(|(row, left)| (row.clone(), weight(row, *left))).filter(|(_, weight)| *weight != 0),
    )
}

fn group_by(node: &GroupBy, contents: &impl Fn(RelationId) -> Bag) -> Bag {
    let mut groups = BTreeMap::<Row, Vec<(Row, i64)>>::new();
    if node.keys.is_empty() {
        groups.insert(Row::new(), Vec::new());
    }
    for (row, weight) in evaluate(&node.input, contents) {
        let key = node.keys.iter().map(|key| row[*key]).collect();
        groups.entry(key).or_default().push((row, weight));
    }
    let with_aggregates = |(mut key, rows): (Row, Vec<(Row, i64)>)| {
        for aggregate in &node.aggregates {
            let argument = |row: &Row| aggregate.argument.map_or(Some(1), |column| row[column]);
            let present = rows.iter().filter_map(|(row, weight)| Some((argument(row)?, *weight)));
            let present = present.collect::<Vec<_>>();
            key.push(match &aggregate.function {
                AggregateFunction::Count => Some(present.iter().map(|(_, weight)| weight).sum()),
                AggregateFunction::Sum if present.is_empty() => None,
                AggregateFunction::Sum => Some(present.iter().map(|(value, weight)| value * weight).sum()),
                AggregateFunction::Min => present.iter().map(|(value, _)| *value).min(),
                AggregateFunction::Max => present.iter().map(|(value, _)| *value).max(),
                AggregateFunction::ArrayAgg | AggregateFunction::Computed(_) => {
                    panic!("aggregates of whole groups are tested from SQL")
                }
            });
        }
        (key, 1)
    };
    groups.into_iter().map(with_aggregates).collect()
}

fn top_k(node: &TopK, contents: &impl Fn(RelationId) -> Bag) -> Bag {
    let mut groups = BTreeMap::<Row, Vec<(Row, i64)>>::new();
    for (row, weight) in evaluate(&node.input, contents) {
        groups.entry(node.group.iter().map(|column| row[*column]).collect()).or_default().push((row, weight));
    }
    let mut first = Bag::new();
    for mut rows in groups.into_values() {
        rows.sort_by_key(|(row, _)| {
            let sign = |descending: bool| if descending { -1 } else { 1 };
            let keys = node.order.iter().map(|sort| match row[sort.column] {
                None => (if sort.nulls_first { -1 } else { 1 }, 0),
                Some(value) => (0, value * sign(sort.descending)),
            });
            let rest = row.iter().map(|value| value.map_or((1, 0), |value| (0, value)));
            keys.chain(rest).collect::<Vec<_>>()
        });
        let copies = rows.into_iter().flat_map(|(row, weight)| std::iter::repeat_n(row, weight as usize));
        let wanted = copies.skip(node.offset as usize).take(node.limit as usize);
        wanted.for_each(|row| add(&mut first, row, 1));
    }
    first
}

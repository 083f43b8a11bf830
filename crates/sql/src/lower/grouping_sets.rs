//! GROUPING SETS, ROLLUP and CUBE. Each row goes once into the groups of every set, with NULL for the keys that the set leaves
//! out and the number of the set as one more key: an expansion, then one GROUP BY. The groups of the empty set are one, which
//! is there without rows too.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, GroupingSet};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use springtide_plan::{Aggregate, Expand, GroupBy, Node};
use springtide_types::Result;

use super::expr;
use crate::errors::plan_error;

type Physical = Arc<dyn PhysicalExpr>;

/// The sets of a GROUP BY, as positions among its distinct keys.
pub(super) fn sets(grouping: &GroupingSet) -> Vec<Vec<usize>> {
    let keys = grouping.distinct_expr();
    let position = |key: &Expr| keys.iter().position(|known| *known == key).expect("keys are of their sets");
    match grouping {
        GroupingSet::GroupingSets(sets) => {
            sets.iter().map(|set| set.iter().map(position).collect()).collect()
        }
        GroupingSet::Rollup(exprs) => {
            (0..=exprs.len()).rev().map(|length| exprs[..length].iter().map(position).collect()).collect()
        }
        GroupingSet::Cube(exprs) => (0..1_u64 << exprs.len())
            .rev()
            .map(|mask| {
                let has = |place: &usize| mask >> place & 1 == 1;
                (0..exprs.len()).filter(has).map(|place| position(&exprs[place])).collect()
            })
            .collect(),
    }
}

/// The groups of all sets of an input: `keys` are its columns that are grouped by. The output has the keys, the number of the
/// set, and the aggregates.
pub(super) fn group(
    input: Node,
    keys: &[usize],
    sets: &[Vec<usize>],
    aggregates: &[Aggregate],
    output: &SchemaRef,
) -> Result<Node> {
    let numbers = numbers(sets, keys.len(), output.field(keys.len()).data_type())?;
    let numbered = || sets.iter().zip(&numbers);
    let mut groups = Vec::new();
    let expanded = numbered().filter(|(set, _)| !set.is_empty()).collect::<Vec<_>>();
    if !expanded.is_empty() {
        groups.push(expand(&input, keys, &expanded, aggregates, output)?);
    }
    for (_, number) in numbered().filter(|(set, _)| set.is_empty()) {
        groups.push(all(&input, keys.len(), number, aggregates, output)?);
    }
    Ok(if groups.len() == 1 { groups.remove(0) } else { Node::Union(groups) })
}

/// What tells the sets apart: a bit for each key that a set leaves out, the first key's the highest, and above them how many
/// equal sets come before. GROUPING() reads it.
fn numbers(sets: &[Vec<usize>], keys: usize, of_type: &DataType) -> Result<Vec<ScalarValue>> {
    let bits = |set: &[usize]| (0..keys).fold(0_u64, |bits, key| bits << 1 | u64::from(!set.contains(&key)));
    let numbers = sets.iter().enumerate().map(|(place, set)| {
        let before = sets[..place].iter().filter(|other| bits(other) == bits(set)).count() as u64;
        ScalarValue::UInt64(Some(bits(set) | before << keys)).cast_to(of_type)
    });
    numbers.collect::<datafusion::common::Result<_>>().map_err(|error| plan_error(&error))
}

/// The groups of sets that have keys.
fn expand(
    input: &Node,
    keys: &[usize],
    sets: &[(&Vec<usize>, &ScalarValue)],
    aggregates: &[Aggregate],
    output: &SchemaRef,
) -> Result<Node> {
    let before = input.schema();
    let own = before.fields().len();
    let key_fields = output.fields()[..=keys.len()].iter().enumerate().map(|(place, field)| {
        Arc::new(Field::new(format!("key {place}"), field.data_type().clone(), place < keys.len()))
    });
    let fields = before.fields().iter().cloned().chain(key_fields).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let columns = expr::all_columns(&before);
    let projections = sets.iter().map(|(set, number)| {
        let mut exprs = columns.clone();
        for (place, column) in keys.iter().enumerate() {
            exprs.push(if set.contains(&place) { columns[*column].clone() } else { null(output, place)? });
        }
        exprs.push(Arc::new(Literal::new((*number).clone())));
        expr::outputs(exprs, &before, &schema)
    });
    let projections = projections.collect::<Result<Vec<_>>>()?;
    let input = Node::Expand(Box::new(Expand { input: input.clone(), projections, schema }));
    let keys = (own..=own + keys.len()).collect();
    let aggregates = aggregates.to_vec();
    Ok(Node::GroupBy(Box::new(GroupBy { input, keys, aggregates, schema: output.clone() })))
}

/// The one group of a set without keys.
fn all(
    input: &Node,
    keys: usize,
    number: &ScalarValue,
    aggregates: &[Aggregate],
    output: &SchemaRef,
) -> Result<Node> {
    let results = Arc::new(Schema::new(output.fields()[keys + 1..].to_vec()));
    let (input, aggregates) = (input.clone(), aggregates.to_vec());
    let group = GroupBy { input, keys: Vec::new(), aggregates, schema: results.clone() };
    let nulls = (0..keys).map(|place| null(output, place));
    let mut exprs = nulls.collect::<Result<Vec<Physical>>>()?;
    exprs.push(Arc::new(Literal::new(number.clone())));
    exprs.extend(expr::all_columns(&results));
    expr::project_physical(Node::GroupBy(Box::new(group)), exprs, output)
}

fn null(output: &SchemaRef, place: usize) -> Result<Physical> {
    let null =
        ScalarValue::try_new_null(output.field(place).data_type()).map_err(|error| plan_error(&error))?;
    Ok(Arc::new(Literal::new(null)))
}

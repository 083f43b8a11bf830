//! Joins of rows with the greatest, or least, of them.

use std::any::Any;
use std::sync::Arc;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::{PhysicalExpr, conjunction_opt, split_conjunction};
use springtide_plan::{AggregateFunction, Node};

use super::expr::position_of;

/// One side of a join, and its key columns.
#[derive(Clone, Copy)]
pub(super) struct Keyed<'a> {
    pub node: &'a Node,
    pub keys: &'a [usize],
}

/// Pairs of columns, one of each side, that are equal.
pub(super) type Equalities = Vec<(usize, usize)>;

/// What a filter over the pairs of two sides is made of: equalities of a column with its own maximum, and the rest.
///
/// `rows.x >= (SELECT max(x) FROM rows GROUP BY key)`, of equal keys, says no less than `=`, since no x is greater; the same
/// holds for `<=` and `min`. As a key it makes a look-up of what would be a comparison with all rows of the group.
pub(super) fn equalities(
    left: Keyed<'_>,
    right: Keyed<'_>,
    filter: &Arc<dyn PhysicalExpr>,
) -> (Equalities, Option<Arc<dyn PhysicalExpr>>) {
    let width = left.node.schema().fields().len();
    let mut equal = Vec::new();
    let mut rest = Vec::new();
    for term in split_conjunction(filter) {
        let comparison = comparison(term).and_then(|(one, operator, other)| {
            let (one, operator, other) =
                if one < width { (one, operator, other) } else { (other, operator.swap()?, one) };
            (one < width && other >= width).then(|| (one, operator, other - width))
        });
        match comparison {
            Some((one, operator, other))
                if is_extreme(left, one, operator, right, other)
                    || operator
                        .swap()
                        .is_some_and(|swapped| is_extreme(right, other, swapped, left, one)) =>
            {
                equal.push((one, other));
            }
            _ => rest.push(term.clone()),
        }
    }
    (equal, conjunction_opt(rest))
}

/// A comparison of two columns.
fn comparison(term: &Arc<dyn PhysicalExpr>) -> Option<(usize, Operator, usize)> {
    let term: &dyn Any = term.as_ref();
    let binary = term.downcast_ref::<BinaryExpr>()?;
    Some((position_of(binary.left())?, *binary.op(), position_of(binary.right())?))
}

/// Whether `other` is the maximum (for `>=`) or minimum (for `<=`) that column `one` has among all rows with equal keys.
fn is_extreme(rows: Keyed<'_>, one: usize, operator: Operator, extremes: Keyed<'_>, other: usize) -> bool {
    let function = match operator {
        Operator::GtEq => AggregateFunction::Max,
        Operator::LtEq => AggregateFunction::Min,
        _ => return false,
    };
    let (Node::GroupBy(group_by), result) = below(extremes.node, other) else { return false };
    let Some(aggregate) = result.checked_sub(group_by.keys.len()).map(|place| &group_by.aggregates[place])
    else {
        return false;
    };
    let (true, None, Some(argument)) = (aggregate.function == function, aggregate.filter, aggregate.argument)
    else {
        return false;
    };
    // All columns that matter must be those of the same rows: what is aggregated, of which the joined rows are some.
    let aggregated = |column: usize| {
        let (node, column) = below(&group_by.input, column);
        identity(node, column)
    };
    let (base, argument) = aggregated(argument);
    let is_same = |column: usize, of_group: usize| {
        let origin = aggregated(of_group);
        origin.0 == base && comes_from(rows.node, column, &origin)
    };
    let keys = rows.keys.iter().zip(extremes.keys).filter_map(|(key, extreme_key)| {
        let (node, place) = below(extremes.node, *extreme_key);
        let is_key = matches!(node, Node::GroupBy(_)) && place < group_by.keys.len();
        is_key.then_some((*key, place))
    });
    let keys = keys.collect::<Vec<_>>();
    let all_keys = (0..group_by.keys.len()).all(|place| keys.iter().any(|(_, known)| *known == place));
    all_keys
        && keys.iter().all(|(key, place)| is_same(*key, group_by.keys[*place]))
        && comes_from(rows.node, one, &(base.clone(), argument))
}

/// The node that a column comes from unchanged, below projections of all its rows, and where it is there.
pub(super) fn below(node: &Node, column: usize) -> (&Node, usize) {
    match node {
        Node::Project(project) => match project.exprs[column].column() {
            Some(input) => below(&project.input, input),
            None => (node, column),
        },
        _ => (node, column),
    }
}

/// The same for two columns if they are one column of the same rows.
fn identity(node: &Node, column: usize) -> (String, usize) {
    match node {
        Node::Source(source) => (format!("{:?}", source.relation), source.columns[column]),
        node => (format!("{node:?}"), column),
    }
}

/// Whether a column is that of this identity, below projections and filters.
fn comes_from(node: &Node, column: usize, origin: &(String, usize)) -> bool {
    if identity(node, column) == *origin {
        return true;
    }
    match node {
        Node::Filter(filter) => comes_from(&filter.input, column, origin),
        Node::Project(project) => {
            let input = project.exprs[column].column();
            input.is_some_and(|input| comes_from(&project.input, input, origin))
        }
        _ => false,
    }
}

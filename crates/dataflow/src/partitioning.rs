use springtide_plan::{Join, JoinKind, Node, ScalarExpr, UnnestColumn, ViewPlan};
use springtide_types::ZBatch;

use crate::route::{Route, partition};

/// How the rows of a stream lie on the workers: by the hash of these columns, in this order; `None` where
/// nothing is known. Rows that lie by a hash need no exchange where that hash already brings together what
/// an operator needs together.
pub(crate) type Partitioning = Option<Vec<usize>>;

/// How the rows that a node emits lie.
pub(crate) fn partitioning(node: &Node) -> Partitioning {
    match node {
        Node::Source(_) | Node::Constant(_) => None,
        Node::Filter(filter) => partitioning(&filter.input),
        Node::Project(project) => projected(&partitioning(&project.input), &project.exprs),
        Node::Expand(expand) => {
            let input = partitioning(&expand.input);
            united(expand.projections.iter().map(|exprs| projected(&input, exprs)).collect())
        }
        Node::Unnest(unnest) => {
            let position = |column: usize| {
                unnest.columns.iter().position(|output| *output == UnnestColumn::Same(column))
            };
            partitioning(&unnest.input)?.into_iter().map(position).collect()
        }
        Node::Join(join) => joined(join),
        Node::GroupBy(plan) => grouped(&gather(&partitioning(&plan.input), &plan.keys).1, &plan.keys),
        Node::Distinct(input) => gather(&partitioning(input), &all_columns(input)).1,
        Node::Union(inputs) => united(inputs.iter().map(partitioning).collect()),
        Node::SetOperation(operation) => Some(all_columns(&operation.left)),
        Node::TopK(top_k) => gather(&partitioning(&top_k.input), &top_k.group).1,
        Node::Window(window) => gather(&partitioning(&window.input), &window.partition).1,
    }
}

/// How the rows that a plan emits move into the contents of its view: so that a deletion meets its insertion.
pub(crate) fn sink_route(root: &Node) -> Route {
    match root.properties().append_only {
        true => Route::Stay,
        false => gather_rows(&partitioning(root), root.schema().fields().len()),
    }
}

/// The parts of the contents of a view that belong to each worker, as the dataflow of the plan would put them there.
pub fn place(plan: &ViewPlan, rows: &ZBatch, workers: usize) -> Vec<(usize, ZBatch)> {
    let columns = match sink_route(&plan.root) {
        Route::Hash(columns) => Some(columns),
        Route::Stay => partitioning(&plan.root),
    };
    match columns {
        Some(columns) => partition(rows, &columns, workers),
        // Rows that only come may be anywhere.
        None => vec![(0, rows.clone())],
    }
}

/// How rows must move so that those with equal `keys` meet.
pub(crate) fn gather(input: &Partitioning, keys: &[usize]) -> (Route, Partitioning) {
    match input {
        Some(columns) if meets(columns, keys) => (Route::Stay, input.clone()),
        _ => (Route::Hash(keys.to_vec()), Some(keys.to_vec())),
    }
}

/// Rows with equal `keys` have equal `columns` and so lie on one worker. If all rows lie on one worker they
/// are spread nevertheless, as soon as there is a key to spread them by.
fn meets(columns: &[usize], keys: &[usize]) -> bool {
    columns.iter().all(|column| keys.contains(column)) && columns.is_empty() == keys.is_empty()
}

/// How a row must move so that its deletion meets its insertion. Any function of the row does it.
fn gather_rows(input: &Partitioning, columns: usize) -> Route {
    match input {
        Some(_) => Route::Stay,
        None => Route::Hash((0..columns).collect()),
    }
}

/// How the rows of one side of a join must move: both sides hash the same key columns in the same order.
pub(crate) fn co_locate(input: &Partitioning, keys: &[usize]) -> Route {
    if input.as_deref() == Some(keys) { Route::Stay } else { Route::Hash(keys.to_vec()) }
}

/// A joined row lies where its keys do. Those of the left side come first, but a row that is padded has NULLs
/// for them where it is the right side's.
fn joined(join: &Join) -> Partitioning {
    match join.kind {
        JoinKind::Right => {
            let offset = join.left.schema().fields().len();
            Some(join.right_keys.iter().map(|key| key + offset).collect())
        }
        JoinKind::Full => None,
        _ => Some(join.left_keys.clone()),
    }
}

/// A group lies where its keys do: input columns become output columns by their place in the key.
fn grouped(input: &Partitioning, keys: &[usize]) -> Partitioning {
    let columns = input.as_ref()?;
    columns.iter().map(|column| keys.iter().position(|key| key == column)).collect()
}

/// What a projection leaves of the partitioning: all of its columns must pass through unchanged.
fn projected(input: &Partitioning, exprs: &[ScalarExpr]) -> Partitioning {
    let output = |column: &usize| exprs.iter().position(|expr| expr.column() == Some(*column));
    input.as_ref()?.iter().map(output).collect()
}

/// Inputs that lie alike stay so together.
fn united(inputs: Vec<Partitioning>) -> Partitioning {
    let mut inputs = inputs.into_iter();
    let first = inputs.next()??;
    inputs.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Every column of a node.
pub(crate) fn all_columns(node: &Node) -> Vec<usize> {
    (0..node.schema().fields().len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_where_their_keys_already_meet() {
        assert_eq!(gather(&Some(vec![1]), &[0, 1]), (Route::Stay, Some(vec![1])));
        assert_eq!(gather(&Some(vec![1, 2]), &[1]), (Route::Hash(vec![1]), Some(vec![1])));
        assert_eq!(gather(&None, &[1]), (Route::Hash(vec![1]), Some(vec![1])));
    }

    #[test]
    fn rows_on_one_worker_are_spread_when_they_can_be() {
        assert_eq!(gather(&Some(vec![]), &[1]), (Route::Hash(vec![1]), Some(vec![1])));
        assert_eq!(gather(&Some(vec![]), &[]), (Route::Stay, Some(vec![])));
    }

    #[test]
    fn both_sides_of_a_join_hash_in_the_same_order() {
        assert_eq!(co_locate(&Some(vec![1, 0]), &[1, 0]), Route::Stay);
        assert_eq!(co_locate(&Some(vec![0, 1]), &[1, 0]), Route::Hash(vec![1, 0]));
    }

    #[test]
    fn a_group_lies_where_its_keys_do() {
        assert_eq!(grouped(&Some(vec![4]), &[2, 4]), Some(vec![1]));
        assert_eq!(grouped(&None, &[2]), None);
        assert_eq!(united(vec![Some(vec![0]), Some(vec![0])]), Some(vec![0]));
        assert_eq!(united(vec![Some(vec![0]), None]), None);
    }
}

use std::fmt;

use crate::{AggregateFunction, Join, JoinKind, Node, SetOperator};

/// What can be relied on of a node's output, derived from the plan alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// No row is ever retracted, so operators downstream keep no state for retraction.
    pub append_only: bool,
    /// Sets of output columns whose values are unique among the rows. An empty set means: at most one row.
    pub unique_keys: Vec<Vec<usize>>,
}

/// What one changed row costs a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostClass {
    /// The same whatever the state holds.
    Constant,
    /// Proportional to the rows that match the changed row.
    Matches,
    /// Logarithmic in the rows of the touched group.
    Logarithmic,
    /// Proportional to the rows of the touched group.
    Group,
    /// Proportional to the other input.
    OtherInput,
}

impl fmt::Display for CostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CostClass::Constant => "O(1)",
            CostClass::Matches => "O(matches)",
            CostClass::Logarithmic => "O(log group)",
            CostClass::Group => "O(group)",
            CostClass::OtherInput => "O(other input)",
        })
    }
}

impl Properties {
    /// Whether the output, as it is, holds no row twice.
    pub fn is_set(&self) -> bool {
        !self.unique_keys.is_empty()
    }
}

impl Node {
    /// Derives the properties of this node's output.
    pub fn properties(&self) -> Properties {
        match self {
            Node::Source(source) => {
                Properties { append_only: source.append_only, unique_keys: source.unique_keys.clone() }
            }
            Node::Constant(rows) => {
                let unique_keys = if rows.len() <= 1 { vec![vec![]] } else { vec![] };
                Properties { append_only: true, unique_keys }
            }
            Node::Filter(filter) => filter.input.properties(),
            Node::Project(project) => {
                let input = project.input.properties();
                let position =
                    |column: usize| project.exprs.iter().position(|output| output.column() == Some(column));
                let unique_keys = input
                    .unique_keys
                    .iter()
                    .filter_map(|key| key.iter().map(|column| position(*column)).collect())
                    .collect();
                Properties { append_only: input.append_only, unique_keys }
            }
            Node::Expand(expand) => {
                Properties { append_only: expand.input.properties().append_only, unique_keys: vec![] }
            }
            Node::Unnest(unnest) => {
                Properties { append_only: unnest.input.properties().append_only, unique_keys: vec![] }
            }
            Node::Join(join) => {
                let (left, right) = (join.left.properties(), join.right.properties());
                // A match that comes takes back what was said of a row without one.
                let only_matches = matches!(join.kind, JoinKind::Inner | JoinKind::Semi);
                Properties {
                    append_only: only_matches && left.append_only && right.append_only,
                    unique_keys: joined_keys(join, &left, &right),
                }
            }
            Node::GroupBy(group_by) => {
                Properties { append_only: false, unique_keys: vec![(0..group_by.keys.len()).collect()] }
            }
            Node::Distinct(input) => {
                let mut properties = input.properties();
                if !properties.is_set() {
                    properties.unique_keys = vec![(0..input.schema().fields().len()).collect()];
                }
                properties
            }
            Node::Union(inputs) => Properties {
                append_only: inputs.iter().all(|input| input.properties().append_only),
                unique_keys: vec![],
            },
            Node::SetOperation(operation) => {
                let (left, right) = (operation.left.properties(), operation.right.properties());
                let intersects = operation.operator == SetOperator::IntersectAll;
                Properties {
                    append_only: intersects && left.append_only && right.append_only,
                    unique_keys: left.unique_keys,
                }
            }
            Node::TopK(top_k) => {
                let mut unique_keys = top_k.input.properties().unique_keys;
                if top_k.ties.is_some() {
                    // Any number of rows may share a rank.
                } else if top_k.limit == 1 {
                    unique_keys.insert(0, top_k.group.clone());
                } else if top_k.with_rank {
                    let rank = top_k.schema.fields().len() - 1;
                    unique_keys.insert(0, top_k.group.iter().copied().chain([rank]).collect());
                }
                Properties { append_only: false, unique_keys }
            }
            Node::Window(window) => {
                Properties { append_only: false, unique_keys: window.input.properties().unique_keys }
            }
        }
    }

    /// Whether no two records that the node emits in an epoch cancel out.
    pub fn is_consolidated(&self) -> bool {
        match self {
            // A group's new row is another one than its old row.
            Node::GroupBy(_) => true,
            // Of rows that only come, one that has left the first does not come back.
            Node::TopK(top_k) => top_k.input.properties().append_only,
            Node::Filter(filter) => filter.input.is_consolidated(),
            Node::Project(project) => {
                let passes = |column| project.exprs.iter().any(|output| output.column() == Some(column));
                project.input.is_consolidated() && (0..project.input.schema().fields().len()).all(passes)
            }
            node => node.properties().append_only,
        }
    }

    /// What one changed input row costs this node alone, in rows touched.
    pub fn cost(&self) -> CostClass {
        match self {
            Node::Join(join) if join.left_keys.is_empty() && !tests_existence(join) => CostClass::OtherInput,
            Node::Join(_) => CostClass::Matches,
            Node::GroupBy(group_by)
                if group_by.aggregates.iter().any(|aggregate| aggregate.kept_columns().is_some()) =>
            {
                CostClass::Group
            }
            Node::GroupBy(group_by) => {
                let searches = group_by.aggregates.iter().any(|aggregate| {
                    matches!(aggregate.function, AggregateFunction::Min | AggregateFunction::Max)
                });
                if searches && !group_by.input.properties().append_only {
                    CostClass::Logarithmic
                } else {
                    CostClass::Constant
                }
            }
            Node::TopK(_) => CostClass::Logarithmic,
            Node::Window(_) => CostClass::Group,
            _ => CostClass::Constant,
        }
    }
}

/// Whether all that counts is whether the right side has a row of the key at all.
fn tests_existence(join: &Join) -> bool {
    join.kind.is_existence() && join.filter.is_none()
}

/// Two keys together identify a pair; one side's key alone does where the other side is joined on a key
/// of its own. Rows that are padded have NULLs for the key of the other side.
fn joined_keys(join: &Join, left: &Properties, right: &Properties) -> Vec<Vec<usize>> {
    if join.kind.is_existence() {
        return left.unique_keys.clone();
    }
    let offset = join.left.schema().fields().len();
    let shift = |key: &[usize]| key.iter().map(|column| column + offset).collect::<Vec<_>>();
    let covers = |keys: &[usize], unique: &[usize]| unique.iter().all(|column| keys.contains(column));
    let (left_stands, right_stands) = match join.kind {
        JoinKind::Left => (true, false),
        JoinKind::Right => (false, true),
        // Padded rows of both sides may have NULLs for all keys.
        JoinKind::Full => return Vec::new(),
        _ => (true, true),
    };
    let mut keys = Vec::new();
    if left_stands && right.unique_keys.iter().any(|unique| covers(&join.right_keys, unique)) {
        keys.extend(left.unique_keys.iter().cloned());
    }
    if right_stands && left.unique_keys.iter().any(|unique| covers(&join.left_keys, unique)) {
        keys.extend(right.unique_keys.iter().map(|key| shift(key)));
    }
    if let (true, Some(left), Some(right)) =
        (keys.is_empty(), left.unique_keys.first(), right.unique_keys.first())
    {
        keys.push(left.iter().copied().chain(shift(right)).collect());
    }
    keys
}

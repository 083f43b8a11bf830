use springtide_types::hash::hash_columns;

use crate::{ViewPlan, explain};

/// Changes whenever the plan computes something else or keeps other state, so that saved state is
/// restored only into the plan that wrote it.
pub fn fingerprint(plan: &ViewPlan) -> u64 {
    let text = format!("{}{:?}", explain(plan), plan.root.schema());
    let column = arrow::array::StringArray::from(vec![text]);
    hash_columns(&[std::sync::Arc::new(column)], 1)[0]
}

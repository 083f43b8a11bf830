//! Joins of ordered inputs.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::logical_expr::JoinType;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, JoinOn, SortMergeJoinExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// Merges inputs that come in the order of the join keys, as subqueries with ORDER BY do, instead of hashing
/// one of them. This is what PostgreSQL does with such inputs: it saves the hash table, and the rows keep the
/// order that the user gave them.
#[derive(Debug)]
pub(crate) struct MergeOrderedInputs;

impl PhysicalOptimizerRule for MergeOrderedInputs {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let merged = node.downcast_ref::<HashJoinExec>().map(merge).transpose()?.flatten();
            Ok(match merged {
                Some(join) => Transformed::yes(Arc::new(join) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "merge_ordered_inputs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn merge(join: &HashJoinExec) -> Result<Option<SortMergeJoinExec>> {
    let pairs_up =
        matches!(join.join_type(), JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full);
    if !pairs_up || join.filter().is_some() || join.contains_projection() {
        return Ok(None);
    }
    let Some((on, options)) = common_order(join)? else { return Ok(None) };
    let (left, right) = (join.left().clone(), join.right().clone());
    SortMergeJoinExec::try_new(left, right, on, None, *join.join_type(), options, join.null_equality())
        .map(Some)
}

/// The join keys in the order that both inputs have, if they have one.
fn common_order(join: &HashJoinExec) -> Result<Option<(JoinOn, Vec<SortOptions>)>> {
    let (Some(left), Some(right)) = (join.left().output_ordering(), join.right().output_ordering()) else {
        return Ok(None);
    };
    let (mut on, mut options) = (JoinOn::new(), Vec::new());
    for (left, right) in left.iter().zip(right).take(join.on().len()) {
        let pair = join.on().iter().find(|(l, r)| l.eq(&left.expr) && r.eq(&right.expr));
        let Some(pair) = pair.filter(|_| left.options == right.options) else { return Ok(None) };
        if !is_mergeable(&pair.0.data_type(&join.left().schema())?) {
            return Ok(None);
        }
        on.push(pair.clone());
        options.push(left.options);
    }
    Ok((on.len() == join.on().len()).then_some((on, options)))
}

/// The types that DataFusion's merge join compares, but for floats: it cannot compare NaN.
fn is_mergeable(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(
        data_type,
        Boolean | Int16 | Int32 | Int64 | Utf8 | Binary | Decimal128(..) | Date32 | Timestamp(_, None)
    )
}

//! The types of the columns of UNION, INTERSECT and EXCEPT.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Join, JoinType, LogicalPlan, Projection};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::convert::is_disguised;
use crate::errors::external;
use crate::operators::{common_of, describe, known_type, resolve};

/// The branches of a UNION, whose literals of open type have taken the type that the others have in their
/// column.
pub(crate) fn unify_branches(mut branches: Vec<Arc<LogicalPlan>>) -> Result<Vec<Arc<LogicalPlan>>> {
    let width = branches.first().map_or(0, |branch| branch.schema().fields().len());
    for column in 0..width {
        let types = branches.iter().map(|branch| column_type(branch, column)).collect::<Result<Vec<_>>>()?;
        let Some(common) = common_of("UNION", types.iter().copied().flatten())? else { continue };
        for (branch, _) in branches.iter_mut().zip(types).filter(|(_, known)| known.is_none()) {
            if let LogicalPlan::Projection(projection) = branch.as_ref() {
                let (qualifier, field) = projection.schema.qualified_field(column);
                let mut exprs = projection.expr.clone();
                let resolved = resolve(exprs[column].clone(), common)?.unalias();
                exprs[column] = resolved.alias_qualified(qualifier.cloned(), field.name());
                let projection = Projection::try_new(exprs, projection.input.clone())?;
                *branch = Arc::new(LogicalPlan::Projection(projection));
            }
        }
    }
    Ok(branches)
}

/// The type of an output column, or `None` where it is still open.
fn column_type(branch: &LogicalPlan, column: usize) -> Result<Option<SqlType>> {
    match branch {
        LogicalPlan::Projection(projection) => {
            known_type(&projection.expr[column], projection.input.schema())
        }
        other => Ok(SqlType::from_arrow(other.schema().field(column).data_type())),
    }
}

/// Keys of USING, INTERSECT and EXCEPT, which DataFusion would compare as bytes if one side is.
pub(crate) fn check_keys(join: &Join) -> Result<()> {
    for (left, right) in &join.on {
        let types = (known_type(left, join.left.schema())?, known_type(right, join.right.schema())?);
        let (Some(left), Some(right)) = types else { continue };
        if left != right && (is_disguised(left) || is_disguised(right)) {
            let construct = match join.join_type {
                JoinType::LeftSemi => "INTERSECT",
                JoinType::LeftAnti => "EXCEPT",
                _ => "JOIN/USING",
            };
            let (left, right) = (describe(Some(left)), describe(Some(right)));
            let message = format!("{construct} types {left} and {right} cannot be matched");
            return Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)));
        }
    }
    Ok(())
}

//! INTERSECT ALL and EXCEPT ALL. DataFusion binds them as semi and anti joins, which do not count how often a row
//! occurs.
//!
//! Ad hoc, equal rows are numbered on both sides, and the number is one more key of the join. A view maintains
//! the multisets themselves, as [`MultisetOperation`].

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchemaRef, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Distinct, Expr, ExprFunctionExt, ExprSchemable, Extension, Join, JoinType, LogicalPlan,
    LogicalPlanBuilder, UserDefinedLogicalNodeCore,
};

use crate::functions::value_of_jsonb_key;

/// The plan of an ad-hoc query with multiset operations that DataFusion can run.
pub(crate) fn numbered(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, |join| {
        let (left_keys, right_keys) = join.on.iter().cloned().unzip();
        let (left, left_number) = number(&join.left, left_keys, "left number")?;
        let (right, right_number) = number(&join.right, right_keys, "right number")?;
        let mut numbered = join.clone();
        (numbered.left, numbered.right) = (Arc::new(left), Arc::new(right));
        numbered.on.push((left_number, right_number));
        numbered.schema = numbered.left.schema().clone();
        LogicalPlanBuilder::from(LogicalPlan::Join(numbered)).project(columns(&join.left))?.build()
    })
}

/// The plan of a view, in which multiset operations are nodes of their own.
pub(crate) fn as_nodes(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, |join| {
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = join.on.iter().cloned().unzip();
        let names = (0..join.on.len()).map(|position| format!("column {position}")).collect::<Vec<_>>();
        let project = |input: &LogicalPlan, keys: Vec<Expr>| {
            // What is compared is also what comes out.
            let keys = keys.into_iter().map(value_of_jsonb_key);
            let keys = keys.zip(&names).map(|(key, name)| key.alias(name));
            LogicalPlanBuilder::from(input.clone()).project(keys.collect::<Vec<_>>())?.build()
        };
        let left = project(&join.left, left_keys)?;
        let right = project(&join.right, right_keys)?;
        let node = Arc::new(MultisetOperation { except: join.join_type == JoinType::LeftAnti, left, right });
        let node = LogicalPlan::Extension(Extension { node });
        // Rows are compared as a type that both sides have in common, and are still what they were.
        let columns = names.iter().zip(join.left.schema().iter()).map(|(name, (qualifier, field))| {
            let column = Expr::Column(Column::new_unqualified(name));
            let column = column.cast_to(field.data_type(), node.schema())?;
            Ok(column.alias_qualified(qualifier.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(node).project(columns)?.build()
    })
}

/// Only set operations are bound as joins on which NULL equals NULL; those without ALL drop duplicates first.
fn rewrite(plan: LogicalPlan, replace: impl Fn(&Join) -> Result<LogicalPlan>) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        let is_multiset = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
            && join.null_equality == NullEquality::NullEqualsNull
            && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)));
        if is_multiset { Ok(Transformed::yes(replace(join)?)) } else { Ok(Transformed::no(plan)) }
    })?;
    Ok(rewritten.data)
}

/// The rows, and for each its number among those that are equal to it.
fn number(input: &LogicalPlan, keys: Vec<Expr>, name: &str) -> Result<(LogicalPlan, Expr)> {
    let number = row_number().partition_by(keys).build()?;
    let computed = Expr::Column(Column::new_unqualified(number.schema_name().to_string()));
    let outputs = columns(input).into_iter().chain([computed.alias(name)]);
    let plan = LogicalPlanBuilder::from(input.clone()).window([number])?.project(outputs)?.build()?;
    Ok((plan, Expr::Column(Column::new_unqualified(name))))
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// A node of the logical plan of a view: see [`springtide_plan::SetOperation`]. Both sides have the same types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) struct MultisetOperation {
    /// EXCEPT ALL, else INTERSECT ALL.
    pub(crate) except: bool,
    pub(crate) left: LogicalPlan,
    pub(crate) right: LogicalPlan,
}

impl UserDefinedLogicalNodeCore for MultisetOperation {
    fn name(&self) -> &str {
        "MultisetOperation"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.left.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.except { "ExceptAll" } else { "IntersectAll" })
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [left, right] = <[LogicalPlan; 2]>::try_from(inputs)
            .map_err(|_| datafusion::common::DataFusionError::Internal("it has two inputs".to_owned()))?;
        Ok(MultisetOperation { except: self.except, left, right })
    }
}

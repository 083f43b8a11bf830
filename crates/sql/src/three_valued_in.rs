//! `IN (SELECT ...)` in the logic of three values, made of EXISTS.
//!
//! ```text
//! x IN (SELECT y FROM q)   is TRUE   where EXISTS (SELECT y FROM q WHERE y = x)
//!                          is NULL   where EXISTS (SELECT y FROM q WHERE y IS NULL)
//!                                       or x IS NULL AND EXISTS (SELECT y FROM q)
//!                          is FALSE  elsewhere
//! ```
//!
//! DataFusion knows two values where the condition is part of another one, and NULLs only in `x NOT IN` of an
//! uncorrelated subquery. Here a condition of a WHERE becomes what it is *true* for, which takes three anti
//! joins on equal keys; elsewhere it becomes a CASE over the three values.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, exists, lit,
    not_exists, when,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// See the module.
#[derive(Debug)]
pub(crate) struct ThreeValuedIn {
    /// DataFusion has a join for `x NOT IN` an uncorrelated subquery.
    keeps_null_aware_joins: bool,
}

impl ThreeValuedIn {
    /// Rewrites all that DataFusion knows two values of.
    pub(crate) const WHERE_NEEDED: ThreeValuedIn = ThreeValuedIn { keeps_null_aware_joins: true };
    /// Leaves only conditions that are semi joins.
    pub(crate) const EVERYWHERE: ThreeValuedIn = ThreeValuedIn { keeps_null_aware_joins: false };

    fn condition(&self, condition: &Expr, schema: &DFSchema) -> Result<Expr> {
        match condition {
            Expr::InSubquery(member)
                if member.negated
                    && self.keeps_null_aware_joins
                    && member.subquery.outer_ref_columns.is_empty() =>
            {
                Ok(condition.clone())
            }
            condition => where_true(condition.clone(), schema),
        }
    }
}

impl OptimizerRule for ThreeValuedIn {
    fn name(&self) -> &str {
        "three_valued_in"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let schema = filter.input.schema();
        let conditions = split_conjunction(&filter.predicate).into_iter();
        let conditions = conditions.map(|condition| self.condition(condition, schema));
        match conjunction(conditions.collect::<Result<Vec<_>>>()?) {
            Some(predicate) if predicate != filter.predicate => {
                let filter = Filter::try_new(predicate, filter.input.clone())?;
                Ok(Transformed::yes(LogicalPlan::Filter(filter)))
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// A condition that is true where `condition` is; where it is false or NULL this one is either.
fn where_true(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (left, right) = (where_true(*left, schema)?, where_true(*right, schema)?);
            Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        Expr::Not(negated) => match *negated {
            Expr::InSubquery(member) => {
                where_true(Expr::InSubquery(InSubquery { negated: !member.negated, ..member }), schema)
            }
            other => by_value(Expr::Not(Box::new(other)), schema),
        },
        Expr::InSubquery(member) if !member.negated => Ok(Expr::InSubquery(member)),
        Expr::InSubquery(member) => {
            let Some(found) = Found::new(&member, schema)? else { return Ok(Expr::InSubquery(member)) };
            let absent = [found.equal].into_iter().chain(found.unknown).map(not_exists);
            Ok(conjunction(absent).unwrap_or_else(|| lit(true)))
        }
        other => by_value(other, schema),
    }
}

/// The same expression, with each `IN` as one of three values.
pub(crate) fn by_value(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let rewritten = expr.transform_down(|expr| {
        let Expr::InSubquery(member) = &expr else { return Ok(Transformed::no(expr)) };
        let Some(found) = Found::new(member, schema)? else { return Ok(Transformed::no(expr)) };
        let mut value = when(exists(found.equal), lit(!member.negated));
        if let Some(unknown) = found.unknown.into_iter().map(exists).reduce(Expr::or) {
            value.when(unknown, Expr::Literal(ScalarValue::Boolean(None), None));
        }
        Ok(Transformed::yes(value.otherwise(lit(member.negated))?))
    })?;
    Ok(rewritten.data)
}

const MEMBER: &str = "__member";

/// The rows of the subquery of an `IN` that decide it.
struct Found {
    /// If there are any, `IN` is true.
    equal: Arc<LogicalPlan>,
    /// If there are any in one of these, and none above, it is NULL.
    unknown: Vec<Arc<LogicalPlan>>,
}

impl Found {
    /// `None` for a value that is itself made of a subquery.
    fn new(member: &InSubquery, schema: &DFSchema) -> Result<Option<Found>> {
        let made_of_subquery = member.expr.exists(|expr| {
            Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_)))
        })?;
        if made_of_subquery {
            return Ok(None);
        }
        let value = from_inside(&member.expr, schema)?;
        let (qualifier, field) = member.subquery.subquery.schema().qualified_field(0);
        // Under a name of its own, for the value may be a column of the same name.
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name())).alias(MEMBER);
        let rows = LogicalPlanBuilder::from(member.subquery.subquery.clone()).project([column])?;
        let column = Expr::Column(Column::new_unqualified(MEMBER));
        let only = |condition: Expr| rows.clone().filter(condition)?.build().map(Arc::new);
        let mut unknown = Vec::new();
        if field.is_nullable() {
            unknown.push(only(column.clone().is_null())?);
        }
        if member.expr.nullable(schema)? {
            unknown.push(only(value.clone().is_null())?);
        }
        Ok(Some(Found { equal: only(column.eq(value))?, unknown }))
    }
}

/// An expression of the query around, as a subquery refers to it.
fn from_inside(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let referring = expr.clone().transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(referring?.data)
}

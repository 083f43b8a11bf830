//! The subqueries in the expressions of a node, as columns that its input is joined with.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::check_subquery_expr;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Subquery, lit};

use super::domain::Domain;
use super::references::{is_referred_from_inside, outer_columns, subquery};
use super::single_row::is_one_group;
use super::unknown;
use crate::three_valued_in::by_value;

/// Which subqueries are rewritten.
pub(super) struct Subqueries {
    aliases: Arc<AliasGenerator>,
    only_refused: bool,
}

impl Subqueries {
    /// All that the physical planner has nothing for.
    pub(super) fn all(aliases: Arc<AliasGenerator>) -> Subqueries {
        Subqueries { aliases, only_refused: false }
    }

    /// Those that DataFusion's checks don't let through.
    pub(super) fn refused(aliases: Arc<AliasGenerator>) -> Subqueries {
        Subqueries { aliases, only_refused: true }
    }

    /// Whether any expression of a node has such a subquery.
    pub(super) fn concern(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                found |= self.concerns(expr, plan)?;
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(found)
    }

    fn concerns(&self, expr: &Expr, plan: &LogicalPlan) -> Result<bool> {
        let Some(subquery) = subquery(expr) else { return Ok(false) };
        let schema = merge_schema(&plan.inputs());
        let is_correlated = || outer_columns(&subquery.subquery, &schema).map(|columns| !columns.is_empty());
        Ok(match expr {
            Expr::SetComparison(_) => false,
            _ if self.only_refused => {
                is_correlated()?
                    && (check_subquery_expr(plan, &subquery.subquery, expr).is_err()
                        || is_referred_from_inside(&subquery.subquery, &schema)?)
            }
            Expr::ScalarSubquery(_) => is_correlated()?,
            _ => true,
        })
    }

    /// The input of a node joined with the subqueries in its expressions, and those over it.
    pub(super) fn join(
        &mut self,
        plan: &LogicalPlan,
        input: LogicalPlan,
        exprs: Vec<Expr>,
    ) -> Result<(LogicalPlan, Vec<Expr>)> {
        let names = NamePreserver::new(plan);
        let outer = input.clone();
        let mut joined = input;
        let mut rewritten = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let name = names.save(&expr);
            let concerned = expr.exists(|expr| self.concerns(expr, plan))?;
            let expr = if concerned { self.in_expr(expr, plan, &outer, &mut joined)? } else { expr };
            rewritten.push(name.restore(expr));
        }
        Ok((joined, rewritten))
    }

    fn in_expr(
        &self,
        expr: Expr,
        plan: &LogicalPlan,
        outer: &LogicalPlan,
        joined: &mut LogicalPlan,
    ) -> Result<Expr> {
        let members = |expr: Expr| -> Result<Transformed<Expr>> {
            match &expr {
                Expr::InSubquery(_) if self.concerns(&expr, plan)? => {
                    by_value(expr, outer.schema()).map(Transformed::yes)
                }
                _ => Ok(Transformed::no(expr)),
            }
        };
        let made_of_in = expr.clone().transform_down(members)?;
        let is_new = made_of_in.transformed;
        let rewritten = made_of_in.data.transform_up(|expr| {
            let value = match &expr {
                Expr::Exists(exists) if is_new || self.concerns(&expr, plan)? => {
                    Some(self.exists(exists, outer, joined)?)
                }
                Expr::ScalarSubquery(subquery) if self.concerns(&expr, plan)? => {
                    Some(self.scalar(subquery, outer, joined)?)
                }
                _ => None,
            };
            Ok(value.map_or_else(|| Transformed::no(expr), Transformed::yes))
        })?;
        Ok(rewritten.data)
    }

    fn scalar(&self, subquery: &Subquery, outer: &LogicalPlan, joined: &mut LogicalPlan) -> Result<Expr> {
        let columns = outer_columns(&subquery.subquery, outer.schema())?;
        if columns.is_empty() {
            return unknown();
        }
        let domain = Domain::new(outer, columns, &self.aliases)?;
        let values = domain.push(&subquery.subquery)?;
        let name = self.aliases.next("__value");
        let value = Expr::Column(values.schema().columns()[0].clone()).alias(&name);
        let values =
            LogicalPlanBuilder::from(values).project([value].into_iter().chain(domain.keys()))?.build()?;
        let has_row = is_one_group(&subquery.subquery);
        let join_type = if has_row { JoinType::Inner } else { JoinType::Left };
        *joined = domain.join_back(joined.clone(), values, join_type, None)?;
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    fn exists(&self, exists: &Exists, outer: &LogicalPlan, joined: &mut LogicalPlan) -> Result<Expr> {
        let plan = exists.subquery.subquery.as_ref();
        let columns = outer_columns(plan, outer.schema())?;
        let name = self.aliases.next("__found");
        let found = Expr::Column(Column::new_unqualified(&name));
        let is_found = if columns.is_empty() {
            let counted = LogicalPlanBuilder::from(plan.clone())
                .aggregate(Vec::<Expr>::new(), [count(lit(1_i64)).alias(&name)])?
                .build()?;
            *joined = LogicalPlanBuilder::from(joined.clone()).cross_join(counted)?.build()?;
            found.gt(lit(0_i64))
        } else {
            let domain = Domain::new(outer, columns, &self.aliases)?;
            let keys = LogicalPlanBuilder::from(domain.push(plan)?).project(domain.keys())?.distinct()?;
            let keys = keys.project(domain.keys().chain([lit(true).alias(&name)]))?.build()?;
            *joined = domain.join_back(joined.clone(), keys, JoinType::Left, None)?;
            found.is_not_null()
        };
        Ok(if exists.negated { Expr::Not(Box::new(is_found)) } else { is_found })
    }

    /// An outer join with subqueries in its condition: each is joined with the side that it depends on.
    pub(super) fn in_outer_join(mut self, join: &Join) -> Result<LogicalPlan> {
        let plan = LogicalPlan::Join(join.clone());
        let Some(condition) = join.filter.clone() else { return unknown() };
        let mut of_right = true;
        condition.apply(|expr| {
            if let Some(subquery) = subquery(expr)
                && self.concerns(expr, &plan)?
            {
                of_right &= outer_columns(&subquery.subquery, join.left.schema())?.is_empty();
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut changed = join.clone();
        let side = if of_right { &mut changed.right } else { &mut changed.left };
        let (joined, mut exprs) = self.join(&plan, side.as_ref().clone(), vec![condition])?;
        *side = Arc::new(joined);
        changed.filter = exprs.pop();
        let changed = Join::try_new(
            changed.left,
            changed.right,
            changed.on,
            changed.filter,
            changed.join_type,
            changed.join_constraint,
            changed.null_equality,
            changed.null_aware,
        )?;
        let columns = join.schema.columns().into_iter().map(Expr::Column);
        LogicalPlanBuilder::from(LogicalPlan::Join(changed)).project(columns)?.build()
    }
}

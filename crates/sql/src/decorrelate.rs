//! Correlated scalar subqueries over aggregates, whatever the condition that correlates them.
//!
//! ```text
//! SELECT (SELECT agg(x) FROM inner WHERE p(inner, o.c)) FROM outer o
//!
//!   D  = SELECT DISTINCT c FROM outer
//!   M  = SELECT D.c, x, true AS matched FROM D, inner WHERE p(inner, D.c)
//!        UNION ALL
//!        SELECT D.c, NULL, false FROM D
//!   A  = SELECT c, agg(x) FILTER (WHERE matched) FROM M GROUP BY c
//!   outer o JOIN A ON o.c IS NOT DISTINCT FROM A.c
//! ```
//!
//! The second half of M gives every `c` its group, so that a count of nothing is 0, and no outer join is
//! needed: each step can be maintained incrementally. Source: Neumann and Kemper, *Unnesting Arbitrary
//! Queries*, BTW 2015.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, NullEquality, NullHandling, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Filter, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery,
    lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::lateral_unnest::unnest_over;

/// See the module.
#[derive(Debug)]
pub(crate) struct DecorrelateScalarAggregate;

impl OptimizerRule for DecorrelateScalarAggregate {
    fn name(&self) -> &str {
        "decorrelate_scalar_aggregate"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Filter(filter) => {
                let names = NamePreserver::new(&plan);
                let Some((input, mut exprs)) =
                    join_subqueries(&filter.input, vec![filter.predicate.clone()], &names, config)?
                else {
                    return Ok(Transformed::no(plan));
                };
                let columns = filter.input.schema().columns().into_iter().map(Expr::Column);
                let filtered = LogicalPlan::Filter(Filter::try_new(exprs.remove(0), Arc::new(input))?);
                let plan = LogicalPlanBuilder::from(filtered).project(columns)?.build()?;
                Ok(Transformed::yes(plan))
            }
            LogicalPlan::Projection(projection) => {
                let names = NamePreserver::new_for_projection();
                let Some((input, exprs)) =
                    join_subqueries(&projection.input, projection.expr.clone(), &names, config)?
                else {
                    return Ok(Transformed::no(plan));
                };
                let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?);
                Ok(Transformed::yes(plan))
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// Joins `input` with every subquery in `exprs` that has the right shape, and puts columns in their place.
fn join_subqueries(
    input: &LogicalPlan,
    exprs: Vec<Expr>,
    names: &NamePreserver,
    config: &dyn OptimizerConfig,
) -> Result<Option<(LogicalPlan, Vec<Expr>)>> {
    let mut joined = input.clone();
    let mut changed = false;
    let exprs = exprs.into_iter().map(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|expr| {
            let Expr::ScalarSubquery(subquery) = &expr else { return Ok(Transformed::no(expr)) };
            match join_one(&joined, input, subquery, config)? {
                Some((plan, value)) => {
                    joined = plan;
                    changed = true;
                    Ok(Transformed::yes(Expr::Column(value)))
                }
                None => Ok(Transformed::no(expr)),
            }
        })?;
        Ok(name.restore(rewritten.data))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Ok(changed.then_some((joined, exprs)))
}

/// The input joined with the subquery's values, and the column that holds them.
fn join_one(
    joined: &LogicalPlan,
    outer: &LogicalPlan,
    subquery: &Subquery,
    config: &dyn OptimizerConfig,
) -> Result<Option<(LogicalPlan, Column)>> {
    let mut correlated = Vec::new();
    for reference in &subquery.outer_ref_columns {
        let Expr::OuterReferenceColumn(_, column) = reference else { return Ok(None) };
        if outer.schema().maybe_index_of_column(column).is_none() {
            return Ok(None);
        }
        if !correlated.contains(column) {
            correlated.push(column.clone());
        }
    }
    let Some((above, aggregate)) = split_at_aggregate(&subquery.subquery) else { return Ok(None) };
    if correlated.is_empty() {
        return Ok(None);
    }
    let domain = Domain::new(outer, correlated, config.alias_generator().next("__domain"))?;
    let Some(mut values) = domain.aggregate(aggregate)? else { return Ok(None) };
    for node in above.into_iter().rev() {
        values = domain.carry(node, values)?;
    }
    let name = config.alias_generator().next("__value");
    let value = Column::new(Some(name.clone()), subquery.subquery.schema().field(0).name());
    let keys = domain.keys.iter().map(|key| Column::new(Some(name.clone()), key)).collect::<Vec<_>>();
    let values = LogicalPlanBuilder::from(values).alias(name)?.build()?;
    let plan = LogicalPlanBuilder::from(joined.clone()).join_detailed(
        values,
        JoinType::Inner,
        (domain.columns.clone(), keys),
        None,
        NullEquality::NullEqualsNull,
    )?;
    Ok(Some((plan.build()?, value)))
}

/// The projections above the aggregate, from the top, and the aggregate.
fn split_at_aggregate(plan: &LogicalPlan) -> Option<(Vec<&LogicalPlan>, &Aggregate)> {
    let mut above = Vec::new();
    let mut plan = plan;
    loop {
        match plan {
            LogicalPlan::Projection(projection) => {
                above.push(plan);
                plan = &projection.input;
            }
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                return Some((above, aggregate));
            }
            _ => return None,
        }
    }
}

/// The distinct values of the columns that a subquery refers to.
struct Domain {
    plan: LogicalPlan,
    name: String,
    /// In the outer query.
    columns: Vec<Column>,
    /// In the domain, and in every plan built on it.
    keys: Vec<String>,
}

impl Domain {
    fn new(outer: &LogicalPlan, columns: Vec<Column>, name: String) -> Result<Domain> {
        let keys = (0..columns.len()).map(|position| format!("{name} key {position}")).collect::<Vec<_>>();
        let exprs = columns.iter().zip(&keys).map(|(column, key)| Expr::Column(column.clone()).alias(key));
        let plan = LogicalPlanBuilder::from(outer.clone())
            .project(exprs.collect::<Vec<_>>())?
            .distinct()?
            .alias(name.clone())?
            .build()?;
        Ok(Domain { plan, name, columns, keys })
    }

    /// References to the outer query become references to the domain.
    fn bind(&self, expr: Expr, qualified: bool) -> Result<Expr> {
        let bound = expr.transform_up(|expr| {
            let Expr::OuterReferenceColumn(_, column) = &expr else { return Ok(Transformed::no(expr)) };
            let Some(position) = self.columns.iter().position(|known| known == column) else {
                return Ok(Transformed::no(expr));
            };
            let qualifier = qualified.then(|| self.name.clone());
            Ok(Transformed::yes(Expr::Column(Column::new(qualifier, &self.keys[position]))))
        })?;
        Ok(bound.data)
    }

    /// Each key with its aggregates: A in the drawing above.
    fn aggregate(&self, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
        let (predicate, inner) = match aggregate.input.as_ref() {
            LogicalPlan::Filter(filter) => (Some(filter.predicate.clone()), filter.input.as_ref()),
            input => (None, input),
        };
        let mut pairs = if refers_outside(inner)? {
            let Some(unnested) = self.unnested(inner)? else { return Ok(None) };
            unnested
        } else {
            LogicalPlanBuilder::from(self.plan.clone()).cross_join(inner.clone())?
        };
        if let Some(predicate) = predicate {
            pairs = pairs.filter(self.bind(predicate, true)?)?;
        }
        let pairs = pairs.build()?;
        let mut reads =
            Reads { domain: self, matched: format!("{} matched", self.name), columns: Vec::new() };
        let mut calls = Vec::new();
        for (call, field) in aggregate.aggr_expr.iter().zip(aggregate.schema.fields()) {
            let Some(call) = reads.call(call)? else { return Ok(None) };
            calls.push(call.alias(field.name()));
        }
        let keys =
            || self.keys.iter().map(|key| Expr::Column(Column::new(Some(self.name.clone()), key)).alias(key));
        let matches = LogicalPlanBuilder::from(pairs.clone())
            .project(keys().chain(reads.values()).chain([lit(true).alias(&reads.matched)]))?;
        let rest = LogicalPlanBuilder::from(self.plan.clone())
            .project(keys().chain(reads.nulls(pairs.schema())?).chain([lit(false).alias(&reads.matched)]))?
            .build()?;
        let groups = self.keys.iter().map(|key| Expr::Column(Column::new_unqualified(key)));
        Ok(Some(matches.union(rest)?.aggregate(groups, calls)?.build()?))
    }

    /// The domain with the elements of its arrays, where these are all that the subquery is about.
    fn unnested(&self, inner: &LogicalPlan) -> Result<Option<LogicalPlanBuilder>> {
        let of_domain = |expr: Expr| {
            expr.transform_up(|expr| match expr {
                Expr::OuterReferenceColumn(field, column) => {
                    let key = self.columns.iter().position(|known| *known == column).map(|at| &self.keys[at]);
                    let column = key.map_or(column, |key| Column::new(Some(self.name.clone()), key));
                    Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
                }
                other => Ok(Transformed::no(other)),
            })
        };
        let inner = inner.clone().transform_up(|node| node.map_expressions(of_domain))?.data;
        unnest_over(&Arc::new(self.plan.clone()), &inner, NullHandling::Drop)
    }

    /// The node over another input, with the keys carried through.
    fn carry(&self, node: &LogicalPlan, input: LogicalPlan) -> Result<LogicalPlan> {
        let LogicalPlan::Projection(projection) = node else { return Ok(input) };
        let exprs = projection
            .expr
            .iter()
            .zip(projection.schema.fields())
            .map(|(expr, field)| Ok(self.bind(expr.clone(), false)?.unalias().alias(field.name())));
        let mut exprs = exprs.collect::<Result<Vec<_>>>()?;
        exprs.extend(self.keys.iter().map(|key| Expr::Column(Column::new_unqualified(key))));
        Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?))
    }
}

fn refers_outside(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found |= matches!(expr, Expr::OuterReferenceColumn(..));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// What the aggregates read, as columns of M.
struct Reads<'a> {
    domain: &'a Domain,
    matched: String,
    columns: Vec<(String, Expr)>,
}

impl Reads<'_> {
    /// The call over columns of M, or `None` if there is no such.
    fn call(&mut self, call: &Expr) -> Result<Option<Expr>> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = call.clone().unalias() else {
            return Ok(None);
        };
        if !params.order_by.is_empty() {
            return Ok(None);
        }
        let mut params = params;
        params.args = params.args.into_iter().map(|arg| self.read(arg)).collect::<Result<Vec<_>>>()?;
        let matched = Expr::Column(Column::new_unqualified(&self.matched));
        params.filter = Some(Box::new(match params.filter {
            Some(filter) => matched.and(self.read(*filter)?),
            None => matched,
        }));
        Ok(Some(Expr::AggregateFunction(AggregateFunction { func, params })))
    }

    fn read(&mut self, expr: Expr) -> Result<Expr> {
        if matches!(expr, Expr::Literal(..)) {
            return Ok(expr);
        }
        let name = format!("{} read {}", self.domain.name, self.columns.len());
        self.columns.push((name.clone(), self.domain.bind(expr, true)?));
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    fn values(&self) -> impl Iterator<Item = Expr> {
        self.columns.iter().map(|(name, expr)| expr.clone().alias(name))
    }

    fn nulls(&self, schema: &DFSchema) -> Result<Vec<Expr>> {
        let null = |(name, expr): &(String, Expr)| {
            let value = ScalarValue::try_from(&expr.get_type(schema)?)?;
            Ok(Expr::Literal(value, None).alias(name))
        };
        self.columns.iter().map(null).collect()
    }
}

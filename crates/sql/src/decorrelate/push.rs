//! A subquery for all values that it depends on at once.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, NullEquality, Result, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::{conjunction, merge_schema};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, ExprSchemable, Filter, Join, JoinType, Limit, LogicalPlan,
    LogicalPlanBuilder, Projection, Sort, SubqueryAlias, Union, Unnest, Values, Window, lit, when,
};

use super::domain::Domain;
use super::{lateral, unknown};

impl Domain {
    /// The rows of the plan for each key, and the key after their columns.
    pub(super) fn push(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if !self.is_referred(plan)? {
            return LogicalPlanBuilder::from(plan.clone()).cross_join(self.plan.clone())?.build();
        }
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Subquery(subquery) => self.push(&subquery.subquery),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => self.one_group(aggregate),
            LogicalPlan::Aggregate(aggregate) => self.groups(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                LogicalPlanBuilder::from(self.push(input)?).distinct()?.build()
            }
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Union(union) => {
                let branches =
                    union.inputs.iter().map(|input| self.push(input)).collect::<Result<Vec<_>>>()?;
                self.union(branches, &union.schema)
            }
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            _ => unknown(),
        }
    }

    fn projection(&self, projection: &Projection) -> Result<LogicalPlan> {
        let schema = projection.input.schema();
        let exprs = projection.expr.iter().zip(projection.schema.iter()).map(|(expr, (qualifier, field))| {
            let bound = self.bind(expr.clone(), schema)?;
            Ok(match &bound {
                Expr::Column(column)
                    if column.relation.as_ref() == qualifier && column.name == *field.name() =>
                {
                    bound
                }
                _ => bound.unalias().alias_qualified(qualifier.cloned(), field.name()),
            })
        });
        let exprs = exprs.chain(self.keys().map(Ok)).collect::<Result<Vec<_>>>()?;
        let input = Arc::new(self.push(&projection.input)?);
        Projection::try_new(exprs, input).map(LogicalPlan::Projection)
    }

    fn filter(&self, filter: &Filter) -> Result<LogicalPlan> {
        let predicate = self.bind(filter.predicate.clone(), filter.input.schema())?;
        Filter::try_new(predicate, Arc::new(self.push(&filter.input)?)).map(LogicalPlan::Filter)
    }

    fn alias(&self, alias: &SubqueryAlias) -> Result<LogicalPlan> {
        let input = LogicalPlanBuilder::from(self.push(&alias.input)?).alias(alias.alias.clone())?;
        let keys = self.keys.iter().map(|key| {
            let qualified = Column::new(Some(alias.alias.clone()), &key.name);
            Expr::Column(qualified).alias(&key.name)
        });
        input.project(columns(&alias.schema).chain(keys).collect::<Vec<_>>())?.build()
    }

    fn sort(&self, sort: &Sort) -> Result<LogicalPlan> {
        let schema = sort.input.schema();
        let order = sort.expr.iter().map(|by| {
            Ok(datafusion::logical_expr::SortExpr { expr: self.bind(by.expr.clone(), schema)?, ..by.clone() })
        });
        let order = order.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(self.push(&sort.input)?).sort(order)?.build()
    }

    /// The first rows for each key, by their number.
    fn limit(&self, limit: &Limit) -> Result<LogicalPlan> {
        // An order counts below what only renames columns.
        if let LogicalPlan::Projection(projection) = limit.input.as_ref()
            && let LogicalPlan::Sort(_) = projection.input.as_ref()
        {
            let below = Limit { input: projection.input.clone(), ..limit.clone() };
            let above = Projection::try_new_with_schema(
                projection.expr.clone(),
                Arc::new(LogicalPlan::Limit(below)),
                projection.schema.clone(),
            )?;
            return self.projection(&above);
        }
        let (input, order) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (sort.input.as_ref(), sort.expr.clone()),
            other => (other, Vec::new()),
        };
        let order = order.into_iter().map(|by| {
            let expr = self.bind(by.expr.clone(), input.schema())?;
            Ok(datafusion::logical_expr::SortExpr { expr, ..by })
        });
        let name = self.aliases.next("__number");
        let partition = self.keys().collect::<Vec<_>>();
        let number = row_number().partition_by(partition).order_by(order.collect::<Result<_>>()?).build()?;
        let numbered = LogicalPlanBuilder::from(self.push(input)?).window([number.alias(&name)])?;
        let bound = |count: &Option<Box<Expr>>| {
            count.as_ref().map(|count| self.bind(count.as_ref().clone(), input.schema())).transpose()
        };
        let number = Expr::Column(Column::new_unqualified(&name));
        let skipped =
            bound(&limit.skip)?.filter(|skip| skip.as_literal() != Some(&ScalarValue::Int64(Some(0))));
        let last = match (bound(&limit.fetch)?, &skipped) {
            (Some(fetch), Some(skip)) => Some(sum(fetch, skip.clone())),
            (fetch, _) => fetch,
        };
        let conditions = skipped
            .map(|skip| number.clone().gt(as_number(skip)))
            .into_iter()
            .chain(last.map(|last| number.clone().lt_eq(as_number(last))));
        let kept = match conjunction(conditions) {
            Some(condition) => numbered.filter(condition)?,
            None => numbered,
        };
        self.outputs(kept.build()?, limit.input.schema())
    }

    fn groups(&self, aggregate: &Aggregate) -> Result<LogicalPlan> {
        if aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
            return unknown();
        }
        let schema = aggregate.input.schema();
        let bind = |expr: &Expr, position: usize| {
            let (qualifier, field) = aggregate.schema.qualified_field(position);
            let bound = self.bind(expr.clone(), schema)?;
            let same = matches!(&bound, Expr::Column(column)
                if column.relation.as_ref() == qualifier && column.name == *field.name());
            Ok(if same { bound } else { bound.unalias().alias_qualified(qualifier.cloned(), field.name()) })
        };
        let count = aggregate.group_expr.len();
        let groups = aggregate.group_expr.iter().enumerate().map(|(position, key)| bind(key, position));
        let groups = groups.chain(self.keys().map(Ok)).collect::<Result<Vec<_>>>()?;
        let calls =
            aggregate.aggr_expr.iter().enumerate().map(|(position, call)| bind(call, count + position));
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let input = Arc::new(self.push(&aggregate.input)?);
        let grouped = LogicalPlan::Aggregate(Aggregate::try_new(input, groups, calls)?);
        self.outputs(grouped, &aggregate.schema)
    }

    /// Without GROUP BY every key has its group, that of no rows too:
    ///
    /// ```text
    ///   M  = SELECT x, d, true AS matched FROM q(d)  UNION ALL  SELECT NULL, d, false FROM D
    ///   SELECT d, agg(x) FILTER (WHERE matched) FROM M GROUP BY d
    /// ```
    fn one_group(&self, aggregate: &Aggregate) -> Result<LogicalPlan> {
        let rows = self.push(&aggregate.input)?;
        let mut reads =
            Reads { domain: self, rows: &rows, matched: self.aliases.next("__matched"), read: Vec::new() };
        let mut calls = Vec::new();
        for (call, (qualifier, field)) in aggregate.aggr_expr.iter().zip(aggregate.schema.iter()) {
            let call = reads.call(&self.bind(call.clone(), aggregate.input.schema())?)?;
            calls.push(call.alias_qualified(qualifier.cloned(), field.name()));
        }
        let matched = |value: bool| lit(value).alias(&reads.matched);
        let matches = LogicalPlanBuilder::from(rows.clone())
            .project(self.keys().chain(reads.values()).chain([matched(true)]))?;
        let rest = LogicalPlanBuilder::from(self.plan.clone())
            .project(self.keys().chain(reads.nulls()?).chain([matched(false)]))?
            .build()?;
        let grouped = matches.union(rest)?.aggregate(self.keys(), calls)?.build()?;
        self.outputs(grouped, &aggregate.schema)
    }

    fn window(&self, window: &Window) -> Result<LogicalPlan> {
        let own = window.input.schema().fields().len();
        let calls = window.window_expr.iter().zip(window.schema.iter().skip(own));
        let calls = calls.map(|(call, (qualifier, field))| {
            let Expr::WindowFunction(mut call) = self.bind(call.clone(), window.input.schema())?.unalias()
            else {
                return unknown();
            };
            call.params.partition_by.extend(self.keys());
            Ok(Expr::WindowFunction(call).alias_qualified(qualifier.cloned(), field.name()))
        });
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let windowed = Window::try_new(calls, Arc::new(self.push(&window.input)?))?;
        self.outputs(LogicalPlan::Window(windowed), &window.schema)
    }

    fn values(&self, values: &Values) -> Result<LogicalPlan> {
        let rows = values.values.iter().map(|row| {
            let cells = row.iter().zip(values.schema.iter()).map(|(cell, (_, field))| {
                Ok(self.bind(cell.clone(), &DFSchema::empty())?.alias(field.name()))
            });
            let cells = cells.chain(self.keys().map(Ok)).collect::<Result<Vec<_>>>()?;
            LogicalPlanBuilder::from(self.plan.clone()).project(cells)?.build()
        });
        self.union(rows.collect::<Result<Vec<_>>>()?, &values.schema)
    }

    /// UNION ALL, under the names of `schema`.
    fn union(&self, branches: Vec<LogicalPlan>, schema: &DFSchema) -> Result<LogicalPlan> {
        let branches = branches.into_iter().map(Arc::new).collect::<Vec<_>>();
        let union = match <[Arc<LogicalPlan>; 1]>::try_from(branches) {
            Ok([one]) => Arc::unwrap_or_clone(one),
            Err(branches) => LogicalPlan::Union(Union::try_new_with_loose_types(branches)?),
        };
        let found = union.schema().columns().into_iter().map(Expr::Column);
        let names = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), field.name().clone()));
        let names = names.chain(self.keys.iter().map(|key| (None, key.name.clone())));
        let exprs =
            found.zip(names).map(|(column, (qualifier, name))| column.alias_qualified(qualifier, name));
        LogicalPlanBuilder::from(union).project(exprs.collect::<Vec<_>>())?.build()
    }

    fn unnest(&self, unnest: &Unnest) -> Result<LogicalPlan> {
        let rows = LogicalPlanBuilder::from(self.push(&unnest.input)?)
            .unnest_columns_with_options(unnest.exec_columns.clone(), unnest.options.clone())?;
        self.outputs(rows.build()?, &unnest.schema)
    }

    /// Both sides for each key, where they depend on it, and equal keys.
    fn join(&self, join: &Join) -> Result<LogicalPlan> {
        if let Some(joined) = lateral::joined(join, &self.aliases)? {
            return self.push(&joined);
        }
        let from_left = self.is_referred(&join.left)?;
        let from_right = self.is_referred(&join.right)?;
        let needs_left = match join.join_type {
            JoinType::Inner => from_left || !from_right,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => true,
            JoinType::Right => from_left,
            JoinType::Full => true,
            _ => return unknown(),
        };
        let needs_right = match join.join_type {
            JoinType::Right | JoinType::Full => true,
            _ => from_right,
        };
        let left = if needs_left { self.push(&join.left)? } else { join.left.as_ref().clone() };
        let right = if needs_right { self.push(&join.right)? } else { join.right.as_ref().clone() };
        let (right, others) = match (needs_left, needs_right) {
            (true, true) => self.with_other_keys(right)?,
            _ => (right, self.keys.clone()),
        };
        let schema = merge_schema(&[join.left.as_ref(), join.right.as_ref()]);
        let bind = |expr: &Expr| self.bind(expr.clone(), &schema);
        let both = needs_left && needs_right;
        let mut on = join.on.clone();
        let mut filter = join.filter.as_ref().map(bind).transpose()?;
        let mut null_equality = join.null_equality;
        if both {
            // The keys are equal where both are NULL, and what was equated before is not.
            if null_equality == NullEquality::NullEqualsNothing {
                let known = on.iter().map(|(left, _)| left.clone().is_not_null());
                filter = conjunction(known.chain(filter));
            }
            null_equality = NullEquality::NullEqualsNull;
            on.extend(self.keys().zip(others.iter().cloned().map(Expr::Column)));
        }
        let joined = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            join.join_constraint,
            null_equality,
            join.null_aware,
        )?;
        let joined = LogicalPlan::Join(joined);
        let keys = self.keys().zip(others.into_iter().map(Expr::Column)).map(|(left, right)| {
            Ok(match (join.join_type, both) {
                (JoinType::Right, true) => right.alias(left.schema_name().to_string()),
                (JoinType::Full, true) => when(left.clone().is_not_null(), left.clone())
                    .otherwise(right)?
                    .alias(left.schema_name().to_string()),
                _ => left,
            })
        });
        let exprs = columns(&join.schema).map(Ok).chain(keys).collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(joined).project(exprs)?.build()
    }

    /// The columns of `schema`, then the keys, whatever else the plan has.
    fn outputs(&self, plan: LogicalPlan, schema: &DFSchema) -> Result<LogicalPlan> {
        LogicalPlanBuilder::from(plan)
            .project(columns(schema).chain(self.keys()).collect::<Vec<_>>())?
            .build()
    }
}

fn columns(schema: &DFSchema) -> impl Iterator<Item = Expr> {
    schema.columns().into_iter().map(Expr::Column)
}

fn sum(fetch: Expr, skip: Expr) -> Expr {
    match (fetch.as_literal(), skip.as_literal()) {
        (Some(ScalarValue::Int64(Some(fetch))), Some(ScalarValue::Int64(Some(skip)))) => {
            lit(fetch.saturating_add(*skip))
        }
        _ => fetch + skip,
    }
}

/// A count as what row numbers are.
fn as_number(count: Expr) -> Expr {
    match count.as_literal() {
        Some(ScalarValue::Int64(Some(rows))) => lit(u64::try_from(*rows).unwrap_or(0)),
        _ => datafusion::logical_expr::cast(count, arrow::datatypes::DataType::UInt64),
    }
}

/// What the aggregates read, as columns of M.
struct Reads<'a> {
    domain: &'a Domain,
    rows: &'a LogicalPlan,
    matched: String,
    read: Vec<(String, Expr)>,
}

impl Reads<'_> {
    /// The call over columns of M.
    fn call(&mut self, call: &Expr) -> Result<Expr> {
        let Expr::AggregateFunction(AggregateFunction { func, mut params }) = call.clone().unalias() else {
            return unknown();
        };
        params.args = params.args.into_iter().map(|arg| self.read(arg)).collect();
        for by in &mut params.order_by {
            by.expr = self.read(std::mem::take(&mut by.expr));
        }
        let matched = Expr::Column(Column::new_unqualified(&self.matched));
        params.filter = Some(Box::new(match params.filter {
            Some(filter) => matched.and(self.read(*filter)),
            None => matched,
        }));
        Ok(Expr::AggregateFunction(AggregateFunction { func, params }))
    }

    fn read(&mut self, expr: Expr) -> Expr {
        if matches!(expr, Expr::Literal(..)) {
            return expr;
        }
        let name = self.domain.aliases.next("__read");
        self.read.push((name.clone(), expr));
        Expr::Column(Column::new_unqualified(name))
    }

    fn values(&self) -> impl Iterator<Item = Expr> {
        self.read.iter().map(|(name, expr)| expr.clone().alias(name))
    }

    fn nulls(&self) -> Result<Vec<Expr>> {
        let null = |(name, expr): &(String, Expr)| {
            let value = ScalarValue::try_from(&expr.get_type(self.rows.schema())?)?;
            Ok(Expr::Literal(value, None).alias(name))
        };
        self.read.iter().map(null).collect()
    }
}

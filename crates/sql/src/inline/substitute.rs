use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::logical_expr::expr::{Exists, InSubquery, Placeholder, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, SubqueryAlias};
use springtide_types::{SqlError, SqlState};

use super::PARAMETER;
use crate::errors::external;

/// Puts arguments in the place of a function's parameters.
pub(super) struct Substitution<'a> {
    arguments: &'a [Expr],
    /// The arguments as a subquery sees them: their columns are those of the query around it.
    outer: Vec<Expr>,
    /// How often each parameter was found; inside a subquery it counts as often.
    pub(super) uses: Vec<usize>,
    /// Follows the names of the relations in subqueries, lest they be taken for those of the caller.
    suffix: String,
}

impl<'a> Substitution<'a> {
    /// `schema` is that of the caller's columns; `number` tells the call from all others in a query.
    pub(super) fn new(arguments: &'a [Expr], schema: &DFSchema, number: usize) -> Result<Substitution<'a>> {
        let outer = arguments.iter().map(|argument| as_outer(argument.clone(), schema));
        Ok(Substitution {
            arguments,
            outer: outer.collect::<Result<_>>()?,
            uses: vec![0; arguments.len()],
            suffix: format!("#{number}"),
        })
    }

    /// An expression of the body.
    pub(super) fn expr(&mut self, expr: Expr) -> Result<Expr> {
        let substituted = expr.transform_up(|expr| match parameter(&expr) {
            Some(position) => {
                let argument = self.arguments.get(position).ok_or_else(|| no_parameter(position))?;
                self.uses[position] += 1;
                Ok(Transformed::yes(argument.clone()))
            }
            None => map_subquery(expr, |subquery| self.subquery(subquery)),
        })?;
        Ok(substituted.data)
    }

    fn subquery(&mut self, subquery: Subquery) -> Result<Subquery> {
        let plan = self.plan(Arc::unwrap_or_clone(subquery.subquery))?;
        Ok(Subquery { outer_ref_columns: plan.all_out_ref_exprs(), subquery: Arc::new(plan), ..subquery })
    }

    /// A query that is the body or part of it.
    pub(super) fn plan(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.node(node))?.data)
    }

    fn node(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = match node {
            LogicalPlan::TableScan(scan) => {
                let scan = TableScanBuilder::new(self.rename(&scan.table_name), scan.source)
                    .with_projection(scan.projection)
                    .with_filters(scan.filters)
                    .with_fetch(scan.fetch);
                LogicalPlan::TableScan(scan.build()?)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(alias.input, self.rename(&alias.alias))?)
            }
            other => other,
        };
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = match &expr {
                // A column goes by its new name; what refers to it does too.
                Expr::Column(_) => None,
                Expr::Alias(alias) if alias.relation.is_some() => None,
                expr => Some(names.save(expr)),
            };
            let expr = expr.transform_up(|expr| self.inner(expr))?;
            Ok(match name {
                Some(name) => expr.update_data(|expr| name.restore(expr)),
                None => expr,
            })
        })?;
        Ok(Transformed::yes(node.data.recompute_schema()?))
    }

    /// An expression inside a query of the body.
    fn inner(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        if let Some(position) = parameter(&expr) {
            let argument = self.outer.get(position).ok_or_else(|| no_parameter(position))?;
            if argument.exists(|expr| Ok(matches!(expr, Expr::ScalarSubquery(_))))? {
                return Err(subquery_in_subquery());
            }
            self.uses[position] += 2;
            return Ok(Transformed::yes(argument.clone()));
        }
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(Expr::Column(self.column(column))),
            Expr::OuterReferenceColumn(field, column) => {
                Transformed::yes(Expr::OuterReferenceColumn(field, self.column(column)))
            }
            Expr::Alias(mut alias) => {
                alias.relation = alias.relation.map(|relation| self.rename(&relation));
                Transformed::yes(Expr::Alias(alias))
            }
            expr => map_subquery(expr, |subquery| {
                let outer_ref_columns = subquery.subquery.all_out_ref_exprs();
                Ok(Subquery { outer_ref_columns, ..subquery })
            })?,
        })
    }

    fn column(&self, column: Column) -> Column {
        Column { relation: column.relation.map(|relation| self.rename(&relation)), ..column }
    }

    fn rename(&self, relation: &TableReference) -> TableReference {
        TableReference::bare(format!("{}{}", relation.table(), self.suffix))
    }
}

/// The position of the parameter that an expression stands for.
fn parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Placeholder(Placeholder { id, .. }) => {
            id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
        }
        Expr::OuterReferenceColumn(field, _) => field.metadata().get(PARAMETER)?.parse().ok(),
        _ => None,
    }
}

fn no_parameter(position: usize) -> datafusion::common::DataFusionError {
    let message = format!("there is no parameter ${}", position + 1);
    external(SqlError::new(SqlState::UNDEFINED_PARAMETER, message))
}

/// Its columns would be two queries away, further than DataFusion looks.
fn subquery_in_subquery() -> datafusion::common::DataFusionError {
    let error = SqlError::unsupported("a subquery in an argument of a function that reads a table");
    external(error.with_hint("Compute the argument in a subquery in FROM."))
}

fn as_outer(argument: Expr, schema: &DFSchema) -> Result<Expr> {
    let outer = argument.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let (relation, field) = schema.qualified_field_from_column(&column)?;
            let column = Column::new(relation.cloned(), field.name());
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field.clone(), column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(outer.data)
}

fn map_subquery(expr: Expr, change: impl FnOnce(Subquery) -> Result<Subquery>) -> Result<Transformed<Expr>> {
    Ok(Transformed::yes(match expr {
        Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(change(subquery)?),
        Expr::Exists(exists) => {
            Expr::Exists(Exists { subquery: change(exists.subquery)?, negated: exists.negated })
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            Expr::InSubquery(InSubquery { expr, subquery: change(subquery)?, negated })
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
            Expr::SetComparison(SetComparison { expr, subquery: change(subquery)?, op, quantifier })
        }
        other => return Ok(Transformed::no(other)),
    }))
}

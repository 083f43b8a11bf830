//! The values of the query around for which a subquery is computed.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::{Column, DFSchema, NullEquality, Result};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::references::{outer_columns, replaced};

/// The distinct values of the columns that a subquery refers to: D in the drawing above.
pub(super) struct Domain {
    pub plan: LogicalPlan,
    /// In the query around.
    pub columns: Vec<Column>,
    /// In the domain, and at the end of every plan built on it.
    pub keys: Vec<Column>,
    pub aliases: Arc<AliasGenerator>,
}

impl Domain {
    pub(super) fn new(
        outer: &LogicalPlan,
        columns: Vec<Column>,
        aliases: &Arc<AliasGenerator>,
    ) -> Result<Domain> {
        let keys = columns.iter().map(|_| Column::new_unqualified(aliases.next("__key"))).collect::<Vec<_>>();
        let exprs =
            columns.iter().zip(&keys).map(|(column, key)| Expr::Column(column.clone()).alias(&key.name));
        let plan = LogicalPlanBuilder::from(outer.clone())
            .project(exprs.collect::<Vec<_>>())?
            .distinct()?
            .build()?;
        Ok(Domain { plan, columns, keys, aliases: aliases.clone() })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Expr> {
        self.keys.iter().cloned().map(Expr::Column)
    }

    /// An expression over rows of `schema` with keys for its references to the query around.
    pub(super) fn bind(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let key = |column: &Column| {
            let position = self.columns.iter().position(|known| known == column)?;
            Some(self.keys[position].clone())
        };
        replaced(expr, schema, &|column| key(column).map(Expr::Column), &key)
    }

    /// Whether a plan refers to columns of the domain.
    pub(super) fn is_referred(&self, plan: &LogicalPlan) -> Result<bool> {
        let schema = self.outer_schema()?;
        Ok(!outer_columns(plan, &schema)?.is_empty())
    }

    fn outer_schema(&self) -> Result<DFSchema> {
        let fields = self.columns.iter().zip(self.plan.schema().fields()).map(|(column, field)| {
            (column.relation.clone(), Arc::new(field.as_ref().clone().with_name(&column.name)))
        });
        DFSchema::new_with_metadata(fields.collect(), std::collections::HashMap::default())
    }

    /// The plan with its keys under new names, and those.
    pub(super) fn with_other_keys(&self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Column>)> {
        let others = self.keys.iter().map(|_| Column::new_unqualified(self.aliases.next("__key")));
        let others = others.collect::<Vec<_>>();
        let mut exprs = plan.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
        exprs.truncate(exprs.len() - self.keys.len());
        exprs.extend(self.keys().zip(&others).map(|(key, other)| key.alias(&other.name)));
        Ok((LogicalPlanBuilder::from(plan).project(exprs)?.build()?, others))
    }

    /// The query around with what was computed for each of its keys.
    pub(super) fn join_back(
        &self,
        outer: LogicalPlan,
        values: LogicalPlan,
        join_type: JoinType,
        condition: Option<Expr>,
    ) -> Result<LogicalPlan> {
        LogicalPlanBuilder::from(outer)
            .join_detailed(
                values,
                join_type,
                (self.columns.clone(), self.keys.clone()),
                condition,
                NullEquality::NullEqualsNull,
            )?
            .build()
    }
}

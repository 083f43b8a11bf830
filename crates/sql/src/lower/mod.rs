//! From a bound query to the incremental plan. What cannot be maintained exactly is refused by name.

mod aggregate;
mod case;
mod common;
mod constant;
mod expr;
mod extreme;
mod greatest;
mod grouping_sets;
mod join;
mod optimize;
mod over_expand;
mod refuse;
mod set_operation;
mod source;
mod spread;
mod top_k;
mod union;
mod unnest;
mod window;
mod window_function;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Distinct, Extension, LogicalPlan};
use springtide_catalog::Catalog;
use springtide_plan::{Filter, Node, ViewPlan};
use springtide_types::{Result, SqlError};

use crate::{BoundQuery, Planner};

impl Planner {
    /// The plan that maintains the query's result, or `0A000` naming the construct that has none.
    pub fn lower(&self, query: &BoundQuery, catalog: &Catalog) -> Result<ViewPlan> {
        refuse::check(&query.plan)?;
        let plan = optimize::optimize(self, (*query.plan).clone())?;
        let lowered = Lowering { catalog }.lower(&plan)?;
        let columns = query.columns.iter().map(|column| (column.name.clone(), column.sql_type.arrow()));
        Ok(ViewPlan { root: expr::rename(lowered, columns.collect())? })
    }
}

struct Lowering<'a> {
    catalog: &'a Catalog,
}

impl Lowering<'_> {
    /// The node for a logical plan. Its columns are the plan's, position by position and type by type; more
    /// may follow where the plan has none, because a batch without columns cannot be handled as one.
    fn lower(&self, plan: &LogicalPlan) -> Result<Node> {
        let node = match plan {
            LogicalPlan::TableScan(scan) => self.source(scan),
            LogicalPlan::EmptyRelation(empty) => constant::empty(empty),
            LogicalPlan::Values(values) => constant::values(values),
            LogicalPlan::SubqueryAlias(alias) => self.lower(&alias.input),
            LogicalPlan::Filter(filter) if top_k::ranks(filter).is_some() => self.top_of_groups(filter),
            LogicalPlan::Filter(filter) => {
                if let Some(below) = top_k::below_projection(filter) {
                    return self.lower(&below);
                }
                let predicate = expr::physical(&filter.predicate, filter.input.schema())?;
                Ok(Node::Filter(Box::new(Filter { input: self.lower(&filter.input)?, predicate })))
            }
            LogicalPlan::Projection(projection) => {
                if let Some(merged) = top_k::over_projection(projection) {
                    return self.lower(&merged);
                }
                let input = top_k::without_rank(self.lower(&projection.input)?, projection);
                expr::project(
                    input,
                    projection.input.schema(),
                    &projection.expr,
                    &arrow_schema(plan.schema()),
                )
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => Ok(distinct(self.lower(input)?)),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Extension(Extension { node }) => self.set_operation(node.as_ref()),
            // A view has no order; a LIMIT above would have made the order matter.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.lower(&sort.input),
            other => Err(refuse::plan(other)),
        }?;
        check_columns(&node, plan)?;
        Ok(node)
    }
}

/// Each row once, without a node where that is so already.
fn distinct(input: Node) -> Node {
    if input.properties().is_set() { input } else { Node::Distinct(Box::new(input)) }
}

fn arrow_schema(schema: &DFSchema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Expressions find columns by position, so a plan whose columns are not what DataFusion believes them to
/// be must never get through.
fn check_columns(node: &Node, plan: &LogicalPlan) -> Result<()> {
    let types = |schema: &Schema, count: usize| {
        schema.fields().iter().take(count).map(|field| field.data_type().clone()).collect::<Vec<_>>()
    };
    let count = plan.schema().fields().len();
    let (found, expected) = (types(&node.schema(), count), types(plan.schema().as_arrow(), count));
    if found == expected {
        return Ok(());
    }
    let message = format!("lowering {} gave columns {found:?} instead of {expected:?}", plan.display());
    Err(SqlError::internal(message))
}

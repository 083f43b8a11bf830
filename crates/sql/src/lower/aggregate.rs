use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::expr::AggregateFunction as AggregateExpr;
use datafusion::logical_expr::{Aggregate as LogicalAggregate, Expr};
use datafusion::physical_expr::PhysicalExpr;
use springtide_plan::{Aggregate, AggregateFunction, GroupBy, Node};
use springtide_types::{Result, SortColumn};

use super::refuse::in_view;
use super::{Lowering, arrow_schema, expr};
use crate::errors::plan_error;
use crate::functions::collects;

impl Lowering<'_> {
    pub(super) fn aggregate(&self, aggregate: &LogicalAggregate) -> Result<Node> {
        let input = self.lower(&aggregate.input)?;
        let mut columns = Columns::new(&input, aggregate);
        let keys = aggregate.group_expr.iter().map(|key| match key {
            Expr::GroupingSet(_) => Err(in_view("GROUPING SETS, ROLLUP or CUBE")),
            key => columns.position(key),
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let output = arrow_schema(&aggregate.schema);
        let results = &output.fields()[keys.len()..];
        let aggregates = aggregate
            .aggr_expr
            .iter()
            .zip(results)
            .map(|(call, field)| lower_call(call, field.data_type().clone(), &mut columns));
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let input = columns.project(input)?;
        Ok(Node::GroupBy(Box::new(GroupBy { input, keys, aggregates, schema: output })))
    }
}

fn lower_call(call: &Expr, output: DataType, columns: &mut Columns<'_>) -> Result<Aggregate> {
    let call = match call {
        Expr::AggregateFunction(call) => call,
        Expr::Alias(alias) => return lower_call(&alias.expr, output, columns),
        other => return Err(in_view(other)),
    };
    let function = known_function(call)?;
    let collects = collects(&call.func);
    let arguments = arguments(call);
    let (arguments, order) = arguments.split_at(if collects.is_some() { 1 } else { arguments.len() });
    let argument = match arguments {
        [] if function == AggregateFunction::Count => None,
        [argument] => Some(columns.position(argument)?),
        _ => return Err(in_view(format!("{function} of several arguments"))),
    };
    let filter = call.params.filter.as_deref().map(|filter| columns.position(filter)).transpose()?;
    let (options, collects_distinct) = collects.unwrap_or((&[], false));
    let order = order.iter().zip(options).map(|(key, options)| {
        let SortOptions { descending, nulls_first } = *options;
        Ok(SortColumn { column: columns.position(key)?, descending, nulls_first })
    });
    let order = order.collect::<Result<Vec<_>>>()?;
    let extremum = matches!(function, AggregateFunction::Min | AggregateFunction::Max);
    let distinct = collects_distinct || (call.params.distinct && !extremum);
    Ok(Aggregate { function, argument, distinct, order, filter, output })
}

/// What the call has to look at: `count(1)`, like `count(*)`, looks at nothing.
fn arguments(call: &AggregateExpr) -> &[Expr] {
    match call.params.args.as_slice() {
        [Expr::Literal(value, _)]
            if call.func.name() == "count" && !value.is_null() && !call.params.distinct =>
        {
            &[]
        }
        arguments => arguments,
    }
}

fn known_function(call: &AggregateExpr) -> Result<AggregateFunction> {
    Ok(match call.func.name() {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        _ if collects(&call.func).is_some() => AggregateFunction::ArrayAgg,
        other => return Err(in_view(format!("aggregate function {other}()"))),
    })
}

/// The columns that an aggregate reads: its input's, or computed from them.
struct Columns<'a> {
    aggregate: &'a LogicalAggregate,
    wanted: Vec<(Expr, Arc<dyn PhysicalExpr>, Field)>,
    /// How many columns the input has.
    own: usize,
    /// Whether anything has to be computed.
    computes: bool,
}

impl<'a> Columns<'a> {
    fn new(input: &Node, aggregate: &'a LogicalAggregate) -> Columns<'a> {
        let own = input.schema().fields().len();
        let computes = aggregate
            .group_expr
            .iter()
            .chain(aggregate.aggr_expr.iter().flat_map(read_by))
            .any(|read| expr::column(read, aggregate.input.schema()).is_none());
        Columns { aggregate, wanted: Vec::new(), own, computes }
    }

    /// Where the expression's value will be.
    fn position(&mut self, read: &Expr) -> Result<usize> {
        let schema = self.aggregate.input.schema();
        if !self.computes {
            let position = expr::column(read, schema).filter(|position| *position < self.own);
            return position.ok_or_else(|| in_view(read));
        }
        if let Some(position) = self.wanted.iter().position(|(wanted, ..)| wanted == read) {
            return Ok(position);
        }
        let computed = expr::physical(read, schema)?;
        let data_type = computed.data_type(schema.as_arrow()).map_err(|error| plan_error(&error))?;
        let name = match expr::column(read, schema) {
            Some(column) => schema.field(column).name().clone(),
            None => read.schema_name().to_string(),
        };
        self.wanted.push((read.clone(), computed, Field::new(name, data_type, true)));
        Ok(self.wanted.len() - 1)
    }

    fn project(self, input: Node) -> Result<Node> {
        if !self.computes {
            return Ok(input);
        }
        let (exprs, fields): (Vec<_>, Vec<_>) =
            self.wanted.into_iter().map(|(_, expr, field)| (expr, field)).unzip();
        expr::project_physical(input, exprs, &Arc::new(Schema::new(fields)))
    }
}

/// The expressions over input columns in an aggregate call.
fn read_by(call: &Expr) -> Vec<&Expr> {
    match call {
        Expr::Alias(alias) => read_by(&alias.expr),
        Expr::AggregateFunction(call) => {
            arguments(call).iter().chain(call.params.filter.as_deref()).collect()
        }
        _ => Vec::new(),
    }
}

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::expr::AggregateFunction as AggregateExpr;
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate as LogicalAggregate, Expr, ExprSchemable};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use springtide_plan::{Aggregate, AggregateFunction, Computed, GroupBy, Node};
use springtide_types::{Result, SortColumn};

use super::refuse::in_view;
use super::{Lowering, arrow_schema, expr, grouping_sets};
use crate::errors::plan_error;
use crate::functions::collects;

impl Lowering<'_> {
    pub(super) fn aggregate(&self, aggregate: &LogicalAggregate) -> Result<Node> {
        let input = self.lower(&aggregate.input)?;
        let mut columns = Columns::new(&input, aggregate);
        let keys = grouping_set_to_exprlist(&aggregate.group_expr).map_err(|error| plan_error(&error))?;
        let keys = keys.into_iter().map(|key| columns.position(key)).collect::<Result<Vec<_>>>()?;
        let grouping = match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(grouping)] => Some(grouping),
            _ => None,
        };
        let output = arrow_schema(&aggregate.schema);
        let results = &output.fields()[keys.len() + usize::from(grouping.is_some())..];
        let aggregates = aggregate
            .aggr_expr
            .iter()
            .zip(results)
            .map(|(call, field)| lower_call(call, field.data_type().clone(), &mut columns));
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let input = columns.project(input)?;
        if let Some(grouping) = grouping {
            let sets = grouping_sets::sets(grouping);
            return grouping_sets::group(input, &keys, &sets, &aggregates, &output);
        }
        Ok(Node::GroupBy(Box::new(GroupBy { input, keys, aggregates, schema: output })))
    }
}

fn lower_call(call: &Expr, output: DataType, columns: &mut Columns<'_>) -> Result<Aggregate> {
    let call = match call {
        Expr::AggregateFunction(call) => call,
        Expr::Alias(alias) => return lower_call(&alias.expr, output, columns),
        other => return Err(in_view(other)),
    };
    let Some(function) = known_function(call) else { return computed(call, output, columns) };
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

/// The function that is maintained value by value, if it is one. Of truth values, false is the least.
fn known_function(call: &AggregateExpr) -> Option<AggregateFunction> {
    Some(match call.func.name() {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" | "bool_and" => AggregateFunction::Min,
        "max" | "bool_or" => AggregateFunction::Max,
        _ if collects(&call.func).is_some() => AggregateFunction::ArrayAgg,
        _ => return None,
    })
}

/// Any other function, computed anew from the rows of its group, which come in the order that it is given.
fn computed(call: &AggregateExpr, output: DataType, columns: &mut Columns<'_>) -> Result<Aggregate> {
    let (mut positions, mut fields, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
    // How many rows there are has to be known where no argument depends on them.
    let all_constant = call.params.args.iter().all(|argument| matches!(argument, Expr::Literal(..)));
    for (place, argument) in call.params.args.iter().enumerate() {
        let argument: Arc<dyn PhysicalExpr> = match argument {
            Expr::Literal(value, _) if place > 0 || !all_constant => Arc::new(Literal::new(value.clone())),
            argument => {
                let (name, field) = (positions.len().to_string(), columns.field(argument)?);
                positions.push(columns.position(argument)?);
                fields.push(field.with_name(&name));
                Arc::new(Column::new(&name, positions.len() - 1))
            }
        };
        arguments.push(argument);
    }
    let order = call.params.order_by.iter().map(|sort| {
        let (descending, nulls_first) = (!sort.asc, sort.nulls_first);
        Ok(SortColumn { column: columns.position(&sort.expr)?, descending, nulls_first })
    });
    let order = order.collect::<Result<Vec<_>>>()?;
    let filter = call.params.filter.as_deref().map(|filter| columns.position(filter)).transpose()?;
    let ignores_nulls = call.params.null_treatment == Some(NullTreatment::IgnoreNulls);
    let mut built = AggregateExprBuilder::new(call.func.clone(), arguments.clone())
        .schema(Arc::new(Schema::new(fields)))
        .alias(Expr::AggregateFunction(call.clone()).schema_name().to_string())
        .with_ignore_nulls(ignores_nulls);
    // What is WITHIN GROUP orders by its first argument, and asks in which direction.
    if call.func.supports_within_group_clause()
        && let ([sort], Some(first)) = (call.params.order_by.as_slice(), arguments.first())
    {
        let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
        built = built.order_by(vec![PhysicalSortExpr::new(first.clone(), options)]);
    }
    let call_of_columns = built.build().map_err(|error| plan_error(&error))?;
    let function =
        AggregateFunction::Computed(Computed { call: Arc::new(call_of_columns), columns: positions });
    Ok(Aggregate { function, argument: None, distinct: call.params.distinct, order, filter, output })
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

    /// The type of an expression's value.
    fn field(&self, read: &Expr) -> Result<Field> {
        let (_, field) = read.to_field(self.aggregate.input.schema()).map_err(|error| plan_error(&error))?;
        Ok(field.as_ref().clone().with_nullable(true))
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
            let order = call.params.order_by.iter().map(|sort| &sort.expr);
            arguments(call).iter().chain(order).chain(call.params.filter.as_deref()).collect()
        }
        _ => Vec::new(),
    }
}

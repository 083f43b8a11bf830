//! Calls of users' functions give way to the bodies of the functions, so that a function can stand wherever
//! an expression can, in maintained views as well.
//!
//! The binder makes a [`Call`] of each. Here its function is chosen by the types of the arguments, the body
//! is bound for just these types, and the arguments are put in the place of the parameters.

mod call;
mod substitute;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, Spans, TableReference};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Case, Cast, EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, Projection, Subquery,
};
use springtide_catalog::Function;
use springtide_types::{SqlError, SqlState, SqlType};

pub(crate) use call::{Call, conditional_call};
use substitute::Substitution;

use crate::bind::Names;
use crate::convert::{Context, convertible};
use crate::errors::external;
use crate::operators::{as_numeric, guarded, known_type, resolve};

/// Under this key the field of a parameter says which one it is.
const PARAMETER: &str = "springtide.parameter";

/// Puts bodies in the place of all calls in a plan.
pub(crate) fn inline_calls(plan: LogicalPlan, names: &Names<'_>) -> Result<LogicalPlan> {
    if !has_calls(&plan)? {
        return Ok(plan);
    }
    Ok(plan.transform_up_with_subqueries(|node| inline_in_node(node, names))?.data)
}

fn has_calls(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(is_call(expr)))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

fn is_call(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(function) if Call::of(function).is_some())
}

fn inline_in_node(node: LogicalPlan, names: &Names<'_>) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let preserver = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = preserver.save(&expr);
        let expr = expr.transform_up(|expr| match expr {
            Expr::ScalarFunction(function) if Call::of(&function).is_some() => {
                Ok(Transformed::yes(inline_call(function, &schema, names)?))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    // What is computed below may have got a type of another precision.
    Ok(Transformed::yes(node.data.recompute_schema()?))
}

fn inline_call(call: ScalarFunction, schema: &DFSchema, names: &Names<'_>) -> Result<Expr> {
    let ScalarFunction { func, args: mut arguments } = call;
    let call = ScalarFunction { func, args: Vec::new() };
    let Some(call) = Call::of(&call) else { return Err(external(SqlError::internal("a call is a call"))) };
    let conditions = call.split_conditions(&mut arguments);
    let types = arguments.iter().map(|argument| known_type(argument, schema)).collect::<Result<Vec<_>>>()?;
    let function = call.choose(&types).map_err(external)?;
    let value = value_of(function, arguments, &types, schema, names)?;
    conditions.into_iter().try_fold(value, guarded)
}

/// The value of a function, as an expression over the columns of its arguments.
pub(crate) fn value_of(
    function: &Function,
    arguments: Vec<Expr>,
    types: &[Option<SqlType>],
    schema: &DFSchema,
    names: &Names<'_>,
) -> Result<Expr> {
    let arguments = arguments.into_iter().zip(types).zip(function.types());
    let arguments = arguments.map(|((argument, from), declared)| argument_as(argument, *from, declared));
    let (arguments, types): (Vec<_>, Vec<_>) = arguments.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let body = names.in_body(function, || names.body(function, &types, &parameters(function, &types)?))?;
    let mut substitution = Substitution::new(&arguments, schema, names.next_call())?;
    let (value, from) = match single_expr(&body) {
        Some(expr) => {
            let from = known_type(&expr, &DFSchema::empty())?;
            (substitution.expr(expr)?, from)
        }
        None => {
            let from = query_type(&body, function)?;
            (first_value(substitution.plan(body)?)?, from)
        }
    };
    let value = as_returned(value, from, function)?;
    let uses = substitution.uses.iter().map(|uses| uses + usize::from(function.strict));
    for (argument, _) in arguments.iter().zip(uses).filter(|(_, uses)| *uses > 1) {
        refuse_volatile(argument, function)?;
    }
    let value = if function.strict { null_on_null(value, &arguments, function)? } else { value };
    names.spend(size(&value)?)?;
    Ok(value)
}

/// The argument as its parameter has it, and the type. Numbers keep their own scale.
fn argument_as(argument: Expr, from: Option<SqlType>, declared: SqlType) -> Result<(Expr, SqlType)> {
    let target = match (declared, from.map(as_numeric)) {
        (SqlType::Numeric(..), Some(numeric @ SqlType::Numeric(..))) => numeric,
        _ => declared,
    };
    Ok((converted(argument, from, target)?, target))
}

fn converted(expr: Expr, from: Option<SqlType>, target: SqlType) -> Result<Expr> {
    Ok(match from {
        None => match resolve(expr, target)? {
            resolved @ (Expr::Literal(..) | Expr::Placeholder(_)) => resolved,
            open => Expr::Cast(Cast::new(Box::new(open), target.arrow())),
        },
        Some(from) if from.arrow() == target.arrow() => expr,
        Some(_) => Expr::Cast(Cast::new(Box::new(expr), target.arrow())),
    })
}

/// The named parameters as columns of a relation that is called like the function.
fn parameters(function: &Function, types: &[SqlType]) -> Result<DFSchema> {
    let relation = TableReference::bare(function.name.clone());
    let named = function.parameters.iter().zip(types).enumerate();
    let fields = named.filter_map(|(position, (parameter, sql_type))| {
        let field = Field::new(parameter.name.as_ref()?, sql_type.arrow(), true);
        let metadata = HashMap::from([(PARAMETER.to_owned(), position.to_string())]);
        Some((Some(relation.clone()), Arc::new(field.with_metadata(metadata))))
    });
    DFSchema::new_with_metadata(fields.collect(), HashMap::new())
}

/// The expression that a query without FROM stands for, if that is all it is.
fn single_expr(query: &LogicalPlan) -> Option<Expr> {
    let LogicalPlan::Projection(Projection { expr, input, .. }) = query else { return None };
    let [value] = expr.as_slice() else { return None };
    let value = value.clone().unalias();
    match input.as_ref() {
        input if is_one_row(input) => Some(value),
        LogicalPlan::Filter(filter) if is_one_row(&filter.input) => {
            let when_then = (Box::new(filter.predicate.clone()), Box::new(value));
            Some(Expr::Case(Case::new(None, vec![when_then], None)))
        }
        _ => None,
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }))
}

fn query_type(query: &LogicalPlan, function: &Function) -> Result<Option<SqlType>> {
    let [field] = query.schema().fields().as_ref() else {
        return Err(mismatch(function, "Final statement must return exactly one column."));
    };
    match SqlType::from_arrow(field.data_type()) {
        Some(sql_type) => Ok(Some(sql_type)),
        None => Err(external(SqlError::unsupported(format!("a result of type {}", field.data_type())))),
    }
}

/// The value of the first row, NULL if there is none.
fn first_value(query: LogicalPlan) -> Result<Expr> {
    let query = match query.max_rows() {
        Some(0 | 1) => query,
        _ => LogicalPlanBuilder::from(query).limit(0, Some(1))?.build()?,
    };
    let outer_ref_columns = query.all_out_ref_exprs();
    Ok(Expr::ScalarSubquery(Subquery { subquery: Arc::new(query), outer_ref_columns, spans: Spans::new() }))
}

fn as_returned(value: Expr, from: Option<SqlType>, function: &Function) -> Result<Expr> {
    // A literal of open type is a text to PostgreSQL here.
    let (value, from) = match from {
        Some(from) => (value, from),
        None => (resolve(value, SqlType::Text)?, SqlType::Text),
    };
    if !convertible(from, function.returns, Context::Assignment) {
        return Err(mismatch(function, &format!("Actual return type is {}.", from.unconstrained())));
    }
    match (from, function.returns) {
        (SqlType::Numeric(..), SqlType::Numeric(..)) => Ok(value),
        (from, returns) => converted(value, Some(from), returns),
    }
}

fn mismatch(function: &Function, detail: &str) -> datafusion::common::DataFusionError {
    let message = format!("return type mismatch in function declared to return {}", function.returns);
    external(SqlError::new(SqlState::INVALID_FUNCTION_DEFINITION, message).with_detail(detail))
}

fn refuse_volatile(argument: &Expr, function: &Function) -> Result<()> {
    if !argument.is_volatile() {
        return Ok(());
    }
    let what = format!("a volatile argument that function {} evaluates more than once", function.signature());
    Err(external(SqlError::unsupported(what).with_hint("Compute the argument in a subquery in FROM.")))
}

/// `CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE value END`
fn null_on_null(value: Expr, arguments: &[Expr], function: &Function) -> Result<Expr> {
    let is_null = arguments.iter().map(|argument| Expr::IsNull(Box::new(argument.clone())));
    let Some(any) = is_null.reduce(Expr::or) else { return Ok(value) };
    let null = Expr::Literal(ScalarValue::try_from(&function.returns.arrow())?, None);
    Ok(Expr::Case(Case::new(None, vec![(Box::new(any), Box::new(null))], Some(Box::new(value)))))
}

/// How many expressions there are in one, subqueries included.
fn size(expr: &Expr) -> Result<usize> {
    let mut size = 0;
    expr.apply(|expr| {
        size += 1;
        if let Expr::ScalarSubquery(subquery) = expr {
            subquery.subquery.apply_with_subqueries(|node| {
                node.apply_expressions(|expr| {
                    expr.apply(|_| {
                        size += 1;
                        Ok(TreeNodeRecursion::Continue)
                    })
                })
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(size)
}

//! The analyzer pass that gives every expression PostgreSQL's types and conversions, before DataFusion
//! coerces what is left.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{
    BinaryExpr, Case, InList, InSubquery, Like, ScalarFunction, Sort as SortExpr, WindowFunction,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Union, Values,
    WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, lit, when,
};
use datafusion::optimizer::AnalyzerRule;
use springtide_types::{SqlError, SqlState, SqlType};

use crate::array_order::Arrival;
use crate::branches::{check_keys, unify_branches};
use crate::calls::{check_aggregate, resolve_call};
use crate::convert::{Context, Family, convertible, family, stands_apart};
use crate::equal_jsonb::unite_equal;
use crate::errors::external;
use crate::functions::{
    LABELLED, SUBSCRIPT, arithmetic_op, as_json, cast_function, decided, jsonb_key, negate,
    subscripted_jsonb, uniform_jsonb,
};
use crate::json_aggregates::ELEMENT;
use crate::operators::{
    as_numeric, as_type, common_of, comparable, compare, describe, guarded, known_type, literal, no_operator,
    plan_arithmetic, plan_array, plan_comparison, resolve,
};
use crate::sql_types::declared_type;

/// See the module.
#[derive(Debug)]
pub(crate) struct PostgresTypes;

impl AnalyzerRule for PostgresTypes {
    fn name(&self) -> &str {
        "postgres_types"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(analyze_node)?.data)
    }
}

fn analyze_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    check_aggregates(&plan)?;
    let plan = match plan {
        // The schema that the binder gave it knows the types of before.
        LogicalPlan::Union(union) => {
            LogicalPlan::Union(Union::try_new_with_loose_types(unify_branches(union.inputs)?)?)
        }
        LogicalPlan::RecursiveQuery(mut query) => {
            query.static_term = Arc::new(as_bound(&query.static_term, query.recursive_term.schema())?);
            LogicalPlan::RecursiveQuery(query)
        }
        LogicalPlan::Join(join) => {
            check_keys(&join)?;
            LogicalPlan::Join(join)
        }
        other => other,
    };
    let plan = unite_equal(plan)?;
    let schema = merge_schema(&plan.inputs());
    let plan = match plan {
        LogicalPlan::Sort(mut sort) => {
            sort.expr = null_placement(sort.expr, &schema)?;
            LogicalPlan::Sort(sort)
        }
        other => other,
    };
    let names = NamePreserver::new(&plan);
    let is_limit = matches!(plan, LogicalPlan::Limit(_));
    let arrival = Arrival::of(&plan);
    plan.map_expressions(|expr| {
        if is_limit {
            return Ok(Transformed::no(expr));
        }
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| {
            let analyzed = analyze_expr(expr, &schema)?;
            Ok(Transformed::yes(match &arrival {
                Some(arrival) => arrival.ordered(analyzed),
                None => analyzed,
            }))
        })?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?
    .map_data(|plan| match plan {
        LogicalPlan::Values(values) => with_types_of_cells(values),
        other => other.recompute_schema(),
    })
}

/// The first rows of a recursion with numerics of the precision that its further rows were bound for: a value in the first
/// may have become known to need less.
fn as_bound(first: &LogicalPlan, further: &DFSchema) -> Result<LogicalPlan> {
    let is_numeric = |field: &Field| matches!(field.data_type(), DataType::Decimal128(..));
    let pairs = || first.schema().fields().iter().zip(further.fields());
    let differs = |(given, bound): (&FieldRef, &FieldRef)| {
        is_numeric(given) && is_numeric(bound) && given.data_type() != bound.data_type()
    };
    if !pairs().any(differs) {
        return Ok(first.clone());
    }
    let columns = first.schema().columns().into_iter().zip(pairs());
    let exprs = columns.map(|(column, pair)| {
        let name = column.name.clone();
        match differs(pair) {
            true => {
                Expr::Cast(Cast::new(Box::new(Expr::Column(column)), pair.1.data_type().clone())).alias(name)
            }
            false => Expr::Column(column),
        }
    });
    LogicalPlanBuilder::from(first.clone()).project(exprs.collect::<Vec<_>>())?.build()
}

/// Where NULLs do not come last of the greater, DataFusion moves those in arrays too: an array is then sorted by whether it is
/// NULL first.
fn null_placement(order: Vec<SortExpr>, schema: &DFSchema) -> Result<Vec<SortExpr>> {
    let mut placed = Vec::with_capacity(order.len());
    for mut sort in order {
        if is_jsonb(&sort.expr, schema)? {
            sort.expr = jsonb_key(sort.expr);
        }
        if sort.nulls_first == sort.asc && is_array(&sort.expr, schema)? {
            placed.push(sort.expr.clone().is_null().sort(!sort.nulls_first, false));
            placed.push(sort.expr.sort(sort.asc, !sort.asc));
        } else {
            placed.push(sort);
        }
    }
    Ok(placed)
}

/// VALUES whose columns have the types that their cells have now.
fn with_types_of_cells(values: Values) -> Result<LogicalPlan> {
    let has_changed = |row: &Vec<Expr>| {
        row.iter().zip(values.schema.fields()).any(|(cell, field)| {
            let given = cell.get_type(&values.schema);
            given.is_ok_and(|given| given != *field.data_type() && !given.is_null())
        })
    };
    match values.values.iter().any(has_changed) {
        true => LogicalPlanBuilder::values(values.values)?.build(),
        false => Ok(LogicalPlan::Values(values)),
    }
}

/// Aggregates that the binder has not moved below a HAVING stand where they must not.
fn check_aggregates(plan: &LogicalPlan) -> Result<()> {
    let clause = match plan {
        LogicalPlan::Filter(_) => "WHERE",
        LogicalPlan::Join(_) => "JOIN conditions",
        _ => return Ok(()),
    };
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            let (kind, state) = match expr {
                Expr::AggregateFunction(_) => ("aggregate", SqlState::GROUPING_ERROR),
                Expr::WindowFunction(_) => ("window", SqlState::from_code("42P20")),
                _ => return Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue),
            };
            let message = format!("{kind} functions are not allowed in {clause}");
            Err(external(SqlError::new(state, message)))
        })
    })?;
    Ok(())
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn analyze_expr(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(match expr {
        Expr::Cast(cast) => plan_cast(*cast.expr, declared_type(&cast.field)?, schema)?,
        Expr::Negative(operand) => plan_negation(*operand, schema)?,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            plan_comparison(op, *left, *right, schema)?
        }
        Expr::Between(between) => plan_between(between, schema)?,
        Expr::InList(list) => plan_in_list(list, schema)?,
        Expr::Like(like) => Expr::Like(plan_like(like, schema)?),
        Expr::Case(case) => plan_case(case, schema)?,
        Expr::ScalarFunction(function) => plan_call(function, schema)?,
        Expr::AggregateFunction(mut call) => {
            check_aggregate(call.func.name(), &call.params.args, schema)?;
            call.params.order_by = null_placement(call.params.order_by, schema)?;
            if call.params.distinct && call.func.name() == "count" {
                call.params.args = uniform_arguments(call.params.args, schema)?;
            }
            Expr::AggregateFunction(call)
        }
        Expr::WindowFunction(call) => {
            if let WindowFunctionDefinition::AggregateUDF(aggregate) = &call.fun {
                check_aggregate(aggregate.name(), &call.params.args, schema)?;
            }
            Expr::WindowFunction(plan_frame(call, schema)?)
        }
        Expr::InSubquery(subquery) => {
            check_in_subquery(&subquery, schema)?;
            Expr::InSubquery(subquery)
        }
        other => other,
    })
}

/// DataFusion has RANGE frames over some types only. Without distances, GROUPS says the same over all.
fn plan_frame(mut call: Box<WindowFunction>, schema: &DFSchema) -> Result<Box<WindowFunction>> {
    call.params.order_by = null_placement(call.params.order_by, schema)?;
    call.params.partition_by = uniform_arguments(call.params.partition_by, schema)?;
    let frame = &mut call.params.window_frame;
    let has_distance = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(distance) | WindowFrameBound::Following(distance) => !distance.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    let Some(first) = call.params.order_by.first() else { return Ok(call) };
    let distances = has_distance(&frame.start_bound) || has_distance(&frame.end_bound);
    if frame.units == WindowFrameUnits::Range && !distances {
        let data_type = first.expr.get_type(schema)?;
        let stands_apart = SqlType::from_arrow(&data_type).is_some_and(stands_apart);
        if stands_apart || matches!(data_type, DataType::Interval(_) | DataType::Boolean) {
            frame.units = WindowFrameUnits::Groups;
        }
    }
    Ok(call)
}

fn plan_call(mut function: ScalarFunction, schema: &DFSchema) -> Result<Expr> {
    if let Some(decided) = decided(&function) {
        function.func = decided;
    }
    match function.name() {
        LABELLED => Ok(function.args.swap_remove(0)),
        name @ ("greatest" | "least")
            if function.args.iter().any(|arg| is_array(arg, schema).unwrap_or(false)) =>
        {
            Err(external(SqlError::unsupported(format!("{name} of arrays"))))
        }
        "coalesce" | "greatest" | "least" => {
            function.args = unify_results(function.func.name(), function.args, schema)?;
            Ok(Expr::ScalarFunction(function))
        }
        "nullif" => {
            function.args = unify_for("=", function.args, schema)?;
            match function.args.as_slice() {
                [value, other] if compares_apart(value, schema)? => {
                    let equal = compare(Operator::Eq, value.clone(), other.clone(), schema)?;
                    when(equal, null_of(value, schema)?).otherwise(value.clone())
                }
                _ => Ok(Expr::ScalarFunction(function)),
            }
        }
        "make_array" => plan_array(function.args, schema),
        SUBSCRIPT if is_jsonb(&function.args[0], schema)? => {
            let value = function.args.remove(0);
            subscripted_jsonb(value, function.args, schema)
        }
        // Arrays have no arrays for elements.
        ELEMENT if is_array(&function.args[0], schema)? => {
            let mut converted = function;
            converted.func = as_json();
            Ok(Expr::ScalarFunction(converted))
        }
        ELEMENT => Ok(function.args.swap_remove(0)),
        _ => match arithmetic_op(&function) {
            // The types of the operands may have become clear only now.
            Some(op) => {
                let (right, left) = (function.args.remove(1), function.args.remove(0));
                plan_arithmetic(op, left, right, schema)
            }
            None => normalized(Expr::ScalarFunction(resolve_call(function, schema)?), schema),
        },
    }
}

/// What `IN (SELECT ...)` compares must be of one family.
fn check_in_subquery(subquery: &InSubquery, schema: &DFSchema) -> Result<()> {
    let output = subquery.subquery.subquery.schema();
    let column = output.fields().first().map(|field| field.data_type()).filter(|found| !found.is_null());
    let types = (known_type(&subquery.expr, schema)?, column.and_then(SqlType::from_arrow));
    match types {
        (Some(left), Some(right)) if family(left) != family(right) => {
            Err(no_operator("=", Some(left), Some(right)))
        }
        _ => Ok(()),
    }
}

/// A result in one of DataFusion's own types, such as a timestamp in nanoseconds, in SQL's.
fn normalized(call: Expr, schema: &DFSchema) -> Result<Expr> {
    // Arguments that are still to be coerced may have no result type yet; the output is normalized anyway.
    let Ok(data_type) = call.get_type(schema) else { return Ok(call) };
    match SqlType::from_arrow(&data_type).map(SqlType::arrow) {
        Some(normal) if normal != data_type && data_type != DataType::Null => call.cast_to(&normal, schema),
        _ => Ok(call),
    }
}

fn plan_cast(operand: Expr, target: SqlType, schema: &DFSchema) -> Result<Expr> {
    let is_limited = |sql_type| matches!(sql_type, SqlType::Varchar(Some(_)));
    let limited = is_limited(target) || target.element().is_some_and(is_limited);
    if let Expr::Literal(value, _) = &operand {
        match value {
            // A literal is cut, not refused, by an explicit cast to varchar(n).
            ScalarValue::Utf8(Some(text)) if !limited => {
                return literal(Some(text), target);
            }
            ScalarValue::Null | ScalarValue::Utf8(None) => return literal(None, target),
            ScalarValue::Int64(Some(_)) if target == SqlType::Int4 => {
                return Ok(Expr::Literal(value.cast_to(&target.arrow())?, None));
            }
            _ => {}
        }
    }
    let data_type = operand.get_type(schema)?;
    let Some(from) = SqlType::from_arrow(&data_type) else {
        return Err(external(SqlError::unsupported(format!("a cast from {data_type}"))));
    };
    if data_type == target.arrow() && !limited {
        return Ok(operand);
    }
    if target == target.unconstrained() && matches!(target, SqlType::Numeric(..)) {
        // Nothing is declared that the value would have to be brought to.
        match from {
            SqlType::Numeric(..) => return Ok(operand),
            SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => {
                return as_type(operand, as_numeric(from), schema);
            }
            _ => {}
        }
    }
    if !convertible(from, target, Context::Explicit) {
        let (from, target) = (describe(Some(from)), describe(Some(target)));
        let message = format!("cannot cast type {from} to {target}");
        return Err(external(SqlError::new(SqlState::CANNOT_COERCE, message)));
    }
    if widens(from, target) {
        operand.cast_to(&target.arrow(), schema)
    } else {
        Ok(cast_function(operand, target))
    }
}

/// Whether Arrow's own cast loses nothing, so that the optimizer may see through it.
fn widens(from: SqlType, to: SqlType) -> bool {
    use SqlType::*;
    matches!((from, to), (Int2, Int4 | Int8 | Float4 | Float8) | (Int4, Int8 | Float8) | (Float4, Float8))
}

fn plan_negation(operand: Expr, schema: &DFSchema) -> Result<Expr> {
    let known = known_type(&operand, schema)?;
    match known.map(family) {
        None | Some(Family::Number | Family::Interval) => {
            let operand = if known.is_none() { resolve(operand, SqlType::Int4)? } else { operand };
            Ok(match operand {
                Expr::Literal(value, metadata) if !value.is_null() => match value.arithmetic_negate() {
                    Ok(negative) => Expr::Literal(negative, metadata),
                    Err(_) => negate(Expr::Literal(value, metadata)),
                },
                operand => negate(operand),
            })
        }
        Some(_) => {
            let message = format!("operator does not exist: - {}", describe(known));
            Err(external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message)))
        }
    }
}

fn plan_between(between: Between, schema: &DFSchema) -> Result<Expr> {
    let Between { expr, negated, low, high } = between;
    let (expr, low) = comparable(">=", *expr, *low, schema)?;
    let (expr, high) = comparable("<=", expr, *high, schema)?;
    if compares_apart(&expr, schema)? {
        let within = plan_comparison(Operator::GtEq, expr.clone(), low, schema)?.and(plan_comparison(
            Operator::LtEq,
            expr,
            high,
            schema,
        )?);
        return Ok(if negated { Expr::Not(Box::new(within)) } else { within });
    }
    Ok(Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high))))
}

fn plan_in_list(list: InList, schema: &DFSchema) -> Result<Expr> {
    let InList { expr, list, negated } = list;
    let mut operands = vec![*expr];
    operands.extend(list);
    let mut operands = unify_for("=", operands, schema)?;
    if is_float(&operands[0], schema)? {
        operands = operands
            .into_iter()
            .map(|operand| without_negative_zero(operand, schema))
            .collect::<Result<_>>()?;
    }
    let expr = operands.remove(0);
    if compares_apart(&expr, schema)? {
        let equal =
            operands.into_iter().map(|item| plan_comparison(Operator::Eq, expr.clone(), item, schema));
        let within =
            equal.collect::<Result<Vec<_>>>()?.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false));
        return Ok(if negated { Expr::Not(Box::new(within)) } else { within });
    }
    Ok(Expr::InList(InList::new(Box::new(expr), operands, negated)))
}

fn plan_like(like: Like, schema: &DFSchema) -> Result<Like> {
    let operator = match (like.negated, like.case_insensitive) {
        (false, false) => "~~",
        (false, true) => "~~*",
        (true, false) => "!~~",
        (true, true) => "!~~*",
    };
    let (value, pattern) = (known_type(&like.expr, schema)?, known_type(&like.pattern, schema)?);
    let text = |sql_type: Option<SqlType>| sql_type.is_none_or(|known| family(known) == Family::Text);
    if text(value) && text(pattern) {
        return Ok(like);
    }
    let message = format!("operator does not exist: {} {operator} {}", describe(value), describe(pattern));
    Err(external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    )))
}

fn plan_case(case: Case, schema: &DFSchema) -> Result<Expr> {
    let Case { expr, when_then_expr, else_expr } = case;
    let (whens, thens): (Vec<_>, Vec<_>) =
        when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
    let (expr, whens) = match expr {
        None => (None, whens),
        Some(expr) => {
            let mut operands = vec![*expr];
            operands.extend(whens);
            let mut operands = unify_for("=", operands, schema)?;
            let base = operands.remove(0);
            if compares_apart(&base, schema)? || is_float(&base, schema)? {
                let equal = operands
                    .into_iter()
                    .map(|when| plan_comparison(Operator::Eq, base.clone(), when, schema));
                (None, equal.collect::<Result<Vec<_>>>()?)
            } else {
                (Some(Box::new(base)), operands)
            }
        }
    };
    let mut results = unify_case(thens.into_iter().chain(else_expr.map(|expr| *expr)).collect(), schema)?;
    if results.iter().any(|result| matches!(known_type(result, schema), Ok(Some(SqlType::Boolean)))) {
        results = guard_results(expr.as_deref(), &whens, results)?;
    }
    let otherwise = (results.len() > whens.len()).then(|| results.pop().map(Box::new)).flatten();
    let pairs = whens.into_iter().zip(results).map(|(when, then)| (Box::new(when), Box::new(then)));
    Ok(Expr::Case(Case::new(expr, pairs.collect(), otherwise)))
}

/// DataFusion makes ANDs and ORs of a CASE of booleans, and these compute both sides.
fn guard_results(base: Option<&Expr>, whens: &[Expr], results: Vec<Expr>) -> Result<Vec<Expr>> {
    let condition = |when: &Expr| match base {
        Some(base) => base.clone().eq(when.clone()),
        None => when.clone(),
    };
    let guarded_result = |(position, result): (usize, Expr)| {
        let before = whens[..position.min(whens.len())].iter();
        let result =
            before.map(|when| Expr::IsNotTrue(Box::new(condition(when)))).try_fold(result, guarded)?;
        match whens.get(position) {
            Some(when) => guarded(result, Expr::IsTrue(Box::new(condition(when)))),
            None => Ok(result),
        }
    };
    results.into_iter().enumerate().map(guarded_result).collect()
}

/// All results of a CASE as one type.
fn unify_case(results: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = results.iter().map(|expr| known_type(expr, schema)).collect::<Result<Vec<_>>>()?;
    let Some(common) = common_of("CASE", types.into_iter().flatten())? else {
        return unify(results, schema);
    };
    results.into_iter().map(|result| as_type(result, common, schema)).collect()
}

/// [`unify`], and the types must have one in common.
fn unify_results(function: &str, operands: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = operands.iter().map(|expr| known_type(expr, schema)).collect::<Result<Vec<_>>>()?;
    let common = common_of(&function.to_uppercase(), types.into_iter().flatten())?;
    match common {
        Some(common @ SqlType::Array(_)) => {
            operands.into_iter().map(|operand| as_type(operand, common, schema)).collect()
        }
        _ => unify(operands, schema),
    }
}

fn is_array(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(known_type(expr, schema)?.is_some_and(|known| family(known) == Family::Array))
}

fn is_jsonb(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(known_type(expr, schema)? == Some(SqlType::Jsonb))
}

/// Whether [`compare`] has an own way for values.
fn compares_apart(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(is_array(expr, schema)? || is_jsonb(expr, schema)?)
}

/// Each `jsonb` in the form that equal ones have.
fn uniform_arguments(exprs: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let uniform = |expr: Expr| Ok(if is_jsonb(&expr, schema)? { uniform_jsonb(expr) } else { expr });
    exprs.into_iter().map(uniform).collect()
}

fn is_float(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(matches!(known_type(expr, schema)?, Some(SqlType::Float4 | SqlType::Float8)))
}

/// The same with 0 for -0, which is equal, and which DataFusion looks up by its bits.
fn without_negative_zero(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(as_type(expr, SqlType::Float8, schema)? + lit(0.0_f64))
}

fn null_of(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(&expr.get_type(schema)?)?, None))
}

/// Gives operands of open type the type of the others.
fn unify(operands: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = operands.iter().map(|expr| known_type(expr, schema)).collect::<Result<Vec<_>>>()?;
    match types.into_iter().flatten().next() {
        Some(known) => operands.into_iter().map(|expr| resolve(expr, known)).collect(),
        None => operands.into_iter().map(|expr| resolve(expr, SqlType::Text)).collect(),
    }
}

/// [`unify`], and all must compare with the first.
fn unify_for(op: &str, operands: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let operands = unify(operands, schema)?;
    let mut unified = Vec::with_capacity(operands.len());
    for operand in operands {
        match unified.first() {
            Some(first) => {
                comparable(op, Expr::clone(first), operand.clone(), schema)?;
                unified.push(operand);
            }
            None => unified.push(operand),
        }
    }
    Ok(unified)
}

//! What an operator means for the types of its operands, as PostgreSQL resolves it.

use arrow::array::{Array, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, Operator, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use springtide_plan::sql_error;
use springtide_types::{SqlError, SqlState, SqlType, UNCONSTRAINED_NUMERIC};
use std::sync::Arc;

use crate::convert::{Family, family};
use crate::errors::external;
use crate::functions::{
    ArithmeticOp, Quantifier, append, arithmetic, arithmetic_op, cast_function, concat_arrays, contains,
    decide, delete_from_json, extract, guard, interval_length, join_json, json_operator, jsonb_key, matches,
    order_of, overlaps, power_function, prepend, quantified, several_dimensions, substring,
};
use crate::inline::conditional_call;
use crate::input::{parse_text, written_numeric};

/// Plans operators ahead of DataFusion.
#[derive(Debug)]
pub(crate) struct OperatorPlanner;

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::*;
        let RawBinaryExpr { op, left, right } = raw;
        let planned = match op {
            Plus => plan_arithmetic(ArithmeticOp::Add, left, right, schema)?,
            Minus => plan_arithmetic(ArithmeticOp::Subtract, left, right, schema)?,
            Multiply => plan_arithmetic(ArithmeticOp::Multiply, left, right, schema)?,
            Divide => plan_arithmetic(ArithmeticOp::Divide, left, right, schema)?,
            Modulo => plan_arithmetic(ArithmeticOp::Modulo, left, right, schema)?,
            Eq => plan_comparison(Operator::Eq, left, right, schema)?,
            NotEq => plan_comparison(Operator::NotEq, left, right, schema)?,
            Lt => plan_comparison(Operator::Lt, left, right, schema)?,
            LtEq => plan_comparison(Operator::LtEq, left, right, schema)?,
            Gt => plan_comparison(Operator::Gt, left, right, schema)?,
            GtEq => plan_comparison(Operator::GtEq, left, right, schema)?,
            And => {
                check_boolean("AND", &left, schema)?;
                check_boolean("AND", &right, schema)?;
                let right = guarded(right, Expr::IsNotFalse(Box::new(left.clone())))?;
                binary(left, Operator::And, right)
            }
            Or => {
                check_boolean("OR", &left, schema)?;
                check_boolean("OR", &right, schema)?;
                let right = guarded(right, Expr::IsNotTrue(Box::new(left.clone())))?;
                binary(left, Operator::Or, right)
            }
            StringConcat => plan_concat(left, right, schema)?,
            AtArrow if of_arrays(&left, &right, schema)? => {
                plan_array_relation("@>", contains, left, right, schema)?
            }
            ArrowAt if of_arrays(&left, &right, schema)? => plan_array_relation(
                "<@",
                |left, right, schema| contains(right, left, schema),
                left,
                right,
                schema,
            )?,
            PGOverlap => plan_array_relation("&&", overlaps, left, right, schema)?,
            op if op == distinction(false) => plan_comparison(Operator::IsDistinctFrom, left, right, schema)?,
            op if op == distinction(true) => {
                plan_comparison(Operator::IsNotDistinctFrom, left, right, schema)?
            }
            op if Quantifier::read(&op).is_some() => match Quantifier::read(&op) {
                Some(read) => quantified(read, left, right, schema)?,
                None => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
            },
            PGRegexMatch | PGRegexIMatch | PGRegexNotMatch | PGRegexNotIMatch => {
                check_texts(&op, &left, &right, schema)?;
                let matches = matches(left, right, matches!(op, PGRegexIMatch | PGRegexNotIMatch));
                match op {
                    PGRegexNotMatch | PGRegexNotIMatch => Expr::Not(Box::new(matches)),
                    _ => matches,
                }
            }
            op if json_operator(&op).is_some() => match json_operator(&op) {
                Some(function) => plan_json(function, left, right, schema)?,
                None => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
            },
            PGExp => Expr::ScalarFunction(ScalarFunction::new_udf(power_function(), vec![left, right])),
            op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        Ok(PlannerResult::Planned(planned))
    }

    fn plan_array_literal(&self, exprs: Vec<Expr>, schema: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(plan_array(exprs, schema)?))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(substring(args)))
    }

    fn plan_extract(&self, mut args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let (Some(operand), Some(Expr::Literal(ScalarValue::Utf8(Some(field)), _))) =
            (args.pop(), args.pop())
        else {
            return Ok(PlannerResult::Original(args));
        };
        Ok(PlannerResult::Planned(extract(&field, operand)))
    }
}

/// How the planner is told of `IS DISTINCT FROM`, or of its negation.
pub(crate) fn distinction(negated: bool) -> BinaryOperator {
    BinaryOperator::Custom(if negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" }.to_owned())
}

/// `ARRAY[...]`: its elements get the type that they have in common.
pub(crate) fn plan_array(elements: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    if elements.is_empty() {
        let message = "cannot determine type of empty array";
        let error = SqlError::new(SqlState::INDETERMINATE_DATATYPE, message);
        return Err(external(
            error.with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."),
        ));
    }
    let types = elements.iter().map(|element| known_type(element, schema)).collect::<Result<Vec<_>>>()?;
    if types.iter().flatten().any(|known| family(*known) == Family::Array) {
        return Err(external(several_dimensions()));
    }
    let common = common_of("ARRAY", types.into_iter().flatten())?.unwrap_or(SqlType::Text);
    let elements = elements.into_iter().map(|element| as_type(element, common, schema));
    let function = datafusion::functions_nested::make_array::make_array_udf();
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, elements.collect::<Result<Vec<_>>>()?)))
}

/// Whether an operand is known to be an array.
fn of_arrays(left: &Expr, right: &Expr, schema: &DFSchema) -> Result<bool> {
    let types = [known_type(left, schema)?, known_type(right, schema)?];
    Ok(types.into_iter().flatten().any(|known| family(known) == Family::Array))
}

/// An operator of two arrays of one type.
fn plan_array_relation(
    op: &str,
    plan: impl FnOnce(Expr, Expr, &DFSchema) -> Result<Expr>,
    left: Expr,
    right: Expr,
    schema: &DFSchema,
) -> Result<Expr> {
    let types = (known_type(&left, schema)?, known_type(&right, schema)?);
    let fits = |given: Option<SqlType>| given.is_none_or(|known| family(known) == Family::Array);
    if !fits(types.0) || !fits(types.1) || types == (None, None) {
        return Err(no_operator(op, types.0, types.1));
    }
    plan(left, right, schema).map_err(|error| match sql_error(&error).sqlstate {
        SqlState::UNDEFINED_FUNCTION => no_operator(op, types.0, types.1),
        _ => error,
    })
}

/// An operator of JSON. A string on its right is JSON to `@>` and `<@`, and a key or a path to the others.
fn plan_json(function: Arc<ScalarUDF>, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (known_type(&left, schema)?, known_type(&right, schema)?);
    let open = match function.name() {
        "@>" | "<@" => SqlType::Jsonb,
        "->" | "->>" | "?" => SqlType::Text,
        "@?" | "@@" => SqlType::Jsonpath,
        _ => SqlType::TEXT_ARRAY,
    };
    let fits = |given: Option<SqlType>| given.is_none_or(|given| family(given) == Family::Json);
    if left_type.or(right_type).is_none() || !fits(left_type) {
        return Err(no_operator(function.name(), left_type, right_type));
    }
    let left = if left_type.is_none() { resolve(left, SqlType::Jsonb)? } else { left };
    let right = if right_type.is_none() { resolve(right, open)? } else { right };
    let call = ScalarFunction::new_udf(function, vec![left, right]);
    let types = [left_type.unwrap_or(SqlType::Jsonb), right_type.unwrap_or(open)];
    let decided = decide(&call, &types.map(Some), schema);
    decided
        .ok()
        .flatten()
        .map(Expr::ScalarFunction)
        .ok_or_else(|| no_operator(call.name(), left_type, right_type))
}

/// Refuses operands that are no text.
fn check_texts(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Result<()> {
    let (left, right) = (known_type(left, schema)?, known_type(right, schema)?);
    let text = |sql_type: Option<SqlType>| sql_type.is_none_or(|known| family(known) == Family::Text);
    if text(left) && text(right) { Ok(()) } else { Err(no_operator(&op.to_string(), left, right)) }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The type of an expression, in which a column that USING has merged may stand without its table.
fn data_type(expr: &Expr, schema: &DFSchema) -> Result<DataType> {
    let error = match expr.get_type(schema) {
        Ok(data_type) => return Ok(data_type),
        Err(error) => error,
    };
    let mut qualified = false;
    let resolved = expr.clone().transform_up(|expr| {
        let Expr::Column(Column { relation: None, name, .. }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        match schema.qualified_fields_with_unqualified_name(name).first() {
            Some((Some(table), field)) => {
                qualified = true;
                Ok(Transformed::yes(Expr::Column(Column::new(Some((*table).clone()), field.name()))))
            }
            _ => Ok(Transformed::no(expr)),
        }
    })?;
    if qualified { resolved.data.get_type(schema) } else { Err(error) }
}

/// The type of an expression, or `None` where the type is still open: a string literal, NULL, a parameter.
pub(crate) fn known_type(expr: &Expr, schema: &DFSchema) -> Result<Option<SqlType>> {
    Ok(match expr {
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _) => None,
        Expr::Placeholder(Placeholder { field: None, .. }) => None,
        Expr::Alias(alias) => known_type(&alias.expr, schema)?,
        // DataFusion takes the first branch for the type of all, until it coerces them.
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            let types = results.map(|result| known_type(result, schema)).collect::<Result<Vec<_>>>()?;
            types.into_iter().flatten().reduce(|one, other| result_type(one, other).unwrap_or(one))
        }
        _ => match data_type(expr, schema)? {
            DataType::Null => None,
            data_type => Some(
                SqlType::from_arrow(&data_type)
                    .ok_or_else(|| external(SqlError::unsupported(format!("type {data_type}"))))?,
            ),
        },
    })
}

/// The type of a CASE or COALESCE over values of two types, if there is one.
pub(crate) fn result_type(one: SqlType, other: SqlType) -> Option<SqlType> {
    use SqlType::*;
    let rank = |sql_type| match sql_type {
        Int2 => 0,
        Int4 => 1,
        Int8 => 2,
        Numeric(..) => 3,
        Float4 => 4,
        _ => 5,
    };
    if one == other {
        return Some(one);
    }
    Some(match (one, other) {
        (Numeric(..), Numeric(..))
        | (Numeric(..), Int2 | Int4 | Int8)
        | (Int2 | Int4 | Int8, Numeric(..)) => {
            let (Numeric(p1, s1), Numeric(p2, s2)) = (as_numeric(one), as_numeric(other)) else {
                return None;
            };
            let scale = s1.max(s2);
            let whole = (p1 as i8 - s1).max(p2 as i8 - s2);
            Numeric((whole + scale).clamp(1, UNCONSTRAINED_NUMERIC.0 as i8) as u8, scale)
        }
        _ if family(one) != family(other) => return None,
        _ => match family(one) {
            Family::Number if rank(one) >= rank(other) => one,
            Family::Number => other,
            Family::DateTime => common_type(one, other)?,
            Family::Text => Text,
            Family::Json if one != other => return None,
            Family::Array => result_type(one.element()?, other.element()?)?.array()?,
            Family::Boolean
            | Family::Interval
            | Family::Bytes
            | Family::Time
            | Family::Timetz
            | Family::Uuid
            | Family::Json
            | Family::Jsonpath => one,
            // Two that are not one.
            Family::Enum => return None,
        },
    })
}

/// The type that two types are but for length and precision, if they are one.
pub(crate) fn same_type(one: SqlType, other: SqlType) -> Option<SqlType> {
    match (one, other) {
        (SqlType::Array(one), SqlType::Array(other)) => same_type(one.sql_type(), other.sql_type())?.array(),
        (SqlType::Numeric(..), SqlType::Numeric(..)) => result_type(one, other),
        _ if family(one) == Family::Text && family(other) == Family::Text => Some(SqlType::Text),
        _ => (one == other).then_some(one),
    }
}

/// The type that values of two types are compared in, if they can be.
pub(crate) fn comparison_type(one: SqlType, other: SqlType) -> Option<SqlType> {
    match family(one) == family(other) {
        true => common_type(one, other).or_else(|| result_type(one, other)),
        false => None,
    }
}

/// The type that the results of a `construct` have in common; `None` if there are none.
pub(crate) fn common_of(
    construct: &str,
    types: impl IntoIterator<Item = SqlType>,
) -> Result<Option<SqlType>> {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Ok(None) };
    let common = types.try_fold(first, |common, other| {
        result_type(common, other).ok_or_else(|| {
            let (common, other) = (describe(Some(common)), describe(Some(other)));
            let message = format!("{construct} types {common} and {other} cannot be matched");
            external(SqlError::new(SqlState::DATATYPE_MISMATCH, message))
        })
    });
    common.map(Some)
}

/// The numeric that holds every value of an integer type.
pub(crate) fn as_numeric(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Int2 => SqlType::Numeric(5, 0),
        SqlType::Int4 => SqlType::Numeric(10, 0),
        SqlType::Int8 => SqlType::Numeric(19, 0),
        other => other,
    }
}

/// Gives an expression of open type the type that its context asks for; others stay as they are.
pub(crate) fn resolve(expr: Expr, target: SqlType) -> Result<Expr> {
    Ok(match expr {
        Expr::Literal(ScalarValue::Utf8(text), _) => literal(text.as_deref(), target)?,
        Expr::Literal(ScalarValue::Null, _) => literal(None, target)?,
        Expr::Placeholder(Placeholder { id, field: None }) => {
            Expr::Placeholder(Placeholder::new_with_field(id, Some(parameter_field(target))))
        }
        Expr::Alias(mut alias) => {
            alias.expr = Box::new(resolve(*alias.expr, target)?);
            Expr::Alias(alias)
        }
        other => other,
    })
}

/// The field that says what type a parameter has.
pub(crate) fn parameter_field(sql_type: SqlType) -> FieldRef {
    Arc::new(Field::new("", sql_type.arrow(), true))
}

/// A literal of this type from its text. A `numeric` without a declared scale has that of the text.
pub(crate) fn literal(text: Option<&str>, target: SqlType) -> Result<Expr> {
    let target = match (text, target) {
        (Some(text), SqlType::Numeric(precision, scale)) if (precision, scale) == UNCONSTRAINED_NUMERIC => {
            written_numeric(text).unwrap_or(target)
        }
        _ => target,
    };
    let values = parse_text(&StringArray::from(vec![text]), target).map_err(external)?;
    let value = if values.is_null(0) {
        ScalarValue::try_from(values.data_type())?
    } else {
        ScalarValue::try_from_array(&values, 0)?
    };
    Ok(Expr::Literal(value, None))
}

/// The expression cast to a type that its own converts to without loss.
pub(crate) fn as_type(expr: Expr, target: SqlType, schema: &DFSchema) -> Result<Expr> {
    match known_type(&expr, schema)? {
        None => resolve(expr, target),
        Some(_) if data_type(&expr, schema)? == target.arrow() => Ok(expr),
        // Arrow knows neither infinities nor the zone of the session.
        Some(known) if matches!(family(known), Family::DateTime | Family::Interval | Family::Time) => {
            Ok(cast_function(expr, target))
        }
        Some(_) => Ok(Expr::Cast(Cast::new(Box::new(expr), target.arrow()))),
    }
}

/// The error for operands that no operator takes.
pub(crate) fn no_operator(
    op: &str,
    left: Option<SqlType>,
    right: Option<SqlType>,
) -> datafusion::common::DataFusionError {
    let (left, right) = (describe(left), describe(right));
    let message = format!("operator does not exist: {left} {op} {right}");
    external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    ))
}

/// What messages call a type: without precision, and `unknown` when open.
pub(crate) fn describe(sql_type: Option<SqlType>) -> String {
    match sql_type {
        None => "unknown".to_owned(),
        Some(SqlType::Numeric(..)) => "numeric".to_owned(),
        Some(SqlType::Varchar(_)) => "character varying".to_owned(),
        Some(SqlType::Array(element)) => format!("{}[]", describe(Some(element.sql_type()))),
        Some(sql_type) => sql_type.to_string(),
    }
}

fn check_boolean(clause: &str, expr: &Expr, schema: &DFSchema) -> Result<()> {
    match known_type(expr, schema)? {
        None | Some(SqlType::Boolean) => Ok(()),
        Some(other) => {
            let message =
                format!("argument of {clause} must be type boolean, not type {}", describe(Some(other)));
            Err(external(SqlError::new(SqlState::DATATYPE_MISMATCH, message)))
        }
    }
}

/// Makes the divisions in `expr` harmless where `condition` does not hold.
pub(crate) fn guarded(expr: Expr, condition: Expr) -> Result<Expr> {
    let guarded = expr.transform_up(|expr| match expr {
        Expr::ScalarFunction(mut function)
            if matches!(arithmetic_op(&function), Some(ArithmeticOp::Divide | ArithmeticOp::Modulo)) =>
        {
            let divisor = function.args.pop();
            function.args.extend(divisor.map(|divisor| match divisor {
                literal @ Expr::Literal(..) => literal,
                divisor => guard(divisor, condition.clone()),
            }));
            Ok(Transformed::yes(Expr::ScalarFunction(function)))
        }
        // There may be divisions in the body.
        Expr::ScalarFunction(function) => Ok(match conditional_call(&function, &condition) {
            Some(call) => Transformed::yes(call),
            None => Transformed::no(Expr::ScalarFunction(function)),
        }),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(guarded.data)
}

/// Comparisons take operands of one family; numbers compare as the wider type.
pub(crate) fn plan_comparison(op: Operator, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left, right) = comparable(&op.to_string(), left, right, schema)?;
    compare(op, left, right, schema)
}

/// `left op right` of operands that are [`comparable`]. DataFusion has its own order of arrays, and tells 0 from -0 in them.
pub(crate) fn compare(op: Operator, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let known = known_type(&left, schema)?;
    if known == Some(SqlType::Jsonb) {
        return Ok(binary(jsonb_key(left), op, jsonb_key(right)));
    }
    if known == Some(SqlType::Interval) {
        return Ok(binary(interval_length(left), op, interval_length(right)));
    }
    let Some(element) = known.and_then(SqlType::element) else {
        return Ok(binary(left, op, right));
    };
    let is_own = match op {
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => true,
        Operator::Eq | Operator::NotEq => {
            matches!(element, SqlType::Float4 | SqlType::Float8 | SqlType::Interval)
        }
        _ => false,
    };
    if !is_own {
        return Ok(binary(left, op, right));
    }
    let zero = Expr::Literal(ScalarValue::Int32(Some(0)), None);
    Ok(binary(order_of(left, right, schema)?, op, zero))
}

/// Both operands, of types that compare with each other.
pub(crate) fn comparable(op: &str, left: Expr, right: Expr, schema: &DFSchema) -> Result<(Expr, Expr)> {
    let (left_type, right_type) = (known_type(&left, schema)?, known_type(&right, schema)?);
    let op = if op == "!=" { "<>" } else { op };
    let json = SqlType::Json.array();
    let common = match (left_type, right_type) {
        (given @ Some(_), _) | (_, given @ Some(_)) if given == json => {
            let message = "could not identify an equality operator for type json";
            return Err(external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message)));
        }
        (Some(left @ SqlType::Array(_)), Some(right @ SqlType::Array(_))) => {
            Some(same_type(left, right).ok_or_else(|| no_operator(op, left_type, right_type))?)
        }
        (Some(SqlType::Json), _) | (_, Some(SqlType::Json)) => {
            return Err(no_operator(op, left_type, right_type));
        }
        (None, None) => return Ok((left, right)),
        (Some(known), None) => return Ok((left, resolve(right, known)?)),
        (None, Some(known)) => return Ok((resolve(left, known)?, right)),
        (Some(left), Some(right)) if family(left) == Family::Enum && left != right => {
            return Err(no_operator(op, left_type, right_type));
        }
        (Some(left), Some(right)) if family(left) == family(right) => common_type(left, right),
        _ => return Err(no_operator(op, left_type, right_type)),
    };
    match common {
        Some(common) => Ok((as_type(left, common, schema)?, as_type(right, common, schema)?)),
        None => Ok((left, right)),
    }
}

/// The type to compare values as, or `None` where DataFusion's own choice is right.
fn common_type(left: SqlType, right: SqlType) -> Option<SqlType> {
    let is_float = |sql_type| matches!(sql_type, SqlType::Float4 | SqlType::Float8);
    match family(left) {
        Family::Number if left != right && (is_float(left) || is_float(right)) => Some(SqlType::Float8),
        Family::DateTime if left != right => Some(match (left, right) {
            (SqlType::Timestamptz, _) | (_, SqlType::Timestamptz) => SqlType::Timestamptz,
            _ => SqlType::Timestamp,
        }),
        _ => None,
    }
}

/// `||` joins texts, or two bytea; what is no text becomes one, as long as one side is.
fn plan_concat(left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (known_type(&left, schema)?, known_type(&right, schema)?);
    let is_array = |sql_type: Option<SqlType>| sql_type.is_some_and(|known| family(known) == Family::Array);
    if is_array(left_type) || is_array(right_type) {
        let joined = match (left_type, right_type) {
            (Some(_), Some(_)) if !is_array(right_type) => append(left, right, schema),
            (Some(_), Some(_)) if !is_array(left_type) => prepend(left, right, schema),
            _ => concat_arrays(left, right, schema),
        };
        return joined.map_err(|error| match sql_error(&error).sqlstate {
            SqlState::UNDEFINED_FUNCTION => no_operator("||", left_type, right_type),
            _ => error,
        });
    }
    let is_bytes = |sql_type: Option<SqlType>| sql_type.is_none_or(|known| known == SqlType::Bytea);
    if left_type.or(right_type).is_some() && is_bytes(left_type) && is_bytes(right_type) {
        let (left, right) = (resolve(left, SqlType::Bytea)?, resolve(right, SqlType::Bytea)?);
        return Ok(binary(left, Operator::StringConcat, right));
    }
    let is_jsonb = |sql_type: Option<SqlType>| sql_type.is_none_or(|known| known == SqlType::Jsonb);
    if left_type.or(right_type).is_some() && is_jsonb(left_type) && is_jsonb(right_type) {
        return Ok(join_json(resolve(left, SqlType::Jsonb)?, resolve(right, SqlType::Jsonb)?));
    }
    let is_text = |sql_type: Option<SqlType>| sql_type.is_none_or(|known| family(known) == Family::Text);
    if !is_text(left_type) && !is_text(right_type) {
        return Err(no_operator("||", left_type, right_type));
    }
    let text = |expr: Expr, sql_type: Option<SqlType>| match sql_type {
        None => resolve(expr, SqlType::Text),
        Some(known) if family(known) == Family::Text => Ok(expr),
        Some(_) => Ok(cast_function(expr, SqlType::Text)),
    };
    Ok(binary(text(left, left_type)?, Operator::StringConcat, text(right, right_type)?))
}

/// `left op right`, its operands cast to the types of the operator that PostgreSQL picks.
pub(crate) fn plan_arithmetic(op: ArithmeticOp, left: Expr, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (known_type(&left, schema)?, known_type(&right, schema)?);
    let unknown = (left_type, right_type);
    if op == ArithmeticOp::Subtract && left_type == Some(SqlType::Jsonb) {
        let right = if right_type.is_none() { resolve(right, SqlType::Text)? } else { right };
        return Ok(delete_from_json(left, right));
    }
    let (left_type, right_type) = match unknown {
        (Some(left), Some(right)) => (left, right),
        (Some(known), None) => (known, partner(op, known, true)),
        (None, Some(known)) => (partner(op, known, false), known),
        (None, None) => {
            // PostgreSQL cannot choose either, except for NULLs and parameters, which it takes as integers.
            (SqlType::Int4, SqlType::Int4)
        }
    };
    if (op, family(left_type), family(right_type))
        == (ArithmeticOp::Multiply, Family::Number, Family::Interval)
    {
        return plan_arithmetic(op, right, left, schema);
    }
    let Some((left_type, right_type)) = operand_types(op, left_type, right_type) else {
        return Err(no_operator(&op.to_string(), unknown.0, unknown.1));
    };
    Ok(arithmetic(op, as_type(left, left_type, schema)?, as_type(right, right_type, schema)?))
}

/// The type that an operand of open type takes next to one of a known type.
fn partner(op: ArithmeticOp, known: SqlType, known_is_left: bool) -> SqlType {
    match (family(known), op) {
        (Family::DateTime | Family::Time | Family::Timetz, ArithmeticOp::Add) => SqlType::Interval,
        (Family::Timetz, ArithmeticOp::Subtract) => SqlType::Interval,
        (Family::Interval, ArithmeticOp::Multiply | ArithmeticOp::Divide) if known_is_left => SqlType::Float8,
        _ => known,
    }
}

/// The types that the operands are cast to, or `None` if there is no such operator.
fn operand_types(op: ArithmeticOp, left: SqlType, right: SqlType) -> Option<(SqlType, SqlType)> {
    use ArithmeticOp::*;
    use SqlType::*;
    let is_integer = |sql_type| matches!(sql_type, Int2 | Int4 | Int8);
    match (family(left), family(right), op) {
        (Family::Number, Family::Number, _) => number_types(op, left, right),
        (Family::Interval, Family::Interval, Add | Subtract) => Some((left, right)),
        (Family::Interval, Family::Number, Multiply | Divide) => Some((left, Float8)),
        (Family::DateTime, Family::Interval, Add | Subtract) => Some((moment(left), right)),
        (Family::Interval, Family::DateTime, Add) => Some((left, moment(right))),
        (Family::DateTime, Family::Number, Add | Subtract) if left == Date && is_integer(right) => {
            Some((left, Int4))
        }
        (Family::Number, Family::DateTime, Add) if right == Date && is_integer(left) => Some((Int4, right)),
        (Family::Timetz, Family::Interval, Add | Subtract) | (Family::Interval, Family::Timetz, Add) => {
            Some((left, right))
        }
        (Family::DateTime, Family::Timetz, Add) if left == Date => Some((left, right)),
        (Family::Timetz, Family::DateTime, Add) if right == Date => Some((left, right)),
        (Family::Time, Family::Interval, Add | Subtract) | (Family::Interval, Family::Time, Add) => {
            Some((left, right))
        }
        (Family::Time, Family::Time, Subtract) => Some((left, right)),
        (Family::DateTime, Family::Time, Add) if left == Date => Some((left, right)),
        (Family::Time, Family::DateTime, Add) if right == Date => Some((left, right)),
        (Family::DateTime, Family::DateTime, Subtract) => match (left, right) {
            (Date, Date) => Some((Date, Date)),
            (Timestamptz, _) | (_, Timestamptz) => Some((Timestamptz, Timestamptz)),
            _ => Some((Timestamp, Timestamp)),
        },
        _ => None,
    }
}

/// A date that is added to becomes a timestamp.
fn moment(sql_type: SqlType) -> SqlType {
    if sql_type == SqlType::Date { SqlType::Timestamp } else { sql_type }
}

fn number_types(op: ArithmeticOp, left: SqlType, right: SqlType) -> Option<(SqlType, SqlType)> {
    use SqlType::*;
    let rank = |sql_type| match sql_type {
        Int2 => 0,
        Int4 => 1,
        Int8 => 2,
        Numeric(..) => 3,
        _ => 4,
    };
    let widest = if rank(left) >= rank(right) { left } else { right };
    match widest {
        Numeric(..) => Some((as_numeric(left), as_numeric(right))),
        // Only two reals stay real.
        Float4 | Float8 if op == ArithmeticOp::Modulo => None,
        Float4 | Float8 if left != Float4 || right != Float4 => Some((Float8, Float8)),
        _ => Some((widest, widest)),
    }
}

//! What is true, false or unknown of values.

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use serde_json::Value;

use super::ast::{Comparison, Pattern, Predicate};
use super::evaluate::{Evaluation, Scope};
use super::failure::{Outcome, fatal};
use super::item::Item;

/// Whether a predicate holds; `None` if that is unknown.
pub(super) fn holds<'a>(
    evaluation: &Evaluation<'a>,
    predicate: &'a Predicate,
    scope: &Scope<'a>,
) -> Outcome<Option<bool>> {
    let holds = |inner| holds(evaluation, inner, scope);
    Ok(match predicate {
        Predicate::And(left, right) => match holds(left)? {
            Some(false) => Some(false),
            left => match holds(right)? {
                Some(true) => left,
                right => right,
            },
        },
        Predicate::Or(left, right) => match holds(left)? {
            Some(true) => Some(true),
            left => match holds(right)? {
                Some(false) => left,
                right => right,
            },
        },
        Predicate::Not(inner) => holds(inner)?.map(|holds| !holds),
        Predicate::IsUnknown(inner) => Some(holds(inner)?.is_none()),
        Predicate::Exists(expr) => kept_back(evaluation.any(expr, scope))?,
        Predicate::Compare(op, left, right) => {
            let Some(left) = kept_back(evaluation.unwrapped(left, scope))? else { return Ok(None) };
            let Some(right) = kept_back(evaluation.unwrapped(right, scope))? else { return Ok(None) };
            pairs(evaluation, &left, &right, |left, right| compare(evaluation, *op, left, right))?
        }
        Predicate::StartsWith(value, prefix) => {
            let Some(values) = kept_back(evaluation.unwrapped(value, scope))? else { return Ok(None) };
            let Some(prefixes) = kept_back(evaluation.results(prefix, scope))? else { return Ok(None) };
            pairs(evaluation, &values, &prefixes, |value, prefix| {
                let texts = (text(value), text(prefix));
                Ok(if let (Some(value), Some(prefix)) = texts {
                    Some(value.starts_with(prefix))
                } else {
                    None
                })
            })?
        }
        Predicate::LikeRegex(value, pattern) => {
            let Some(values) = kept_back(evaluation.unwrapped(value, scope))? else { return Ok(None) };
            let matches = |value: &Item<'a>, (): &()| matches(pattern, value);
            pairs(evaluation, &values, &[()], matches)?
        }
    })
}

fn text<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    item.value().and_then(Value::as_str)
}

fn matches(pattern: &Pattern, value: &Item<'_>) -> Outcome<Option<bool>> {
    text(value).map(|text| pattern.regex.is_match(text)).transpose().map_err(fatal)
}

/// A failure makes a predicate unknown.
fn kept_back<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.fatal => Err(failure),
        Err(_) => Ok(None),
    }
}

/// Whether a test holds for any pair. In a lax path the first one that does decides, in a strict one the first unknown one.
fn pairs<L, R>(
    evaluation: &Evaluation<'_>,
    left: &[L],
    right: &[R],
    test: impl Fn(&L, &R) -> Outcome<Option<bool>>,
) -> Outcome<Option<bool>> {
    let (mut found, mut unknown) = (false, false);
    for left in left {
        for right in right {
            match test(left, right)? {
                Some(true) if evaluation.path.lax => return Ok(Some(true)),
                Some(true) => found = true,
                Some(false) => {}
                None if evaluation.path.lax => unknown = true,
                None => return Ok(None),
            }
        }
    }
    Ok(if found {
        Some(true)
    } else if unknown {
        None
    } else {
        Some(false)
    })
}

fn compare(
    evaluation: &Evaluation<'_>,
    op: Comparison,
    left: &Item<'_>,
    right: &Item<'_>,
) -> Outcome<Option<bool>> {
    let order = match (left, right) {
        (Item::Datetime(left), Item::Datetime(right)) => left.compare(right, evaluation.zoned)?,
        (Item::Json(left), Item::Json(right)) => match (left.as_ref(), right.as_ref()) {
            (Value::Null, Value::Null) => Some(Ordering::Equal),
            (Value::Null, _) | (_, Value::Null) => return Ok(Some(op == Comparison::NotEqual)),
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            (Value::Number(_), Value::Number(_)) => {
                let number = |value: &Value| -> Option<BigDecimal> { Item::of(value).as_number() };
                number(left).zip(number(right)).map(|(left, right)| left.cmp(&right))
            }
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ => None,
        },
        (Item::Json(value), _) | (_, Item::Json(value)) if value.is_null() => {
            return Ok(Some(op == Comparison::NotEqual));
        }
        _ => None,
    };
    Ok(order.map(|order| match op {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }))
}

//! The methods of items.

use bigdecimal::BigDecimal;
use bigdecimal::num_traits::ToPrimitive;
use serde_json::Value;
use springtide_types::{SqlError, SqlState};

use super::ast::Method;
use super::datetime::Datetime;
use super::evaluate::Evaluation;
use super::failure::{
    ARRAY_NOT_FOUND, Failure, INVALID_DATETIME, NON_NUMERIC, OBJECT_NOT_FOUND, Outcome, failure, fatal,
};
use super::item::Item;
use super::keyvalue::pairs;
use super::number;
use crate::input::parse_boolean;

/// Digits that `numeric` may be declared with.
const MOST_PRECISION: i64 = 1000;

impl Method {
    /// Whether it is applied to the elements of an array in a lax path.
    pub(super) fn takes_elements(&self) -> bool {
        !matches!(self, Method::Type | Method::Size)
    }
}

/// The failure of a method that takes other items.
fn wrong(method: &Method, takes: &str) -> Failure {
    let name = method.name();
    failure(NON_NUMERIC, format!("jsonpath item method .{name}() can only be applied to {takes}"))
}

/// The failure of a method that makes nothing of a value.
fn invalid(method: &Method, value: &str, sql_type: &str) -> Failure {
    let name = method.name();
    let message =
        format!("argument \"{value}\" of jsonpath item method .{name}() is invalid for type {sql_type}");
    failure(NON_NUMERIC, message)
}

impl<'a> Evaluation<'a> {
    pub(super) fn method(&self, method: &Method, item: Item<'a>, forgiving: bool) -> Outcome<Vec<Item<'a>>> {
        let one = match method {
            Method::Type => Item::owned(Value::from(item.type_name())),
            Method::Size => match item.elements() {
                Some(elements) => Item::owned(Value::from(elements.len())),
                None if self.path.lax => Item::owned(Value::from(1)),
                None if forgiving => return Ok(Vec::new()),
                None => {
                    let message = "jsonpath item method .size() can only be applied to an array";
                    return Err(failure(ARRAY_NOT_FOUND, message));
                }
            },
            Method::KeyValue => {
                let message = "jsonpath item method .keyvalue() can only be applied to an object";
                return pairs(self.root, &item).ok_or_else(|| failure(OBJECT_NOT_FOUND, message));
            }
            Method::Abs | Method::Floor | Method::Ceiling => {
                let number = item.as_number().ok_or_else(|| wrong(method, "a numeric value"))?;
                Item::number(&match method {
                    Method::Abs => number.abs(),
                    Method::Floor => number::floor(&number),
                    _ => number::ceiling(&number),
                })
            }
            Method::Double => double(method, item)?,
            Method::Bigint => integer(method, &item, "bigint", |number| number.to_i64())?,
            Method::Integer => integer(method, &item, "integer", |number| number.to_i32().map(i64::from))?,
            Method::Boolean => boolean(method, item)?,
            Method::Number => decimal(method, &item, None)?,
            Method::Decimal(limits) => decimal(method, &item, *limits)?,
            Method::Text => text(method, item)?,
            Method::Datetime(_)
            | Method::Date
            | Method::Time(_)
            | Method::TimeTz(_)
            | Method::Timestamp(_)
            | Method::TimestampTz(_) => Item::Datetime(self.moment(method, &item)?),
        };
        Ok(vec![one])
    }

    fn moment(&self, method: &Method, item: &Item<'a>) -> Outcome<Datetime> {
        let name = method.name();
        let text = item.value().and_then(Value::as_str).ok_or_else(|| {
            failure(
                INVALID_DATETIME,
                format!("jsonpath item method .{name}() can only be applied to a string"),
            )
        })?;
        if let Method::Datetime(Some(template)) = method {
            return super::template::read(text, template);
        }
        let unknown = || {
            let message = format!("{name} format is not recognized: \"{text}\"");
            failure(INVALID_DATETIME, message)
        };
        let moment = Datetime::parse(text).ok_or_else(unknown)?;
        let precision = |digits: Option<i64>| match digits {
            Some(digits) if i32::try_from(digits).is_err() => {
                let message = format!(
                    "time precision of jsonpath item method .{name}() is out of range for type integer"
                );
                Err(failure(INVALID_DATETIME, message))
            }
            digits => Ok(digits),
        };
        let zoned = self.zoned;
        let converted = match method {
            Method::Date => moment.date(zoned)?,
            Method::Time(digits) => {
                let digits = precision(*digits)?;
                moment.time(zoned)?.map(|time| time.rounded(digits))
            }
            Method::TimeTz(digits) => {
                let digits = precision(*digits)?;
                moment.time_tz(zoned)?.map(|time| time.rounded(digits))
            }
            Method::Timestamp(digits) => {
                let digits = precision(*digits)?;
                moment.timestamp(zoned)?.map(|moment| moment.rounded(digits))
            }
            Method::TimestampTz(digits) => {
                let digits = precision(*digits)?;
                moment.timestamp_tz(zoned)?.map(|moment| moment.rounded(digits))
            }
            _ => Some(moment),
        };
        converted.ok_or_else(unknown)
    }
}

fn double<'a>(method: &Method, item: Item<'a>) -> Outcome<Item<'a>> {
    let (text, is_number) = match item.value() {
        Some(Value::Number(number)) => (number.to_string(), true),
        Some(Value::String(text)) => (text.clone(), false),
        _ => return Err(wrong(method, "a string or numeric value")),
    };
    let value = crate::input::parse_float8(&text).ok().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| invalid(method, &text, "double precision"))?;
    if is_number {
        return Ok(item);
    }
    // As many digits as a double has in any case.
    let rounded = number::parse(&format!("{value:.14e}")).map(|number| number.normalized());
    let rounded = rounded.ok_or_else(|| invalid(method, &text, "double precision"))?;
    Ok(Item::number(&if rounded.fractional_digit_count() < 0 { rounded.with_scale(0) } else { rounded }))
}

fn integer<'a>(
    method: &Method,
    item: &Item<'a>,
    sql_type: &str,
    fit: impl Fn(&BigDecimal) -> Option<i64>,
) -> Outcome<Item<'a>> {
    let (text, number) = match item.value() {
        Some(Value::Number(number)) => {
            (number.to_string(), number::of_json(number).map(|number| number::rounded(&number)))
        }
        Some(Value::String(text)) => (text.clone(), text.trim().parse::<i64>().ok().map(BigDecimal::from)),
        _ => return Err(wrong(method, "a string or numeric value")),
    };
    let value = number.as_ref().and_then(fit);
    let value = value.ok_or_else(|| invalid(method, &text, sql_type))?;
    Ok(Item::owned(Value::from(value)))
}

fn boolean<'a>(method: &Method, item: Item<'a>) -> Outcome<Item<'a>> {
    let value = match item.value() {
        Some(Value::Bool(_)) => return Ok(item),
        Some(Value::Number(number)) => {
            let text = number.to_string();
            let value = text.parse::<i32>().map_err(|_| invalid(method, &text, "boolean"))?;
            value != 0
        }
        Some(Value::String(text)) => parse_boolean(text).map_err(|_| invalid(method, text, "boolean"))?,
        _ => return Err(wrong(method, "a boolean, string, or numeric value")),
    };
    Ok(Item::owned(Value::Bool(value)))
}

fn decimal<'a>(method: &Method, item: &Item<'a>, limits: Option<(i64, Option<i64>)>) -> Outcome<Item<'a>> {
    let (text, number) = match item.value() {
        Some(Value::Number(number)) => (number.to_string(), number::of_json(number)),
        Some(Value::String(text)) => {
            let digits = text.trim();
            let begins =
                digits.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
            (text.clone(), number::parse(digits).filter(|_| begins))
        }
        _ => return Err(wrong(method, "a string or numeric value")),
    };
    let number = number.ok_or_else(|| invalid(method, &text, "numeric"))?;
    let Some((precision, scale)) = limits else { return Ok(Item::number(&number)) };
    for (what, value) in [("precision", precision), ("scale", scale.unwrap_or(0))] {
        if i32::try_from(value).is_err() {
            let message =
                format!("{what} of jsonpath item method .decimal() is out of range for type integer");
            return Err(failure(NON_NUMERIC, message));
        }
    }
    let scale = scale.unwrap_or(0);
    let refuse = |what: &str, value: i64, least: i64| {
        let message = format!("NUMERIC {what} {value} must be between {least} and {MOST_PRECISION}");
        fatal(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
    };
    if !(1..=MOST_PRECISION).contains(&precision) {
        return Err(refuse("precision", precision, 1));
    }
    if !(-MOST_PRECISION..=MOST_PRECISION).contains(&scale) {
        return Err(refuse("scale", scale, -MOST_PRECISION));
    }
    let rounded = number.with_scale_round(scale, bigdecimal::RoundingMode::HalfUp);
    if rounded.digits() as i64 > precision && rounded != 0 {
        return Err(invalid(method, &text, "numeric"));
    }
    Ok(Item::number(&if scale < 0 { rounded.with_scale(0) } else { rounded }))
}

fn text<'a>(method: &Method, item: Item<'a>) -> Outcome<Item<'a>> {
    let text = match item.value() {
        None => match item {
            Item::Datetime(moment) => moment.to_string(),
            Item::Json(_) => String::new(),
        },
        Some(Value::String(_)) => return Ok(item),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(wrong(method, "a boolean, string, numeric, or datetime value")),
    };
    Ok(Item::owned(Value::String(text)))
}

//! What SQL has a syntax of its own for, of dates, times and intervals, as calls.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Interval, IntervalFields, TimezoneInfo, TypedString, Value,
};

use crate::desugar::{call, cast, interval_text};
use crate::functions::OF_FIELDS;

/// What `AT LOCAL` is written as: it takes the zone of the session.
pub(crate) const LOCAL_ZONE: &str = "$local";

/// The call that an expression means, if it is one of these.
pub(crate) fn temporal_call(expr: &Expr) -> Option<Expr> {
    Some(match expr {
        Expr::Interval(interval) => {
            let fields = Expr::value(Value::SingleQuotedString(interval_fields(interval)?));
            let text = |text: String| Expr::value(Value::SingleQuotedString(text));
            let value = match &interval.last_field {
                Some(_) => interval.value.as_ref().clone(),
                None => interval_text(interval).map_or_else(|| (*interval.value).clone(), text),
            };
            call(OF_FIELDS, vec![value, fields])
        }
        Expr::Cast { expr, data_type: DataType::Interval { fields, precision }, .. } => {
            call(OF_FIELDS, vec![expr.as_ref().clone(), type_fields(fields.as_ref(), *precision)?])
        }
        Expr::TypedString(TypedString {
            data_type: DataType::Interval { fields, precision }, value, ..
        }) => call(OF_FIELDS, vec![Expr::Value(value.clone()), type_fields(fields.as_ref(), *precision)?]),
        Expr::AtTimeZone { timestamp, time_zone } => in_zone(timestamp, time_zone),
        Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => {
            let (Expr::Tuple(one), Expr::Tuple(other)) = (left.as_ref(), right.as_ref()) else { return None };
            if one.len() != 2 || other.len() != 2 {
                return None;
            }
            call("overlaps", one.iter().chain(other).cloned().collect())
        }
        _ => return None,
    })
}

/// `moment AT TIME ZONE zone`. A string literal is a timestamp with time zone.
fn in_zone(moment: &Expr, zone: &Expr) -> Expr {
    let text = |expr: &Expr| match expr {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    let moment = match text(moment) {
        Some(_) => cast(moment.clone(), DataType::Timestamp(None, TimezoneInfo::Tz)),
        None => moment.clone(),
    };
    let is_local = text(zone).is_some_and(|zone| zone == LOCAL_ZONE);
    call("timezone", if is_local { vec![moment] } else { vec![zone.clone(), moment] })
}

/// The fields of an interval type, as [`OF_FIELDS`] takes them; `None` for all.
fn type_fields(fields: Option<&IntervalFields>, precision: Option<u64>) -> Option<Expr> {
    if fields.is_none() && precision.is_none() {
        return None;
    }
    let fields = fields.map(ToString::to_string).unwrap_or_default();
    let precision = precision.map(|digits| format!(" ({digits})")).unwrap_or_default();
    Some(Expr::value(Value::SingleQuotedString(format!("{fields}{precision}"))))
}

/// The fields that an interval literal is to have, if it names any.
fn interval_fields(interval: &Interval) -> Option<String> {
    let first = interval.leading_field.as_ref()?;
    let last = interval.last_field.as_ref().map(|last| format!(" to {last}")).unwrap_or_default();
    let precision = interval.fractional_seconds_precision.or(interval.leading_precision);
    let precision = precision.map(|digits| format!(" ({digits})")).unwrap_or_default();
    Some(format!("{first}{last}{precision}"))
}

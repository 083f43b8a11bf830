//! `generate_series` over timestamps in FROM.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::logical_expr::Expr;
use springtide_datetime::{Interval, Named, current, is_finite, unknown_zone};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::errors::external;
use crate::functions::moved_in;
use crate::operators::literal;

/// More rows than this are a mistake.
const MOST_ROWS: usize = 10_000_000;

/// The rows of the call, if its first two arguments are timestamps and it names the series.
pub(crate) fn moment_series(name: &str, args: &[Expr]) -> Result<Option<Arc<dyn TableProvider>>> {
    let literals = args.iter().map(|arg| match arg {
        Expr::Literal(value, _) => Some(value.clone()),
        _ => None,
    });
    let Some(values) = literals.collect::<Option<Vec<_>>>() else { return Ok(None) };
    let Some(sql_type) = values.iter().take(2).find_map(moment_type) else { return Ok(None) };
    let [start, stop, step, zone @ ..] = values.as_slice() else { return Ok(None) };
    if name != "generate_series" || zone.len() > 1 {
        return Ok(None);
    }
    let (start, stop) = (moment(start, sql_type)?, moment(stop, sql_type)?);
    let step = match resolved(step, SqlType::Interval)? {
        ScalarValue::IntervalMonthDayNano(step) => step.map(Interval::from_arrow),
        _ => return Ok(None),
    };
    let zone = match zone {
        [ScalarValue::Utf8(Some(name))] => {
            Some(Named::find(name).ok_or_else(|| external(unknown_zone(name)))?)
        }
        _ => (sql_type == SqlType::Timestamptz).then(|| Named::Zone(current().zone.clone())),
    };
    let moments = match (start, stop, step) {
        (Some(start), Some(stop), Some(step)) => {
            series(start, stop, step, zone.as_ref()).map_err(external)?
        }
        _ => Vec::new(),
    };
    let moments = PrimitiveArray::<TimestampMicrosecondType>::from_iter_values(moments);
    let moments: ArrayRef = Arc::new(moments.with_data_type(sql_type.arrow()));
    let schema = Arc::new(Schema::new(vec![Field::new("value", sql_type.arrow(), true)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![moments])?;
    Ok(Some(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?)))
}

fn moment_type(value: &ScalarValue) -> Option<SqlType> {
    match value.data_type() {
        DataType::Timestamp(_, Some(_)) => Some(SqlType::Timestamptz),
        DataType::Timestamp(_, None) => Some(SqlType::Timestamp),
        _ => None,
    }
}

/// A string literal in a type.
fn resolved(value: &ScalarValue, sql_type: SqlType) -> Result<ScalarValue> {
    match value {
        ScalarValue::Utf8(text) => match literal(text.as_deref(), sql_type)? {
            Expr::Literal(value, _) => Ok(value),
            _ => Ok(ScalarValue::Null),
        },
        other => Ok(other.clone()),
    }
}

fn moment(value: &ScalarValue, sql_type: SqlType) -> Result<Option<i64>> {
    Ok(match resolved(value, sql_type)? {
        ScalarValue::TimestampMicrosecond(micros, _) => micros,
        _ => None,
    })
}

fn series(start: i64, stop: i64, step: Interval, zone: Option<&Named>) -> Result<Vec<i64>, SqlError> {
    let invalid = |message: &str| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    if !step.is_finite() {
        return invalid("step size cannot be infinite");
    }
    let direction = step.span().signum();
    if direction == 0 {
        return invalid("step size cannot equal zero");
    }
    let (mut moments, mut moment) = (Vec::new(), start);
    while if direction > 0 { moment <= stop } else { moment >= stop } {
        moments.push(moment);
        if moments.len() > MOST_ROWS {
            let message = format!("generate_series would give more than {MOST_ROWS} timestamps");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        if !is_finite(moment) {
            break;
        }
        moment = moved_in(moment, step, false, zone)?;
    }
    Ok(moments)
}

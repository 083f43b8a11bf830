//! `extract(field FROM moment)`, a numeric, and `date_part(field, moment)`, a double.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_datetime::{
    EARLY, EARLY_DATE, Interval, SECOND, Style, TimeTz, current, is_finite, is_finite_date,
};
use springtide_types::SqlType::{Date, Float8, Interval as Span, Text, Time, Timestamp, Timestamptz, Timetz};
use springtide_types::{Result as SqlResult, SqlError, SqlState, SqlType, TIMETZ_BYTES};

use super::arithmetic::external;
use super::moments::{Field, Value};
use super::typed::{Args, Gives, Typed, Variant, variant};
use crate::operators::describe;
use crate::style::in_style;

/// `extract(field FROM operand)`: a numeric, with the fraction that the field has.
pub(crate) fn extract(field: &str, operand: Expr) -> Expr {
    let field = field.trim_matches(['\'', '"']).to_lowercase();
    let function = Arc::new(ScalarUDF::from(Extract::new(field)));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![operand]))
}

const DATE_PART: &[Variant] = &[
    variant(&[Text, Timestamp], Gives::One(Float8), date_part),
    variant(&[Text, Timestamptz], Gives::One(Float8), date_part),
    variant(&[Text, Date], Gives::One(Float8), date_part),
    variant(&[Text, Time], Gives::One(Float8), date_part),
    variant(&[Text, Timetz], Gives::One(Float8), date_part),
    variant(&[Text, Span], Gives::One(Float8), date_part),
];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![Typed::udf("date_part", DATE_PART)]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    name: String,
    field: String,
    signature: Signature,
}

impl Extract {
    fn new(field: String) -> Extract {
        Extract {
            name: format!("extract_{field}"),
            field,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }

    fn scale(&self, of: &DataType) -> i8 {
        let field = Field::named(&self.field, "timestamp");
        field.map_or(0, |field| field.scale(*of == DataType::Date32) as i8)
    }
}

const PRECISION: u8 = 38;

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::Date32
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Interval(_)
            | DataType::FixedSizeBinary(TIMETZ_BYTES)
            | DataType::Null => Ok(DataType::Decimal128(PRECISION, self.scale(&types[0]))),
            other => {
                let given = describe(SqlType::from_arrow(other));
                let message = format!("function pg_catalog.extract(unknown, {given}) does not exist");
                Err(external(SqlError::new(SqlState::UNDEFINED_FUNCTION, message)))
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let operand = args.args[0].to_array(args.number_rows)?;
        let scale = self.scale(operand.data_type());
        let values = in_style(&args, || {
            let (moments, style) = (Moments::of(&operand), current());
            let field = Field::named(&self.field, moments.type_name())?;
            let value = |row: usize| match moments.field(field, row, &self.field, &style)? {
                Value::Number(number) => Ok(Some(number)),
                Value::None => Ok(None),
                Value::Infinite { .. } => Err(SqlError::unsupported("an infinite numeric")
                    .with_hint("Use date_part, which gives a double precision.")),
            };
            (0..operand.len()).map(value).collect::<SqlResult<Decimal128Array>>()
        });
        let values: ArrayRef =
            Arc::new(values.map_err(external)?.with_precision_and_scale(PRECISION, scale)?);
        Ok(match &args.args[0] {
            ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
            ColumnarValue::Array(_) => ColumnarValue::Array(values),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }
}

/// With a field for each row.
fn date_part(args: &Args<'_>) -> SqlResult<ArrayRef> {
    let (names, operand, style) = (args.text(0), args.array(1)?, current());
    let operand = match operand.data_type() {
        // As a timestamp, which has all fields.
        DataType::Date32 => crate::temporal::convert(&operand, Timestamp)?,
        _ => operand,
    };
    let moments = Moments::of(&operand);
    let mut last: Option<(&str, Field)> = None;
    let part = |row: usize| {
        let Some(name) = names.get(row) else { return Ok(None) };
        let field = match last {
            Some((before, field)) if before == name => field,
            _ => Field::named(name, moments.type_name())?,
        };
        last = Some((name, field));
        Ok(match moments.field(field, row, name, &style)? {
            Value::Number(number) => Some(number as f64 / 10_f64.powi(field.scale(false) as i32)),
            Value::Infinite { negative: true } => Some(f64::NEG_INFINITY),
            Value::Infinite { negative: false } => Some(f64::INFINITY),
            Value::None => None,
        })
    };
    Ok(Arc::new((0..args.rows).map(part).collect::<SqlResult<Float64Array>>()?))
}

/// What has fields.
struct Moments<'a>(&'a ArrayRef);

impl Moments<'_> {
    fn of(array: &ArrayRef) -> Moments<'_> {
        Moments(array)
    }

    fn type_name(&self) -> &'static str {
        match self.0.data_type() {
            DataType::Date32 => "date",
            DataType::Time64(_) => "time without time zone",
            DataType::Interval(_) => "interval",
            DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
            DataType::Timestamp(_, None) => "timestamp without time zone",
            _ => "time with time zone",
        }
    }

    fn field(&self, field: Field, row: usize, name: &str, style: &Style) -> SqlResult<Value> {
        if self.0.is_null(row) {
            return Ok(Value::None);
        }
        match self.0.data_type() {
            DataType::Date32 => {
                let days = self.0.as_primitive::<Date32Type>().value(row);
                match is_finite_date(days) {
                    true => field.of_date(days, name),
                    false => {
                        field.of_date(0, name)?;
                        Ok(field.of_infinity(days == EARLY_DATE, false))
                    }
                }
            }
            DataType::Time64(_) => {
                field.of_time(self.0.as_primitive::<Time64MicrosecondType>().value(row), name)
            }
            DataType::Interval(_) => {
                let value = self.0.as_primitive::<IntervalMonthDayNanoType>().value(row);
                let interval = Interval::from_arrow(value);
                match interval.is_finite() {
                    true => field.of_interval(interval, name),
                    false => {
                        field.of_interval(Interval::default(), name)?;
                        Ok(field.of_infinity(interval == Interval::EARLY, true))
                    }
                }
            }
            DataType::Timestamp(_, zone) => {
                let micros = self.0.as_primitive::<TimestampMicrosecondType>().value(row);
                let zoned = zone.is_some();
                if !is_finite(micros) {
                    field.of_timestamp(0, zoned.then_some(0), name)?;
                    return Ok(field.of_infinity(micros == EARLY, false));
                }
                let east = zoned.then(|| style.zone.east_at(micros));
                field.of_timestamp(micros.saturating_add(i64::from(east.unwrap_or(0)) * SECOND), east, name)
            }
            _ => field.of_timetz(TimeTz::from_bytes(self.0.as_fixed_size_binary().value(row)), name),
        }
    }
}

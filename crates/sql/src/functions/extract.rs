use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{
    DataType, Decimal128Type, Int32Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use super::arithmetic::external;

/// `extract(field FROM operand)`: a numeric, with the fraction that the field has.
pub(crate) fn extract(field: &str, operand: Expr) -> Result<Expr> {
    let field = field.trim_matches(['\'', '"']).to_lowercase();
    let Some(part) = Part::from_name(&field) else {
        let message = format!("unit \"{field}\" not recognized for type timestamp without time zone");
        return Err(external(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)));
    };
    let function = Arc::new(ScalarUDF::from(Extract::new(field, part)));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![operand])))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Epoch,
    Second,
    Millisecond,
    Microsecond,
    Decade,
    Century,
    Millennium,
    /// Counted by Arrow.
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
}

impl Part {
    fn from_name(name: &str) -> Option<Part> {
        Some(match name {
            "epoch" => Part::Epoch,
            "second" | "seconds" => Part::Second,
            "millisecond" | "milliseconds" => Part::Millisecond,
            "microsecond" | "microseconds" => Part::Microsecond,
            "decade" => Part::Decade,
            "century" => Part::Century,
            "millennium" => Part::Millennium,
            "year" | "years" => Part::Year,
            "isoyear" => Part::IsoYear,
            "quarter" => Part::Quarter,
            "month" | "months" => Part::Month,
            "week" | "weeks" => Part::Week,
            "day" | "days" => Part::Day,
            "dow" => Part::DayOfWeek,
            "isodow" => Part::IsoDayOfWeek,
            "doy" => Part::DayOfYear,
            "hour" | "hours" => Part::Hour,
            "minute" | "minutes" => Part::Minute,
            _ => return None,
        })
    }

    fn scale(self) -> i8 {
        match self {
            Part::Epoch | Part::Second => 6,
            Part::Millisecond => 3,
            _ => 0,
        }
    }

    /// Whether an interval has none.
    fn needs_date(self) -> bool {
        matches!(self, Part::IsoYear | Part::Week | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear)
    }

    /// Whether a time of day has one.
    fn is_of_time(self) -> bool {
        use Part::*;
        matches!(self, Epoch | Second | Millisecond | Microsecond | Hour | Minute)
    }

    /// The kernel's part, how far to shift what it counts, and whether to divide it, rounding up.
    fn counted(self) -> DatePart {
        match self {
            Part::IsoYear => DatePart::YearISO,
            Part::Quarter => DatePart::Quarter,
            Part::Month => DatePart::Month,
            Part::Week => DatePart::WeekISO,
            Part::Day => DatePart::Day,
            Part::DayOfWeek => DatePart::DayOfWeekSunday0,
            Part::IsoDayOfWeek => DatePart::DayOfWeekMonday0,
            Part::DayOfYear => DatePart::DayOfYear,
            Part::Hour => DatePart::Hour,
            Part::Minute => DatePart::Minute,
            _ => DatePart::Year,
        }
    }

    fn adjust(self, counted: i32) -> i128 {
        let counted = i128::from(counted);
        // Arrow's year 0 is 1 BC, and there is no century or year 0.
        let of_years = |years: i128| match counted {
            1.. => (counted + years - 1) / years,
            _ => -((years - counted) / years),
        };
        match self {
            Part::IsoDayOfWeek => counted + 1,
            Part::Year | Part::IsoYear => of_years(1),
            Part::Decade => counted.div_euclid(10),
            Part::Century => of_years(100),
            Part::Millennium => of_years(1000),
            _ => counted,
        }
    }

    /// [`Self::adjust`] for an interval, whose fields count whole units.
    fn adjust_length(self, counted: i32) -> i128 {
        let counted = i128::from(counted);
        match self {
            Part::Decade => counted / 10,
            Part::Century => counted / 100,
            Part::Millennium => counted / 1000,
            _ => counted,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    name: String,
    part: Part,
    signature: Signature,
}

impl Extract {
    fn new(field: String, part: Part) -> Extract {
        let name = format!("extract_{field}");
        Extract { name, part, signature: Signature::any(1, Volatility::Immutable) }
    }
}

const PRECISION: u8 = 38;
const MINUTE: i64 = 60_000_000;

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
            | DataType::Null => Ok(DataType::Decimal128(PRECISION, self.part.scale())),
            other => plan_err!("No function matches extract({other})"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let operand = args.args[0].to_array(args.number_rows)?;
        let is_interval = matches!(operand.data_type(), DataType::Interval(_));
        let lacks_it = match operand.data_type() {
            DataType::Interval(_) => self.part.needs_date(),
            DataType::Time64(_) => !self.part.is_of_time(),
            _ => false,
        };
        if let Some(sql_type) = SqlType::from_arrow(operand.data_type()).filter(|_| lacks_it) {
            let unit = self.name.trim_start_matches("extract_");
            let message = format!("unit \"{unit}\" not supported for type {sql_type}");
            return Err(external(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)));
        }
        let value = match self.part {
            Part::Quarter if is_interval => {
                let months = operand.as_primitive::<IntervalMonthDayNanoType>();
                months.unary::<_, Decimal128Type>(|interval| i128::from(interval.months % 12 / 3 + 1))
            }
            Part::Epoch | Part::Second | Part::Millisecond | Part::Microsecond => self.time(&operand)?,
            part => {
                let counted = date_part(&operand, part.counted())?;
                let counted = counted.as_primitive::<Int32Type>();
                counted.unary::<_, Decimal128Type>(|counted| match is_interval {
                    true => part.adjust_length(counted),
                    false => part.adjust(counted),
                })
            }
        };
        let value = value.with_precision_and_scale(PRECISION, self.part.scale())?;
        Ok(ColumnarValue::Array(Arc::new(value)))
    }

    fn is_strict(&self) -> bool {
        true
    }
}

impl Extract {
    /// Parts that are counted in microseconds.
    fn time(&self, operand: &ArrayRef) -> Result<arrow::array::Decimal128Array> {
        if let DataType::Interval(_) = operand.data_type() {
            return Ok(operand.as_primitive::<IntervalMonthDayNanoType>().unary(|interval| {
                let micros = interval.nanoseconds / 1000;
                if self.part != Part::Epoch {
                    return i128::from(micros % MINUTE);
                }
                // A year has 365.25 days here, a month 30.
                let days = i64::from(interval.months % 12) * 30 + i64::from(interval.days);
                let seconds = i64::from(interval.months / 12) * 31_557_600 + days * 86_400;
                i128::from(seconds) * 1_000_000 + i128::from(micros)
            }));
        }
        let part = |micros: i64| match self.part {
            Part::Epoch => i128::from(micros),
            _ => i128::from(micros.rem_euclid(MINUTE)),
        };
        if let DataType::Time64(_) = operand.data_type() {
            let times = cast(operand, &DataType::Time64(TimeUnit::Microsecond))?;
            return Ok(times.as_primitive::<Time64MicrosecondType>().unary(part));
        }
        let micros = cast(operand, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        Ok(micros.as_primitive::<TimestampMicrosecondType>().unary(part))
    }
}

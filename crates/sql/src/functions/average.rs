use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use springtide_datetime::Interval;

use super::decimal;

/// What `avg(x)` is written as: a function of `sum(x)` and `count(x)`. No user can type the name.
pub(crate) const AVERAGE: &str = "average of";

/// The precision and scale of an integer.
const INTEGER: (u8, i8) = (10, 0);

/// A sum over a count: numeric for exact types, double precision for floats.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Average {
    signature: Signature,
}

impl Average {
    pub(super) fn new() -> Average {
        Average { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Average {
    fn name(&self) -> &str {
        AVERAGE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match &types[0] {
            DataType::Decimal128(precision, scale) => DataType::Decimal128(
                DECIMAL128_MAX_PRECISION,
                decimal::quotient_scale((*precision, *scale), 0),
            ),
            // Of integers and smaller ones, whose average has no more digits than they have.
            sum if sum.is_integer() => {
                DataType::Decimal128(DECIMAL128_MAX_PRECISION, decimal::quotient_scale(INTEGER, 0))
            }
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Interval(_) => types[0].clone(),
            other => return plan_err!("avg of {other}"),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (sums, counts) = (&arrays[0], arrays[1].as_primitive::<Int64Type>().values());
        let averages: ArrayRef = match args.return_type() {
            DataType::Decimal128(_, scale) => {
                let sums: &Decimal128Array = match sums.data_type() {
                    DataType::Decimal128(..) => sums.as_primitive::<Decimal128Type>(),
                    _ => &cast(sums, &DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0))?
                        .as_primitive::<Decimal128Type>()
                        .clone(),
                };
                decimal::averages(sums, counts, *scale)?
            }
            DataType::Float64 => {
                let sums = cast(sums, &DataType::Float64)?;
                let pairs = sums.as_primitive::<Float64Type>().iter().zip(counts);
                let average = |(sum, count): (Option<f64>, &i64)| {
                    sum.filter(|_| *count != 0).map(|sum| sum / *count as f64)
                };
                Arc::new(pairs.map(average).collect::<Float64Array>())
            }
            _ => {
                let sums = sums.as_primitive::<arrow::datatypes::IntervalMonthDayNanoType>();
                let averages = sums.iter().zip(counts).map(|(sum, count)| match (sum, *count) {
                    (None, _) | (_, 0) => Ok(None),
                    (Some(sum), count) => {
                        let mean = Interval::from_arrow(sum).over(count as f64).and_then(Interval::to_arrow);
                        mean.map(Some).map_err(super::arithmetic::external)
                    }
                });
                let averages = averages.collect::<Result<Vec<_>>>()?;
                Arc::new(averages.into_iter().collect::<IntervalMonthDayNanoArray>())
            }
        };
        Ok(ColumnarValue::Array(averages))
    }

    fn is_strict(&self) -> bool {
        true
    }
}

use std::collections::HashSet;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, Float64Type};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::Accumulator;

use super::totals::{Kind, Totals};

/// `sum(DISTINCT x)`: the values seen, as decimals or as the bits of floats.
#[derive(Debug)]
pub(super) struct DistinctSum {
    kind: Kind,
    values: HashSet<i128>,
}

impl DistinctSum {
    pub(super) fn new(kind: Kind) -> Result<DistinctSum> {
        DistinctSum::state_type(kind)?;
        Ok(DistinctSum { kind, values: HashSet::new() })
    }

    /// The type of the list of values seen.
    pub(super) fn state_type(kind: Kind) -> Result<DataType> {
        let item = value_type(kind)?;
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let values = cast(values, &value_type(self.kind)?)?;
        if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
            self.values.extend(floats.iter().flatten().map(|value| i128::from(canonical(value).to_bits())));
        } else {
            self.values.extend(values.as_primitive::<Decimal128Type>().iter().flatten());
        }
        Ok(())
    }

    fn array(&self) -> Result<ArrayRef> {
        Ok(match value_type(self.kind)? {
            DataType::Decimal128(precision, scale) => {
                let values = self.values.iter().copied().map(Some).collect::<Decimal128Array>();
                Arc::new(values.with_precision_and_scale(precision, scale)?)
            }
            _ => {
                let values = self.values.iter().map(|bits| f64::from_bits(*bits as u64));
                Arc::new(Float64Array::from_iter_values(values))
            }
        })
    }
}

/// −0.0 is 0.0, and every NaN is one value.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

fn value_type(kind: Kind) -> Result<DataType> {
    Ok(match kind {
        Kind::Integer => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
        Kind::Decimal(scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale),
        Kind::Float => DataType::Float64,
        Kind::Interval => return not_impl_err!("sum(DISTINCT interval) is not supported"),
    })
}

impl Accumulator for DistinctSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut totals = Totals::new(self.kind, 1);
        totals.add(&self.array()?, |_| Some(0), 1)?;
        ScalarValue::try_from_array(&totals.results()?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * 17
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.array()?;
        let values = (0..values.len()).map(|row| ScalarValue::try_from_array(&values, row));
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &value_type(self.kind)?))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|values| self.add(&values))
    }
}

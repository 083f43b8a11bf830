//! Columns in a form whose bytes compare as PostgreSQL compares the values.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;

/// Makes rows of columns of these types. They compare in ascending order, NULLs last.
pub(super) struct RowOrder(RowConverter);

impl RowOrder {
    pub(super) fn new<'a>(types: impl Iterator<Item = &'a DataType>) -> Result<RowOrder> {
        let options = SortOptions { descending: false, nulls_first: false };
        let field = |data_type: &DataType| {
            let compared = if is_interval(data_type) { LENGTH } else { data_type.clone() };
            SortField::new_with_options(compared, options)
        };
        Ok(RowOrder(RowConverter::new(types.map(field).collect())?))
    }

    /// The rows. All columns have the same length.
    pub(super) fn rows(&self, columns: &[ArrayRef]) -> Result<Rows> {
        Ok(self.0.convert_columns(&columns.iter().map(comparable).collect::<Vec<_>>())?)
    }
}

/// The type of the lengths of intervals.
const LENGTH: DataType = DataType::Decimal128(38, 0);

fn is_interval(data_type: &DataType) -> bool {
    *data_type == DataType::Interval(IntervalUnit::MonthDayNano)
}

/// −0.0 as 0.0, every NaN as the greatest of all, an interval as its length.
fn comparable(column: &ArrayRef) -> ArrayRef {
    // Adding zero turns −0.0 into 0.0 and changes nothing else.
    match column.data_type() {
        DataType::Float32 => {
            let value = |value: f32| if value.is_nan() { f32::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float32Type>().unary(value) as PrimitiveArray<Float32Type>)
        }
        DataType::Float64 => {
            let value = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
            Arc::new(column.as_primitive::<Float64Type>().unary(value) as PrimitiveArray<Float64Type>)
        }
        data_type if is_interval(data_type) => {
            let lengths: Decimal128Array = column.as_primitive::<IntervalMonthDayNanoType>().unary(length);
            Arc::new(lengths.with_data_type(LENGTH))
        }
        _ => column.clone(),
    }
}

/// In nanoseconds, a month counting 30 days and a day 24 hours.
fn length(interval: IntervalMonthDayNano) -> i128 {
    const DAY: i128 = 24 * 60 * 60 * 1_000_000_000;
    (i128::from(interval.months) * 30 + i128::from(interval.days)) * DAY + i128::from(interval.nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, Float64Array, Int32Array, IntervalMonthDayNanoArray};
    use std::cmp::Ordering;

    fn compare(column: &ArrayRef, left: usize, right: usize) -> Ordering {
        let rows = RowOrder::new([column.data_type()].into_iter()).unwrap();
        let rows = rows.rows(std::slice::from_ref(column)).unwrap();
        rows.row(left).cmp(&rows.row(right))
    }

    #[test]
    fn compares_as_postgres() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, -f64::NAN, f64::INFINITY]));
        assert_eq!(compare(&floats, 0, 1), Ordering::Equal);
        assert_eq!(compare(&floats, 2, 3), Ordering::Greater);
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        assert_eq!(compare(&numbers, 0, 1), Ordering::Less);
        let intervals = [(1, 0, 0), (0, 30, 0), (0, 29, i64::MAX)];
        let intervals = intervals.map(|(m, d, n)| IntervalMonthDayNanoType::make_value(m, d, n));
        let intervals: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(intervals.to_vec()));
        assert_eq!(compare(&intervals, 0, 1), Ordering::Equal);
        assert_eq!(compare(&intervals, 1, 2), Ordering::Less);
        assert_eq!(intervals.len(), 3);
    }
}

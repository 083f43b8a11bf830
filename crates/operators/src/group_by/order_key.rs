//! Values of a column as keys whose order is PostgreSQL's.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::array::{IntervalMonthDayNanoArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::*;
use springtide_state::{float_key, float_of_key, interval_length};

/// A family of types whose values have one kind of ordered key.
pub(super) trait OrderKey: Send + 'static {
    /// The keys. Their default is the least.
    type Key: Ord + Clone + Send;

    /// A key that none is less than.
    const LEAST: Self::Key;

    /// The keys of a column without NULLs.
    fn keys(column: &ArrayRef) -> Vec<Self::Key>;

    /// Puts the keys of a column without NULLs, each into its group, where they compare as `better` with what is there.
    fn improve(extrema: &mut [Option<Self::Key>], groups: &[u32], column: &ArrayRef, better: Ordering) {
        for (group, key) in groups.iter().zip(Self::keys(column)) {
            let extremum = &mut extrema[*group as usize];
            if extremum.as_ref().is_none_or(|old| key.cmp(old) == better) {
                *extremum = Some(key);
            }
        }
    }

    /// The column of these keys, NULL for `None`.
    fn column(keys: Vec<Option<Self::Key>>, data_type: &DataType) -> ArrayRef;

    /// Bytes held outside of the key itself.
    fn heap_bytes(_: &Self::Key) -> usize {
        0
    }
}

/// Booleans, integers, dates, times, timestamps.
pub(super) struct Integers;

impl OrderKey for Integers {
    type Key = i64;
    const LEAST: i64 = i64::MIN;

    fn keys(column: &ArrayRef) -> Vec<i64> {
        let column = cast(column, &DataType::Int64).expect("these types are integers at heart");
        column.as_primitive::<Int64Type>().values().to_vec()
    }

    fn column(keys: Vec<Option<i64>>, data_type: &DataType) -> ArrayRef {
        cast(&Int64Array::from(keys), data_type).expect("the values came from this type")
    }
}

/// Floats: −0.0 is 0.0, and NaN is greater than any other value.
pub(super) struct Floats;

impl OrderKey for Floats {
    type Key = i64;
    const LEAST: i64 = i64::MIN;

    fn keys(column: &ArrayRef) -> Vec<i64> {
        let column = cast(column, &DataType::Float64).expect("a float fits a wider float");
        column.as_primitive::<Float64Type>().values().iter().map(|value| float_key(*value)).collect()
    }

    fn column(keys: Vec<Option<i64>>, data_type: &DataType) -> ArrayRef {
        let values = keys.into_iter().map(|key| key.map(float_of_key));
        cast(&values.collect::<Float64Array>(), data_type).expect("the values came from this type")
    }
}

/// Decimals of one scale.
pub(super) struct Decimals;

impl OrderKey for Decimals {
    type Key = i128;
    const LEAST: i128 = i128::MIN;

    fn keys(column: &ArrayRef) -> Vec<i128> {
        column.as_primitive::<Decimal128Type>().values().to_vec()
    }

    fn column(keys: Vec<Option<i128>>, data_type: &DataType) -> ArrayRef {
        Arc::new(Decimal128Array::from(keys).with_data_type(data_type.clone()))
    }
}

/// Text in the order of its bytes, which is that of its code points.
pub(super) struct Texts;

impl OrderKey for Texts {
    type Key = String;
    const LEAST: String = String::new();

    fn keys(column: &ArrayRef) -> Vec<String> {
        let column = cast(column, &DataType::Utf8).expect("text is text in every encoding");
        column.as_string::<i32>().iter().map(|value| value.unwrap_or_default().to_owned()).collect()
    }

    /// Copies only the texts that stay.
    fn improve(extrema: &mut [Option<String>], groups: &[u32], column: &ArrayRef, better: Ordering) {
        let column = cast(column, &DataType::Utf8).expect("text is text in every encoding");
        for (group, text) in groups.iter().zip(column.as_string::<i32>().iter().flatten()) {
            match &mut extrema[*group as usize] {
                Some(old) if text.cmp(old.as_str()) != better => {}
                Some(old) => text.clone_into(old),
                none => *none = Some(text.to_owned()),
            }
        }
    }

    fn column(keys: Vec<Option<String>>, data_type: &DataType) -> ArrayRef {
        cast(&StringArray::from(keys), data_type).expect("text is text in every encoding")
    }

    fn heap_bytes(key: &String) -> usize {
        key.capacity()
    }
}

/// Intervals by length, a month counting 30 days and a day 24 hours; the fields tell equal lengths apart.
pub(super) struct Intervals;

impl OrderKey for Intervals {
    type Key = (i128, i32, i32, i64);
    const LEAST: Self::Key = (i128::MIN, i32::MIN, i32::MIN, i64::MIN);

    fn keys(column: &ArrayRef) -> Vec<Self::Key> {
        let values = column.as_primitive::<IntervalMonthDayNanoType>().values().iter();
        values.map(|v| (interval_length(*v), v.months, v.days, v.nanoseconds)).collect()
    }

    fn column(keys: Vec<Option<Self::Key>>, _: &DataType) -> ArrayRef {
        let value =
            |(_, months, days, nanoseconds)| IntervalMonthDayNanoType::make_value(months, days, nanoseconds);
        Arc::new(keys.into_iter().map(|key| key.map(value)).collect::<IntervalMonthDayNanoArray>())
    }
}

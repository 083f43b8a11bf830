//! Comparing values in PostgreSQL's order: −0.0 equals 0.0, NaN is greater than any other float, text goes by its
//! bytes, intervals by their length.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, downcast_integer, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::*;
use springtide_types::SortColumn;

use crate::normalize::normalize_floats;

/// For each row a word by which it sorts as by the column, as far as a word can tell: rows whose words are
/// equal must be compared in full.
pub(crate) fn sort_words(column: &ArrayRef, sort: SortColumn) -> Vec<u64> {
    let mut words = value_words(column);
    let null = if sort.nulls_first { 0 } else { u64::MAX };
    let nulls = column.logical_nulls();
    for (row, word) in words.iter_mut().enumerate() {
        let value = if sort.descending { !*word } else { *word };
        let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        // The ends are left to NULL.
        *word = if is_null { null } else { value.clamp(1, u64::MAX - 1) };
    }
    words
}

/// An integer as a word of the same order.
fn signed(value: i64) -> u64 {
    value as u64 ^ (1 << 63)
}

/// Words in ascending order; anything for NULL.
fn value_words(column: &ArrayRef) -> Vec<u64> {
    macro_rules! integers {
        ($type:ty) => {
            column.as_primitive::<$type>().values().iter().map(|value| clamped(i128::from(*value))).collect()
        };
    }
    downcast_integer! {
        column.data_type() => (integers),
        DataType::Boolean => column.as_boolean().values().iter().map(u64::from).collect(),
        DataType::Date32 => integers!(Date32Type),
        DataType::Time64(TimeUnit::Microsecond) => integers!(Time64MicrosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => integers!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integers!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integers!(TimestampNanosecondType),
        DataType::Decimal128(_, _) => integers!(Decimal128Type),
        DataType::Float32 => {
            column.as_primitive::<Float32Type>().values().iter().map(|value| float_word(f64::from(*value))).collect()
        }
        DataType::Float64 => {
            column.as_primitive::<Float64Type>().values().iter().map(|value| float_word(*value)).collect()
        }
        DataType::Utf8 => {
            column.as_string::<i32>().iter().map(|text| text_word(text.unwrap_or("").as_bytes())).collect()
        }
        DataType::LargeUtf8 => {
            column.as_string::<i64>().iter().map(|text| text_word(text.unwrap_or("").as_bytes())).collect()
        }
        DataType::Binary => {
            column.as_binary::<i32>().iter().map(|bytes| text_word(bytes.unwrap_or(b""))).collect()
        }
        DataType::LargeBinary => {
            column.as_binary::<i64>().iter().map(|bytes| text_word(bytes.unwrap_or(b""))).collect()
        }
        DataType::BinaryView => {
            column.as_binary_view().iter().map(|bytes| text_word(bytes.unwrap_or(b""))).collect()
        }
        DataType::FixedSizeBinary(_) => {
            column.as_fixed_size_binary().iter().map(|bytes| text_word(bytes.unwrap_or(b""))).collect()
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = column.as_primitive::<IntervalMonthDayNanoType>().values().iter();
            values.map(|value| clamped(interval_length(*value) / 1000)).collect()
        }
        _ => vec![0; column.len()],
    }
}

fn clamped(value: i128) -> u64 {
    signed(value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

fn float_word(value: f64) -> u64 {
    signed(float_key(value))
}

/// An integer of the same order as a float: −0.0 as 0.0, every NaN as one that is greater than any other value.
pub fn float_key(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN.copysign(1.0) } else { value + 0.0 };
    flip(value.to_bits() as i64)
}

/// The float of a [`float_key`].
pub fn float_of_key(key: i64) -> f64 {
    f64::from_bits(flip(key) as u64)
}

/// Between the bits of a float and an integer of the same order: the magnitude of negative values counts
/// down. It is its own inverse.
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

fn text_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(word)
}

/// The length of an interval in nanoseconds, a month counting 30 days and a day 24 hours.
pub fn interval_length(value: IntervalMonthDayNano) -> i128 {
    const DAY: i128 = 24 * 60 * 60 * 1_000_000_000;
    (i128::from(value.months) * 30 + i128::from(value.days)) * DAY + i128::from(value.nanoseconds)
}

/// Compares a value of one column with a value of another of the same type.
pub(crate) fn compare_cells(
    left: &ArrayRef,
    left_row: usize,
    right: &ArrayRef,
    right_row: usize,
    sort: SortColumn,
) -> Ordering {
    let null_first = |first: Ordering| if sort.nulls_first { first } else { first.reverse() };
    let ordering = match (left.is_null(left_row), right.is_null(right_row)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return null_first(Ordering::Less),
        (false, true) => return null_first(Ordering::Greater),
        (false, false) => compare_values(left, left_row, right, right_row),
    };
    if sort.descending { ordering.reverse() } else { ordering }
}

fn compare_values(left: &ArrayRef, i: usize, right: &ArrayRef, j: usize) -> Ordering {
    macro_rules! primitive {
        ($type:ty) => {
            left.as_primitive::<$type>().value(i).cmp(&right.as_primitive::<$type>().value(j))
        };
    }
    downcast_integer! {
        left.data_type() => (primitive),
        DataType::Boolean => left.as_boolean().value(i).cmp(&right.as_boolean().value(j)),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Time64(TimeUnit::Microsecond) => primitive!(Time64MicrosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => primitive!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(TimestampNanosecondType),
        DataType::Decimal128(_, _) => primitive!(Decimal128Type),
        DataType::Float32 => {
            let value = |column: &ArrayRef, row| f64::from(column.as_primitive::<Float32Type>().value(row));
            float_word(value(left, i)).cmp(&float_word(value(right, j)))
        }
        DataType::Float64 => {
            let value = |column: &ArrayRef, row| column.as_primitive::<Float64Type>().value(row);
            float_word(value(left, i)).cmp(&float_word(value(right, j)))
        }
        DataType::Utf8 => left.as_string::<i32>().value(i).cmp(right.as_string::<i32>().value(j)),
        DataType::LargeUtf8 => left.as_string::<i64>().value(i).cmp(right.as_string::<i64>().value(j)),
        DataType::LargeBinary => left.as_binary::<i64>().value(i).cmp(right.as_binary::<i64>().value(j)),
        DataType::Binary => left.as_binary::<i32>().value(i).cmp(right.as_binary::<i32>().value(j)),
        DataType::BinaryView => left.as_binary_view().value(i).cmp(right.as_binary_view().value(j)),
        DataType::FixedSizeBinary(_) => {
            left.as_fixed_size_binary().value(i).cmp(right.as_fixed_size_binary().value(j))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = |column: &ArrayRef, row| column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            let (left, right) = (value(left, i), value(right, j));
            // Intervals of one length are equal to SQL; the fields tell them apart all the same.
            let key = |v: IntervalMonthDayNano| (interval_length(v), v.months, v.days, v.nanoseconds);
            key(left).cmp(&key(right))
        }
        _ => {
            // NULL follows all other elements of an array.
            let options = SortOptions { descending: false, nulls_first: false };
            let (left, right) = (normalize_floats(&left.slice(i, 1)), normalize_floats(&right.slice(j, 1)));
            make_comparator(&left, &right, options).map_or(Ordering::Equal, |compare| compare(0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, IntervalMonthDayNanoArray, StringArray};
    use std::sync::Arc;

    /// The words never contradict the comparison, and the rows come in the expected order.
    fn check(column: ArrayRef, expected: &[usize]) {
        for (descending, nulls_first) in [(false, false), (false, true), (true, false), (true, true)] {
            let sort = SortColumn { column: 0, descending, nulls_first };
            let words = sort_words(&column, sort);
            for (i, j) in (0..column.len()).flat_map(|i| (0..column.len()).map(move |j| (i, j))) {
                let full = compare_cells(&column, i, &column, j, sort);
                assert!(words[i].cmp(&words[j]) == full || words[i] == words[j], "{i} {j} {sort:?}");
            }
        }
        let mut rows = (0..column.len()).collect::<Vec<_>>();
        rows.sort_by(|i, j| compare_cells(&column, *i, &column, *j, SortColumn::ascending(0)));
        assert_eq!(rows, expected);
    }

    #[test]
    fn orders_as_postgres() {
        check(
            Arc::new(Int64Array::from(vec![Some(3), None, Some(i64::MIN), Some(i64::MAX), Some(-1)])),
            &[2, 4, 0, 3, 1],
        );
        let floats = vec![f64::NAN, 1.0, f64::NEG_INFINITY, -0.0, 0.0, -2.5, f64::INFINITY];
        check(Arc::new(Float64Array::from(floats)), &[2, 5, 3, 4, 1, 6, 0]);
        let texts = vec![Some("abcdefghj"), Some(""), Some("abcdefghi"), None, Some("é"), Some("a")];
        check(Arc::new(StringArray::from(texts)), &[1, 5, 2, 0, 4, 3]);
        let intervals = [(1, 0, 0), (0, 31, 0), (0, 0, 1_000), (0, -1, 0)];
        let intervals = intervals.map(|(m, d, n)| IntervalMonthDayNanoType::make_value(m, d, n));
        check(Arc::new(IntervalMonthDayNanoArray::from(intervals.to_vec())), &[3, 2, 0, 1]);
    }
}

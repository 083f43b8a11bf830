//! Row equality, column by column: NULL equals NULL, −0.0 equals 0.0, NaN equals NaN.

use arrow::array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, downcast_primitive};
use arrow::compute::SortOptions;
use arrow::datatypes::{ArrowNativeType, DataType};

use crate::normalize::normalize_floats;

/// Where a row of a chunked column is: the chunk, and the position in it.
pub(crate) type Location = (u32, u32);

/// For each pair of a row of `left` and a row of `right`, whether they are equal in all columns. Both
/// sides have the same column types.
pub fn equal_pairs(
    left: &[ArrayRef],
    left_rows: &[u32],
    right: &[ArrayRef],
    right_rows: &[u32],
) -> Vec<bool> {
    let locations = left_rows.iter().map(|row| (0, *row)).collect::<Vec<_>>();
    let mut equal = vec![true; right_rows.len()];
    for (left, right) in left.iter().zip(right) {
        retain_equal(&[left], &locations, right, right_rows, &mut equal);
    }
    equal
}

/// Clears `equal[i]` unless the value of the chunked column `left` at `locations[i]` equals the value of
/// `right` at `rows[i]`.
pub(crate) fn retain_equal(
    left: &[&ArrayRef],
    locations: &[Location],
    right: &ArrayRef,
    rows: &[u32],
    equal: &mut [bool],
) {
    assert_eq!((locations.len(), rows.len()), (equal.len(), equal.len()), "one result per pair");
    let mut pairs = Pairs { locations, rows, equal };
    macro_rules! primitive {
        ($type:ty) => {
            pairs.retain_primitive::<$type>(left, right)
        };
    }
    macro_rules! typed {
        ($downcast:expr) => {
            pairs.retain(left, right, $downcast, |a, b| a == b)
        };
    }
    downcast_primitive! {
        right.data_type() => (primitive),
        DataType::Null => {}
        DataType::Boolean => typed!(|column| column.as_boolean()),
        DataType::Utf8 => typed!(|column| column.as_string::<i32>()),
        DataType::LargeUtf8 => typed!(|column| column.as_string::<i64>()),
        DataType::Utf8View => typed!(|column| column.as_string_view()),
        DataType::Binary => typed!(|column| column.as_binary::<i32>()),
        DataType::LargeBinary => typed!(|column| column.as_binary::<i64>()),
        DataType::FixedSizeBinary(_) => typed!(|column| column.as_fixed_size_binary()),
        DataType::BinaryView => typed!(|column| column.as_binary_view()),
        _ => pairs.retain_any(left, right),
    }
}

struct Pairs<'a> {
    locations: &'a [Location],
    rows: &'a [u32],
    equal: &'a mut [bool],
}

impl Pairs<'_> {
    fn retain_primitive<T: ArrowPrimitiveType>(&mut self, left: &[&ArrayRef], right: &ArrayRef) {
        self.retain(left, right, |column| column.as_primitive::<T>(), same);
    }

    fn retain<'a, A: ArrayAccessor>(
        &mut self,
        left: &[&'a ArrayRef],
        right: &'a ArrayRef,
        downcast: impl Fn(&'a ArrayRef) -> A,
        same: impl Fn(A::Item, A::Item) -> bool,
    ) {
        let right = downcast(right);
        let left = left.iter().map(|column| downcast(column)).collect::<Vec<_>>();
        let nullable = right.null_count() > 0 || left.iter().any(|column| column.null_count() > 0);
        for ((equal, (chunk, at)), row) in self.equal.iter_mut().zip(self.locations).zip(self.rows) {
            let (left, at, row) = (&left[*chunk as usize], *at as usize, *row as usize);
            let both = if nullable { (left.is_null(at), right.is_null(row)) } else { (false, false) };
            *equal &= match both {
                (false, false) => same(left.value(at), right.value(row)),
                (left, right) => left && right,
            };
        }
    }

    /// Nested and rare types, one dynamic comparison per pair.
    fn retain_any(&mut self, left: &[&ArrayRef], right: &ArrayRef) {
        let right = normalize_floats(right);
        let comparators = left
            .iter()
            .map(|left| {
                arrow::array::make_comparator(&normalize_floats(left), &right, SortOptions::default())
            })
            .collect::<Result<Vec<_>, _>>()
            .expect("columns of one relation have comparable types");
        for ((equal, (chunk, at)), row) in self.equal.iter_mut().zip(self.locations).zip(self.rows) {
            *equal &= comparators[*chunk as usize](*at as usize, *row as usize).is_eq();
        }
    }
}

/// Equality under which NaN, which no float compares with, is one value.
fn same<T: ArrowNativeType>(a: T, b: T) -> bool {
    a == b || (a.partial_cmp(&a).is_none() && b.partial_cmp(&b).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::datatypes::{Float64Type, Int32Type};
    use std::sync::Arc;

    fn check(column: impl Array + 'static, expect: &[(u32, u32, bool)]) {
        let column: ArrayRef = Arc::new(column);
        let (left, right): (Vec<_>, Vec<_>) = expect.iter().map(|(l, r, _)| (*l, *r)).unzip();
        let found = equal_pairs(std::slice::from_ref(&column), &left, std::slice::from_ref(&column), &right);
        assert_eq!(found, expect.iter().map(|(_, _, equal)| *equal).collect::<Vec<_>>());
    }

    #[test]
    fn compares_as_not_distinct() {
        let floats = [Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), None, None];
        let expect = [(0, 1, true), (2, 3, true), (4, 5, true), (0, 4, false), (0, 2, false)];
        check(Float64Array::from(floats.to_vec()), &expect);
        check(StringArray::from(vec![Some("a"), Some("a"), None, Some("")]), &[(0, 1, true), (2, 3, false)]);
        check(BooleanArray::from(vec![Some(true), Some(false), None]), &[(0, 1, false), (2, 2, true)]);
        let floats = |values: &[Option<f64>]| Some(values.to_vec());
        let lists = vec![floats(&[Some(0.0), None]), floats(&[Some(-0.0), None]), floats(&[Some(0.0)]), None];
        check(
            ListArray::from_iter_primitive::<Float64Type, _, _>(lists),
            &[(0, 1, true), (0, 2, false), (3, 3, true), (2, 3, false)],
        );
        let dictionary: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
        check(dictionary, &[(0, 2, true), (0, 1, false)]);
    }
}

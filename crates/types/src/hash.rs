//! The one stable hash of rows: it routes rows to workers and indexes state.
//!
//! It is frozen: the same values hash the same in every release, on every machine, whatever the
//! encoding of the column, because state on disk is partitioned by it. Values that SQL calls equal hash
//! alike: −0.0 as 0.0, every NaN alike, an integer alike in every width. NULL hashes as a value of its
//! own, so that GROUP BY keeps it as one group.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Rows are dealt to workers in this many virtual nodes, so that state can move between workers.
pub const VNODES: u64 = 256;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x6a09_e667_f3bc_c909;

/// One hash per row over all `columns`, in order. No columns: every row hashes alike.
pub fn hash_columns(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    let mut hashes = vec![SEED; rows];
    for column in columns {
        hash_into(column, &mut hashes);
    }
    hashes
}

/// The worker that owns rows of this hash.
pub fn worker_of(hash: u64, workers: usize) -> usize {
    ((hash % VNODES) % workers as u64) as usize
}

/// Folded multiplication, as in wyhash.
#[inline]
fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value) * 0xd6e8_feb8_6659_fd93_u128 + u128::from(SEED);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(23)
}

macro_rules! hash_primitive {
    ($column:expr, $type:ty, $hashes:expr, |$value:ident| $word:expr) => {{
        let column = $column.as_primitive::<$type>();
        if column.null_count() == 0 {
            for (hash, &$value) in $hashes.iter_mut().zip(column.values()) {
                *hash = mix(*hash, $word);
            }
        } else {
            for (row, hash) in $hashes.iter_mut().enumerate() {
                let $value = column.values()[row];
                *hash = mix(*hash, if column.is_null(row) { NULL } else { $word });
            }
        }
    }};
}

fn float_word(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

fn wide_word(value: i128) -> u64 {
    mix(value as u64, (value >> 64) as u64)
}

fn hash_bytes<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, hashes: &mut [u64]) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        *hash = match value {
            Some(bytes) => xxh3_64_with_seed(bytes, *hash),
            None => mix(*hash, NULL),
        };
    }
}

fn hash_into(column: &ArrayRef, hashes: &mut [u64]) {
    match column.data_type() {
        DataType::Null => hashes.iter_mut().for_each(|hash| *hash = mix(*hash, NULL)),
        DataType::Boolean => {
            let column = column.as_boolean();
            for (row, hash) in hashes.iter_mut().enumerate() {
                let word = if column.is_null(row) { NULL } else { u64::from(column.value(row)) };
                *hash = mix(*hash, word);
            }
        }
        DataType::Int8 => hash_primitive!(column, Int8Type, hashes, |v| v as i64 as u64),
        DataType::Int16 => hash_primitive!(column, Int16Type, hashes, |v| v as i64 as u64),
        DataType::Int32 => hash_primitive!(column, Int32Type, hashes, |v| v as i64 as u64),
        DataType::Int64 => hash_primitive!(column, Int64Type, hashes, |v| v as u64),
        DataType::UInt8 => hash_primitive!(column, UInt8Type, hashes, |v| u64::from(v)),
        DataType::UInt16 => hash_primitive!(column, UInt16Type, hashes, |v| u64::from(v)),
        DataType::UInt32 => hash_primitive!(column, UInt32Type, hashes, |v| u64::from(v)),
        DataType::UInt64 => hash_primitive!(column, UInt64Type, hashes, |v| v),
        DataType::Float32 => hash_primitive!(column, Float32Type, hashes, |v| float_word(v.into())),
        DataType::Float64 => hash_primitive!(column, Float64Type, hashes, |v| float_word(v)),
        DataType::Decimal128(_, _) => hash_primitive!(column, Decimal128Type, hashes, |v| wide_word(v)),
        DataType::Date32 => hash_primitive!(column, Date32Type, hashes, |v| v as i64 as u64),
        DataType::Time64(TimeUnit::Microsecond) => {
            hash_primitive!(column, Time64MicrosecondType, hashes, |v| v as u64)
        }
        // The keys of an enum's labels.
        DataType::Timestamp(TimeUnit::Second, _) => {
            hash_primitive!(column, TimestampSecondType, hashes, |v| v as u64)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            hash_primitive!(column, TimestampMicrosecondType, hashes, |v| v as u64)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            hash_primitive!(column, TimestampNanosecondType, hashes, |v| v as u64)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            hash_primitive!(column, IntervalMonthDayNanoType, hashes, |v| mix(
                mix(v.months as u64, v.days as u64),
                v.nanoseconds as u64
            ))
        }
        DataType::Utf8 => hash_bytes(column.as_string::<i32>().iter().map(|v| v.map(str::as_bytes)), hashes),
        DataType::LargeUtf8 => {
            hash_bytes(column.as_string::<i64>().iter().map(|v| v.map(str::as_bytes)), hashes);
        }
        DataType::Utf8View => {
            hash_bytes(column.as_string_view().iter().map(|v| v.map(str::as_bytes)), hashes);
        }
        DataType::Binary => hash_bytes(column.as_binary::<i32>().iter(), hashes),
        DataType::LargeBinary => hash_bytes(column.as_binary::<i64>().iter(), hashes),
        DataType::FixedSizeBinary(_) => hash_bytes(column.as_fixed_size_binary().iter(), hashes),
        DataType::BinaryView => hash_bytes(column.as_binary_view().iter(), hashes),
        DataType::Dictionary(_, values) => {
            let plain = cast(column, values).expect("a dictionary unpacks to its value type");
            hash_into(&plain, hashes);
        }
        DataType::List(_) => hash_lists(column.as_list(), hashes),
        _ => hash_rendered(column, hashes),
    }
}

/// An array hashes by its elements, in order, and by how many there are.
fn hash_lists(lists: &ListArray, hashes: &mut [u64]) {
    let elements = hash_columns(std::slice::from_ref(lists.values()), lists.values().len());
    let offsets = lists.value_offsets();
    for (row, hash) in hashes.iter_mut().enumerate() {
        let own = &elements[offsets[row] as usize..offsets[row + 1] as usize];
        let word = if lists.is_null(row) { NULL } else { own.len() as u64 };
        *hash = mix(*hash, word);
        if lists.is_valid(row) {
            *hash = own.iter().fold(*hash, |hash, element| mix(hash, *element));
        }
    }
}

/// Nested and rare types hash by their text, which is canonical for a value.
fn hash_rendered(column: &ArrayRef, hashes: &mut [u64]) {
    let options = arrow::util::display::FormatOptions::new().with_null("\u{0}");
    let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options)
        .expect("every Arrow type has a text form");
    for (row, hash) in hashes.iter_mut().enumerate() {
        *hash = xxh3_64_with_seed(formatter.value(row).to_string().as_bytes(), *hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use std::sync::Arc;

    fn hash(column: impl Array + 'static) -> Vec<u64> {
        let rows = column.len();
        hash_columns(&[Arc::new(column)], rows)
    }

    #[test]
    fn is_frozen() {
        let golden = [
            hash(Int64Array::from(vec![Some(0), Some(1), Some(-1), None])),
            hash(StringArray::from(vec![Some(""), Some("springtide"), None])),
            hash(Float64Array::from(vec![1.5])),
            hash(Decimal128Array::from(vec![12345_i128])),
            hash(BinaryArray::from(vec![Some(&b""[..]), Some(&b"\x00\xff"[..]), None])),
        ];
        let text = golden.iter().flatten().map(|h| format!("{h:016x}")).collect::<Vec<_>>().join(" ");
        assert_eq!(text, GOLDEN);
    }

    const GOLDEN: &str = "5170900719bf140b ae6993cfe3e116be d845b8ccff14763c 10671ea379cba27b 602b0e2cd6662c8b \
        154ce53a0bf9f8c6 10671ea379cba27b 506d282dd5be967e 03f5530cd4fdefcd \
        602b0e2cd6662c8b d76d655cb89baf54 10671ea379cba27b";

    #[test]
    fn equal_values_hash_alike() {
        assert_eq!(hash(Float64Array::from(vec![0.0])), hash(Float64Array::from(vec![-0.0])));
        assert_eq!(hash(Float64Array::from(vec![f64::NAN])), hash(Float64Array::from(vec![-f64::NAN])));
        assert_eq!(hash(Int16Array::from(vec![-7])), hash(Int64Array::from(vec![-7])));
        assert_eq!(hash(StringArray::from(vec!["a"])), hash(StringViewArray::from(vec!["a"])));
        let bytes = [&b"\xff"[..], b""];
        assert_eq!(hash(BinaryArray::from(bytes.to_vec())), hash(BinaryViewArray::from(bytes.to_vec())));
        assert_eq!(hash(BinaryArray::from(bytes.to_vec())), hash(LargeBinaryArray::from(bytes.to_vec())));
        let dictionary: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
        assert_eq!(hash(dictionary), hash(StringArray::from(vec!["a", "b"])));
    }

    #[test]
    fn arrays_hash_by_their_elements() {
        let lists = |lists: Vec<Option<Vec<Option<f64>>>>| {
            hash(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
        };
        let one = |values: &[f64]| lists(vec![Some(values.iter().copied().map(Some).collect())]);
        assert_eq!(one(&[1.0, 0.0]), one(&[1.0, -0.0]));
        assert_ne!(one(&[1.0, 2.0]), one(&[2.0, 1.0]));
        assert_ne!(lists(vec![None]), one(&[]));
        // What lies under a NULL, or before a slice, is no part of it.
        let all = lists(vec![Some(vec![Some(7.0)]), None, Some(vec![None, Some(2.0)])]);
        assert_eq!(all[2..], lists(vec![Some(vec![None, Some(2.0)])]));
        assert_eq!(all[1], hash(Int64Array::from(vec![None::<i64>]))[0]);
    }

    #[test]
    fn spreads_small_keys_over_vnodes() {
        let hashes = hash(Int64Array::from_iter_values(0..25_600));
        let mut counts = [0_u32; VNODES as usize];
        hashes.iter().for_each(|hash| counts[(hash % VNODES) as usize] += 1);
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}

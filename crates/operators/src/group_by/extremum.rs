//! `min` and `max`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, LargeListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{DataType, Field, IntervalUnit};
use springtide_state::{OrderedWeights, unfit, weights_column};
use springtide_types::{Result, SqlError};

use super::accumulator::{Accumulator, Evaluation};
use super::order_key::{Decimals, Floats, Integers, Intervals, OrderKey, Texts};

/// The accumulator for the least or greatest value of this type.
pub(super) fn create(argument: &DataType, greatest: bool, append_only: bool) -> Result<Box<dyn Accumulator>> {
    use DataType::*;
    Ok(match argument {
        Boolean
        | Int8
        | Int16
        | Int32
        | Int64
        | UInt8
        | UInt16
        | UInt32
        | Date32
        | Date64
        | Time32(_)
        | Time64(_)
        | Timestamp(_, _) => extremum::<Integers>(argument, greatest, append_only),
        Float32 | Float64 => extremum::<Floats>(argument, greatest, append_only),
        Decimal128(_, _) => extremum::<Decimals>(argument, greatest, append_only),
        Utf8 | LargeUtf8 | Utf8View => extremum::<Texts>(argument, greatest, append_only),
        Interval(IntervalUnit::MonthDayNano) => extremum::<Intervals>(argument, greatest, append_only),
        other => return Err(SqlError::unsupported(format!("min or max over values of type {other}"))),
    })
}

fn extremum<K: OrderKey>(argument: &DataType, greatest: bool, append_only: bool) -> Box<dyn Accumulator> {
    let data_type = argument.clone();
    if append_only {
        Box::new(Growing::<K> { extrema: Vec::new(), greatest, data_type })
    } else {
        Box::new(Ordered::<K> { values: OrderedWeights::new(), greatest, data_type })
    }
}

/// Over rows that are never retracted only the extremum itself is kept. O(1) per new row.
struct Growing<K: OrderKey> {
    extrema: Vec<Option<K::Key>>,
    greatest: bool,
    data_type: DataType,
}

impl<K: OrderKey> Accumulator for Growing<K> {
    fn resize(&mut self, groups: usize) {
        self.extrema.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], values: &ArrayRef, _: &[i64]) {
        let better = if self.greatest { Ordering::Greater } else { Ordering::Less };
        K::improve(&mut self.extrema, groups, values, better);
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        let keys = groups.iter().map(|group| self.extrema[*group as usize].clone());
        Evaluation::of(K::column(keys.collect(), &self.data_type))
    }

    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.evaluate(groups).column]
    }

    fn restore(&mut self, groups: &[u32], columns: &mut dyn Iterator<Item = ArrayRef>) -> Result<()> {
        let extrema = of_type(columns.next(), &self.data_type)?;
        let there = is_not_null(&extrema).map_err(|error| unfit(&error.to_string()))?;
        let keys = K::keys(&filter(&extrema, &there).map_err(|error| unfit(&error.to_string()))?);
        let there = groups.iter().zip(there.values()).filter(|(_, there)| *there);
        for ((group, _), key) in there.zip(keys) {
            self.extrema[*group as usize] = Some(key);
        }
        Ok(())
    }

    fn clear(&mut self, group: u32) {
        self.extrema[group as usize] = None;
    }

    fn bytes(&self) -> usize {
        let heap = self.extrema.iter().flatten().map(K::heap_bytes).sum::<usize>();
        self.extrema.capacity() * size_of::<Option<K::Key>>() + heap
    }
}

/// Over rows that may be retracted all values are kept, in order. O(log n) per changed row.
struct Ordered<K: OrderKey> {
    values: OrderedWeights<K::Key>,
    greatest: bool,
    data_type: DataType,
}

impl<K: OrderKey> Accumulator for Ordered<K> {
    fn resize(&mut self, _: usize) {}

    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        for ((group, key), weight) in groups.iter().zip(K::keys(values)).zip(weights) {
            self.values.add(*group, key, *weight);
        }
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        let extremum = |group: &u32| match self.greatest {
            true => self.values.last(*group, K::LEAST).cloned(),
            false => self.values.first(*group, K::LEAST).cloned(),
        };
        Evaluation::of(K::column(groups.iter().map(extremum).collect(), &self.data_type))
    }

    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let (mut keys, mut weights, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for group in groups {
            let before = keys.len();
            for (key, weight) in self.values.values_of(*group, K::LEAST) {
                keys.push(Some(key.clone()));
                weights.push(weight);
            }
            lengths.push(keys.len() - before);
        }
        let weights = Arc::new(Int64Array::from(weights));
        [K::column(keys, &self.data_type), weights].map(|values| list_of(values, &lengths)).into()
    }

    fn restore(&mut self, groups: &[u32], columns: &mut dyn Iterator<Item = ArrayRef>) -> Result<()> {
        let mut list = || columns.next().and_then(|column| column.as_list_opt::<i64>().cloned());
        let (Some(keys), Some(weights)) = (list(), list()) else {
            return Err(unfit("a column of ordered values is missing"));
        };
        for (row, group) in groups.iter().enumerate() {
            let keys = K::keys(&of_type(Some(keys.value(row)), &self.data_type)?);
            let weights = weights_column(Some(&weights.value(row)))?;
            for (key, weight) in keys.into_iter().zip(weights.values()) {
                self.values.add(*group, key, *weight);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.values.bytes(K::heap_bytes)
    }
}

/// Values in lists of these lengths.
fn list_of(values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new("value", values.data_type().clone(), true));
    Arc::new(LargeListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), values, None))
}

fn of_type(column: Option<ArrayRef>, data_type: &DataType) -> Result<ArrayRef> {
    let column = column.filter(|column| column.data_type() == data_type);
    column.ok_or_else(|| unfit("a column of least or greatest values is missing"))
}

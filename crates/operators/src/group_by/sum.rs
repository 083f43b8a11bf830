//! `sum`, exact in every type: integers and decimals in wider integers, floats in [`ExactSum`].

use std::sync::Arc;

use arrow::array::BinaryBuilder;
use arrow::array::IntervalMonthDayNanoArray;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::*;
use springtide_state::{unfit, weights_column};
use springtide_types::{Result, SqlError, SqlState};

use super::accumulator::{Accumulator, Evaluation};
use crate::ExactSum;

/// One past the greatest magnitude of `Decimal128(38, _)`.
const DECIMAL_LIMIT: i128 = 10_i128.pow(38);

/// How values of one type add up.
trait Summation: Send + 'static {
    /// A sum so far; the default is the sum of nothing.
    type State: Default + Clone + Send;

    /// Adds each value `weight` times to the state at `groups`.
    fn add(states: &mut [State<Self::State>], groups: &[u32], values: &ArrayRef, weights: &[i64]);

    /// The results, NULL for `None`.
    fn column(values: Vec<Option<&Self::State>>, output: &DataType) -> Evaluation;

    /// Appends the bytes of a sum, least significant first.
    fn encode(sum: &Self::State, bytes: &mut Vec<u8>);

    /// The sum of these bytes; `None` if they are none.
    fn decode(bytes: &[u8]) -> Option<Self::State>;

    /// Bytes held outside of the state itself.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }
}

/// The sum of a group, and of how many values: a sum of none is NULL.
#[derive(Clone, Default)]
struct State<S> {
    sum: S,
    values: i64,
}

struct Sum<S: Summation> {
    states: Vec<State<S::State>>,
    output: DataType,
}

/// The accumulator for the sum of values of this type.
pub(super) fn create(argument: &DataType, output: &DataType) -> Result<Box<dyn Accumulator>> {
    use DataType::*;
    Ok(match argument {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => sum::<Integers>(output),
        Decimal128(_, _) => sum::<Decimals>(output),
        Float32 | Float64 => sum::<Floats>(output),
        Interval(IntervalUnit::MonthDayNano) => sum::<Intervals>(output),
        other => return Err(SqlError::unsupported(format!("sum over values of type {other}"))),
    })
}

fn sum<S: Summation>(output: &DataType) -> Box<dyn Accumulator> {
    Box::new(Sum::<S> { states: Vec::new(), output: output.clone() })
}

impl<S: Summation> Accumulator for Sum<S> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, State::default());
    }

    fn update(&mut self, groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        S::add(&mut self.states, groups, values, weights);
    }

    fn evaluate(&self, groups: &[u32]) -> Evaluation {
        let states = groups.iter().map(|group| &self.states[*group as usize]);
        let sums = states.map(|state| (state.values > 0).then_some(&state.sum));
        S::column(sums.collect(), &self.output)
    }

    fn clear(&mut self, group: u32) {
        self.states[group as usize] = State::default();
    }

    fn freeze(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let states = || groups.iter().map(|group| &self.states[*group as usize]);
        let mut sums = BinaryBuilder::new();
        let mut bytes = Vec::new();
        for state in states() {
            bytes.clear();
            S::encode(&state.sum, &mut bytes);
            sums.append_value(&bytes);
        }
        let values = Int64Array::from_iter_values(states().map(|state| state.values));
        vec![Arc::new(sums.finish()), Arc::new(values)]
    }

    fn restore(&mut self, groups: &[u32], columns: &mut dyn Iterator<Item = ArrayRef>) -> Result<()> {
        let sums = columns.next().and_then(|column| column.as_binary_opt::<i32>().cloned());
        let sums = sums.ok_or_else(|| unfit("a column of sums is missing"))?;
        let values = weights_column(columns.next().as_ref())?;
        for ((group, sum), values) in groups.iter().zip(&sums).zip(values.values()) {
            let sum = sum.and_then(S::decode).ok_or_else(|| unfit("a sum is damaged"))?;
            self.states[*group as usize] = State { sum, values: *values };
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let heap = self.states.iter().map(|state| S::heap_bytes(&state.sum)).sum::<usize>();
        self.states.capacity() * size_of::<State<S::State>>() + heap
    }
}

/// Adds `value(row)` to each row's group, with `add(sum, value, weight)`.
fn add_each<S, V: Copy>(
    states: &mut [State<S>],
    groups: &[u32],
    values: &[V],
    weights: &[i64],
    add: impl Fn(&mut S, V, i64),
) {
    for ((group, value), weight) in groups.iter().zip(values).zip(weights) {
        let state = &mut states[*group as usize];
        state.values += weight;
        add(&mut state.sum, *value, *weight);
    }
}

/// Results of which some are errors.
fn checked<S, T>(
    sums: Vec<Option<&S>>,
    value: impl Fn(&S) -> Result<T>,
) -> (Vec<Option<T>>, Vec<(usize, SqlError)>) {
    let mut errors = Vec::new();
    let values = sums.into_iter().enumerate().map(|(position, sum)| match value(sum?) {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push((position, error));
            None
        }
    });
    (values.collect(), errors)
}

fn out_of_range(message: &str) -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// Sums of integers as a column of type bigint or numeric.
pub(crate) fn integer_sums(sums: Vec<Option<&i128>>, output: &DataType) -> Evaluation {
    match output {
        DataType::Decimal128(_, _) => {
            // 2^63 rows of 2^63 each still have fewer than 38 digits.
            let sums = sums.into_iter().map(Option::<&i128>::copied).collect::<Decimal128Array>();
            Evaluation::of(Arc::new(sums.with_data_type(output.clone())))
        }
        _ => {
            let narrow = |sum: &i128| i64::try_from(*sum).map_err(|_| out_of_range("bigint out of range"));
            let (sums, errors) = checked(sums, narrow);
            Evaluation { column: Arc::new(Int64Array::from(sums)), errors }
        }
    }
}

/// Sums of decimals as a column of theirs.
pub(crate) fn decimal_sums(sums: Vec<Option<&i256>>, output: &DataType) -> Evaluation {
    let narrow = |sum: &i256| match sum.to_i128() {
        Some(sum) if -DECIMAL_LIMIT < sum && sum < DECIMAL_LIMIT => Ok(sum),
        _ => Err(out_of_range("numeric field overflow")),
    };
    let (sums, errors) = checked(sums, narrow);
    Evaluation { column: Arc::new(Decimal128Array::from(sums).with_data_type(output.clone())), errors }
}

/// Integers, in 128 bits.
struct Integers;

impl Summation for Integers {
    type State = i128;

    fn add(states: &mut [State<i128>], groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        macro_rules! add {
            ($type:ty) => {{
                let values = values.as_primitive::<$type>().values();
                add_each(states, groups, values, weights, |sum, v, w| *sum += i128::from(v) * i128::from(w));
            }};
        }
        match values.data_type() {
            DataType::Int16 => add!(Int16Type),
            DataType::Int32 => add!(Int32Type),
            DataType::Int64 => add!(Int64Type),
            _ => {
                let values = cast(values, &DataType::Int64).expect("smaller integers fit");
                Integers::add(states, groups, &values, weights);
            }
        }
    }

    fn column(sums: Vec<Option<&i128>>, output: &DataType) -> Evaluation {
        integer_sums(sums, output)
    }

    fn encode(sum: &i128, bytes: &mut Vec<u8>) {
        bytes.extend(sum.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<i128> {
        bytes.try_into().ok().map(i128::from_le_bytes)
    }
}

/// Decimals, in 256 bits: 2^63 rows of 38 digits do not overflow them.
struct Decimals;

impl Summation for Decimals {
    type State = i256;

    fn add(states: &mut [State<i256>], groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        let values = values.as_primitive::<Decimal128Type>().values();
        add_each(states, groups, values, weights, |sum, value, weight| {
            let product = match weight {
                1 => i256::from_i128(value),
                _ => i256::from_i128(value).wrapping_mul(i256::from_i128(i128::from(weight))),
            };
            *sum = sum.wrapping_add(product);
        });
    }

    fn column(sums: Vec<Option<&i256>>, output: &DataType) -> Evaluation {
        decimal_sums(sums, output)
    }

    fn encode(sum: &i256, bytes: &mut Vec<u8>) {
        bytes.extend(sum.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<i256> {
        bytes.try_into().ok().map(i256::from_le_bytes)
    }
}

/// Floats, without any rounding until the result is read.
struct Floats;

impl Summation for Floats {
    type State = ExactSum;

    fn add(states: &mut [State<ExactSum>], groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        if values.data_type() == &DataType::Float32 {
            let values = values.as_primitive::<Float32Type>().values();
            add_each(states, groups, values, weights, |sum, value, weight| sum.add(value.into(), weight));
        } else {
            let values = values.as_primitive::<Float64Type>().values();
            add_each(states, groups, values, weights, ExactSum::add);
        }
    }

    fn column(sums: Vec<Option<&ExactSum>>, _: &DataType) -> Evaluation {
        let (sums, errors) = checked(sums, ExactSum::value);
        Evaluation { column: Arc::new(Float64Array::from(sums)), errors }
    }

    fn heap_bytes(sum: &ExactSum) -> usize {
        sum.heap_bytes()
    }

    fn encode(sum: &ExactSum, bytes: &mut Vec<u8>) {
        sum.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<ExactSum> {
        ExactSum::decode(bytes)
    }
}

/// Intervals, field by field: months, days, nanoseconds.
struct Intervals;

impl Summation for Intervals {
    type State = [i128; 3];

    fn add(states: &mut [State<[i128; 3]>], groups: &[u32], values: &ArrayRef, weights: &[i64]) {
        let values = values.as_primitive::<IntervalMonthDayNanoType>().values();
        add_each(states, groups, values, weights, |sum, value, weight| {
            let fields = [value.months.into(), value.days.into(), i128::from(value.nanoseconds)];
            for (sum, field) in sum.iter_mut().zip(fields) {
                *sum += field * i128::from(weight);
            }
        });
    }

    fn column(sums: Vec<Option<&[i128; 3]>>, _: &DataType) -> Evaluation {
        let narrow = |[months, days, nanoseconds]: &[i128; 3]| {
            let error = |_| out_of_range("interval out of range");
            let months = i32::try_from(*months).map_err(error)?;
            let days = i32::try_from(*days).map_err(error)?;
            let nanoseconds = i64::try_from(*nanoseconds).map_err(error)?;
            Ok(IntervalMonthDayNanoType::make_value(months, days, nanoseconds))
        };
        let (sums, errors) = checked(sums, narrow);
        Evaluation { column: Arc::new(IntervalMonthDayNanoArray::from(sums)), errors }
    }

    fn encode(sum: &[i128; 3], bytes: &mut Vec<u8>) {
        sum.iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    }

    fn decode(bytes: &[u8]) -> Option<[i128; 3]> {
        let (fields, rest) = bytes.as_chunks();
        let fields = fields.iter().map(|field| i128::from_le_bytes(*field)).collect::<Vec<_>>();
        if rest.is_empty() { fields.try_into().ok() } else { None }
    }
}

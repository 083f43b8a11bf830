//! `generate_series(first, last, step)` as an array, of which `unnest` makes rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Int64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp;
use arrow::compute::kernels::numeric::add;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Int64Type, IntervalUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use springtide_types::{SqlError, SqlState, SqlType};

use crate::errors::external;
use crate::overload::no_function;

/// What it is called.
pub(crate) const SERIES: &str = "$series";

/// More elements than this in one go are refused.
const MOST: usize = 1 << 26;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Series { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Series {
    signature: Signature,
}

/// What first and last, and the step, are.
fn types_of(given: &[DataType]) -> Result<(DataType, DataType)> {
    let wrong = || {
        let known = given.iter().map(SqlType::from_arrow).collect::<Vec<_>>();
        external(no_function("generate_series", &known))
    };
    if !(2..=3).contains(&given.len()) {
        return Err(wrong());
    }
    let ends = || given[..2].iter();
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    let zone = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, Some(_)) | DataType::Date32);
    if ends().any(|end| zone(end) || matches!(end, DataType::Timestamp(..))) {
        if given.len() < 3 {
            return Err(wrong());
        }
        let sql_type = if ends().any(zone) { SqlType::Timestamptz } else { SqlType::Timestamp };
        return Ok((sql_type.arrow(), interval));
    }
    let mut common = DataType::Int32;
    for data_type in given {
        common = match (data_type, &common) {
            (DataType::Null | DataType::Int16 | DataType::Int32 | DataType::Utf8, _) => common,
            (DataType::Int64, DataType::Int32) => DataType::Int64,
            (DataType::Int64, _) => common,
            (DataType::Decimal128(_, scale), DataType::Decimal128(_, before)) => {
                DataType::Decimal128(38, *scale.max(before))
            }
            (DataType::Decimal128(_, scale), _) => DataType::Decimal128(38, *scale),
            _ => return Err(wrong()),
        };
    }
    Ok((common.clone(), common))
}

impl ScalarUDFImpl for Series {
    fn name(&self) -> &str {
        SERIES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (end, step) = types_of(given)?;
        Ok([end.clone(), end, step].into_iter().take(given.len()).collect())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(types_of(given)?.0, true))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let element = columns[0].data_type().clone();
        let step = match columns.get(2) {
            Some(step) => step.clone(),
            None => cast(&ScalarValue::Int32(Some(1)).to_array_of_size(columns[0].len())?, &element)?,
        };
        let (mut lists, mut lengths, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let mut left = MOST;
        for row in 0..columns[0].len() {
            let is_known = [&columns[0], &columns[1], &step].iter().all(|column| column.is_valid(row));
            known.push(is_known);
            let elements = if is_known {
                series(&columns[0].slice(row, 1), &columns[1].slice(row, 1), &step.slice(row, 1), left)?
            } else {
                columns[0].slice(0, 0)
            };
            left -= elements.len();
            lengths.push(elements.len());
            lists.push(elements);
        }
        let lists = lists.iter().map(|list| list as &dyn Array).collect::<Vec<_>>();
        let values = if lists.is_empty() { arrow::array::new_empty_array(&element) } else { concat(&lists)? };
        let field = Arc::new(Field::new_list_field(element, true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(field, offsets, values, Some(NullBuffer::from(known)))?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// From `first` by steps up to `last`, or down to it. All have one row.
fn series(first: &ArrayRef, last: &ArrayRef, step: &ArrayRef, most: usize) -> Result<ArrayRef> {
    match first.data_type() {
        DataType::Int32 | DataType::Int64 => integers(first, last, step, most),
        _ => values(first, last, step, most),
    }
}

fn too_many() -> DataFusionError {
    external(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a series has too many elements"))
}

fn no_step() -> DataFusionError {
    external(SqlError::new(SqlState::from_code("22023"), "step size cannot equal zero"))
}

fn integers(first: &ArrayRef, last: &ArrayRef, step: &ArrayRef, most: usize) -> Result<ArrayRef> {
    let number = |value: &ArrayRef| -> Result<i64> {
        Ok(cast(value, &DataType::Int64)?.as_primitive::<Int64Type>().value(0))
    };
    let (first_number, last, step) = (number(first)?, number(last)?, number(step)?);
    if step == 0 {
        return Err(no_step());
    }
    let distance = i128::from(last) - i128::from(first_number);
    let steps = distance.checked_div(i128::from(step)).unwrap_or(0);
    let count = if (distance < 0) == (step < 0) || distance == 0 { steps + 1 } else { 0 };
    let count = usize::try_from(count).ok().filter(|count| *count <= most).ok_or_else(too_many)?;
    let elements = (0..count as i64).map(|position| first_number + position * step);
    Ok(cast(&Int64Array::from_iter_values(elements), first.data_type())?)
}

fn values(first: &ArrayRef, last: &ArrayRef, step: &ArrayRef, most: usize) -> Result<ArrayRef> {
    // Of an interval it counts where a step leads.
    let zero = match first.data_type() {
        DataType::Timestamp(..) => first.clone(),
        _ => cast(&ScalarValue::Int32(Some(0)).to_array()?, step.data_type())?,
    };
    let moved = match first.data_type() {
        DataType::Timestamp(..) => next(first, step)?,
        _ => Some(step.clone()),
    };
    let holds = |result: arrow::array::BooleanArray| result.value(0);
    let Some(moved) = moved else { return Ok(first.clone()) };
    let rises = holds(cmp::gt(&moved, &zero)?);
    if !rises && holds(cmp::eq(&moved, &zero)?) {
        return Err(no_step());
    }
    let mut elements = Vec::new();
    let mut value = Some(first.clone());
    while let Some(now) = value {
        let within = if rises { cmp::lt_eq(&now, last)? } else { cmp::gt_eq(&now, last)? };
        if !holds(within) {
            break;
        }
        if elements.len() == most {
            return Err(too_many());
        }
        value = next(&now, step)?;
        elements.push(now);
    }
    let elements = elements.iter().map(|element| element as &dyn Array).collect::<Vec<_>>();
    Ok(if elements.is_empty() { first.slice(0, 0) } else { concat(&elements)? })
}

/// The next value, `None` behind the last one of the type.
fn next(value: &ArrayRef, step: &ArrayRef) -> Result<Option<ArrayRef>> {
    let sum = match add(value as &dyn Datum, step as &dyn Datum) {
        Ok(sum) => sum,
        Err(_) => return Ok(None),
    };
    Ok(Some(if sum.data_type() == value.data_type() { sum } else { cast(&sum, value.data_type())? }))
}

//! `array_agg` with its order among its arguments.
//!
//! DataFusion sorts the input for an aggregate with an ORDER BY, all aggregates of a query get it so, and what is
//! distinct comes in either direction. Here each array is sorted when it is read, and without an ORDER BY keeps the
//! order in which its elements came.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::errors::external;
use crate::lists::sort_comparator;

/// What it is called, so that no user's call is taken for one.
pub(crate) const COLLECT: &str = "$array_agg";

/// The call as one whose arguments are the element, then what it is ordered by.
pub(crate) fn collected(mut call: AggregateFunction) -> AggregateFunction {
    let params = &mut call.params;
    let order = std::mem::take(&mut params.order_by);
    let options = |sort: &Sort| SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
    let collect = Collect {
        order: order.iter().map(options).collect(),
        distinct: std::mem::take(&mut params.distinct),
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    params.args.extend(order.into_iter().map(|sort| sort.expr));
    call.func = Arc::new(AggregateUDF::from(collect));
    call
}

/// How a call of [`collected`]'s is ordered, by its second argument and those that follow, and whether its elements are distinct.
pub(crate) fn collects(function: &AggregateUDF) -> Option<(&[SortOptions], bool)> {
    let collect = function.inner().as_ref().downcast_ref::<Collect>()?;
    Some((&collect.order, collect.distinct))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Collect {
    order: Vec<SortOptions>,
    distinct: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Collect {
    fn name(&self) -> &str {
        COLLECT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(types[0].clone(), true))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let types = args.expr_fields.iter().map(|field| field.data_type().clone());
        let (order, distinct) = (self.order.clone(), self.distinct);
        Ok(Box::new(Collected { fields: fields(types), order, distinct, batches: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types = args.input_fields.iter().map(|field| field.data_type().clone());
        Ok(vec![Arc::new(Field::new(args.name, rows_type(fields(types)), true))])
    }
}

fn fields(types: impl Iterator<Item = DataType>) -> Fields {
    types.enumerate().map(|(position, data_type)| Field::new(position.to_string(), data_type, true)).collect()
}

fn rows_type(fields: Fields) -> DataType {
    DataType::new_list(DataType::Struct(fields), true)
}

/// The rows so far, as they came: the element, then what it is ordered by.
#[derive(Debug)]
struct Collected {
    fields: Fields,
    order: Vec<SortOptions>,
    distinct: bool,
    batches: Vec<StructArray>,
}

impl Collected {
    fn rows(&self) -> Result<StructArray> {
        let batches = self.batches.iter().map(|batch| batch as &dyn Array).collect::<Vec<_>>();
        Ok(match batches.as_slice() {
            [] => StructArray::new_null(self.fields.clone(), 0),
            batches => concat(batches)?.as_struct().clone(),
        })
    }

    /// The elements in their order.
    fn elements(&self) -> Result<ArrayRef> {
        let rows = self.rows()?;
        let comparators = rows.columns()[1..].iter().zip(&self.order);
        let comparators = comparators.map(|(column, options)| sort_comparator(column, *options));
        let comparators = comparators.collect::<Result<Vec<_>, _>>().map_err(external)?;
        let compare = |left: u32, right: u32| {
            let mut found = comparators.iter().map(|compare| compare(left as usize, right as usize));
            found.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut positions = (0..rows.len() as u32).collect::<Vec<_>>();
        positions.sort_by(|left, right| compare(*left, *right));
        if self.distinct {
            // What is distinct is ordered by itself.
            positions.dedup_by(|next, before| compare(*before, *next).is_eq());
        }
        Ok(take(rows.column(0), &UInt32Array::from(positions), None)?)
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.batches.push(StructArray::try_new(self.fields.clone(), values.to_vec(), None)?);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        self.batches.extend(lists.iter().flatten().map(|rows| rows.as_struct().clone()));
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.rows()?;
        let item = Arc::new(Field::new_list_field(rows.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([rows.len()]);
        Ok(vec![ScalarValue::List(Arc::new(ListArray::new(item, offsets, Arc::new(rows), None)))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let elements = self.elements()?;
        let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
        if elements.is_empty() {
            return ScalarValue::try_from(DataType::List(item));
        }
        let offsets = OffsetBuffer::from_lengths([elements.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::new(item, offsets, elements, None))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.batches.iter().map(Array::get_array_memory_size).sum::<usize>()
    }
}

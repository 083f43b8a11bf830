//! Columns of arrays.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, DynComparator, ListArray, NullBufferBuilder, UInt32Array,
    make_comparator, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, interleave, take};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNanoType, IntervalUnit};
use springtide_state::{interval_length, normalize_floats};
use springtide_types::{Result, SqlError};

/// The elements of a row, by position among all.
pub(crate) fn range(lists: &ListArray, row: usize) -> Range<usize> {
    lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize
}

/// The arrays with these elements in the place of their own, as many as they have.
pub(crate) fn with_elements(lists: &ListArray, elements: ArrayRef) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    Arc::new(ListArray::new(field, lists.offsets().clone(), elements, lists.nulls().cloned()))
}

/// The same arrays, without elements that are in none of them: those of NULLs, and what a slice leaves out.
pub(crate) fn compact(lists: &ListArray) -> Result<ListArray> {
    let used = (0..lists.len()).map(|row| if lists.is_null(row) { 0 } else { range(lists, row).len() });
    if used.clone().sum::<usize>() == lists.values().len() {
        return Ok(lists.clone());
    }
    let rows = (0..lists.len()).filter(|row| lists.is_valid(*row));
    let positions = rows.flat_map(|row| range(lists, row)).map(|at| at as u32).collect::<UInt32Array>();
    let elements =
        take(lists.values(), &positions, None).map_err(|error| springtide_plan::arrow_error(&error))?;
    let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    Ok(ListArray::new(field, OffsetBuffer::from_lengths(used), elements, lists.nulls().cloned()))
}

/// Compares elements as PostgreSQL orders them, NULL after all others.
pub(crate) fn comparator(left: &ArrayRef, right: &ArrayRef) -> Result<DynComparator> {
    let options = SortOptions { descending: false, nulls_first: false };
    make_comparator(&ordered(left)?, &ordered(right)?, options)
        .map_err(|error| springtide_plan::arrow_error(&error))
}

/// Compares the values of a column for an ORDER BY. Where NULLs go says nothing of those in arrays.
pub(crate) fn sort_comparator(values: &ArrayRef, options: SortOptions) -> Result<DynComparator> {
    let (compare, nulls) = (comparator(values, values)?, values.logical_nulls());
    let is_null = move |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    Ok(Box::new(move |left, right| match (is_null(left), is_null(right)) {
        (false, false) if options.descending => compare(right, left),
        (false, false) => compare(left, right),
        (left, right) if options.nulls_first => right.cmp(&left),
        (left, right) => left.cmp(&right),
    }))
}

/// Values whose order is that of SQL: 0 and -0 are one value, and so are intervals of one length.
fn ordered(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = values.as_primitive::<IntervalMonthDayNanoType>().iter();
            Arc::new(intervals.map(|interval| interval.map(interval_length)).collect::<Decimal128Array>())
        }
        _ => normalize_floats(values),
    })
}

/// Compares two arrays element by element; one that the other begins with comes first.
pub(crate) fn compare(
    left: Range<usize>,
    right: Range<usize>,
    elements: &dyn Fn(usize, usize) -> Ordering,
) -> Ordering {
    let differ = left.clone().zip(right.clone()).map(|(i, j)| elements(i, j)).find(|found| found.is_ne());
    differ.unwrap_or_else(|| left.len().cmp(&right.len()))
}

/// Puts arrays together out of elements that are already there.
pub(crate) struct ListsOf<'a> {
    sources: Vec<&'a dyn Array>,
    picked: Vec<(usize, usize)>,
    /// How many of them are in arrays that have ended.
    ended: usize,
    lengths: Vec<usize>,
    nulls: NullBufferBuilder,
}

impl<'a> ListsOf<'a> {
    /// Elements of these columns, all of one type.
    pub(crate) fn new(sources: Vec<&'a dyn Array>) -> ListsOf<'a> {
        ListsOf {
            sources,
            picked: Vec::new(),
            ended: 0,
            lengths: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// Adds an element of a column to the array that is being made.
    pub(crate) fn pick(&mut self, source: usize, position: usize) {
        self.picked.push((source, position));
    }

    /// Adds elements of a column that follow each other.
    pub(crate) fn pick_all(&mut self, source: usize, positions: Range<usize>) {
        self.picked.extend(positions.map(|position| (source, position)));
    }

    /// Ends an array.
    pub(crate) fn end(&mut self) {
        self.lengths.push(self.picked.len() - self.ended);
        self.ended = self.picked.len();
        self.nulls.append_non_null();
    }

    /// Adds a NULL.
    pub(crate) fn null(&mut self) {
        self.lengths.push(0);
        self.nulls.append_null();
    }

    /// The arrays.
    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let element = self.sources.first().map_or(DataType::Null, |source| source.data_type().clone());
        let elements = if self.picked.is_empty() {
            new_empty_array(&element)
        } else {
            interleave(&self.sources, &self.picked).map_err(|error| springtide_plan::arrow_error(&error))?
        };
        let field = Arc::new(Field::new_list_field(element, true));
        let lists = ListArray::try_new(
            field,
            OffsetBuffer::from_lengths(self.lengths),
            elements,
            self.nulls.finish(),
        );
        Ok(Arc::new(lists.map_err(|error| SqlError::internal(error.to_string()))?))
    }
}

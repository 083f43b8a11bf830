use std::fmt;

use arrow::datatypes::DataType;
use springtide_types::SortColumn;

/// The aggregate functions that are maintained under insertions and retractions. `avg` is none of them:
/// the SQL layer writes it as a sum over a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Rows, or rows whose argument is not NULL.
    Count,
    /// Exact sum; floats add without rounding until the result is read, so they do not drift.
    Sum,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// All values, NULLs too, as an array; NULL if there are none.
    ArrayAgg,
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AggregateFunction::Count => "count",
            AggregateFunction::Sum => "sum",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
            AggregateFunction::ArrayAgg => "array_agg",
        })
    }
}

/// One aggregate of a [`GroupBy`](crate::GroupBy).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// The input column it is computed over; `None` only for `count(*)`.
    pub argument: Option<usize>,
    /// Over the distinct values of the argument.
    pub distinct: bool,
    /// The input columns by which the values of an array are ordered; those that tie are by their own order.
    pub order: Vec<SortColumn>,
    /// A boolean input column: only rows where it is true count.
    pub filter: Option<usize>,
    /// Type of the result: Int64 for count; the argument's type for min and max; for sum as PostgreSQL
    /// gives it (Int64 for smaller integers, Decimal128(38, 0) for Int64, Float64 for both floats,
    /// Decimal128(38, s) for decimals of scale s, MonthDayNano for intervals); a list of the argument's for arrays.
    pub output: DataType,
}

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use springtide_types::SortColumn;

/// The aggregate functions that are maintained under insertions and retractions. `avg` is none of them:
/// the SQL layer writes it as a sum over a count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Any other function, computed anew from the rows of a group that changes.
    Computed(Computed),
}

/// A function of all rows of a group, which come to it in their order.
#[derive(Clone)]
pub struct Computed {
    /// The function, over rows of `columns` alone.
    pub call: Arc<AggregateFunctionExpr>,
    /// The input columns that its arguments are computed from.
    pub columns: Vec<usize>,
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.call.name(), self.columns)
    }
}

impl PartialEq for Computed {
    fn eq(&self, other: &Computed) -> bool {
        self.columns == other.columns && self.call == other.call
    }
}

impl Eq for Computed {}

impl Hash for Computed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.call.name(), &self.columns).hash(state);
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AggregateFunction::Count => "count",
            AggregateFunction::Sum => "sum",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
            AggregateFunction::ArrayAgg => "array_agg",
            AggregateFunction::Computed(computed) => computed.call.fun().name(),
        })
    }
}

/// One aggregate of a [`GroupBy`](crate::GroupBy).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// The input column it is computed over; `None` for `count(*)`, and for a function that names its columns itself.
    pub argument: Option<usize>,
    /// Over the distinct values of its arguments.
    pub distinct: bool,
    /// The input columns by which the values are ordered that are kept; those that tie are by their own order.
    pub order: Vec<SortColumn>,
    /// A boolean input column: only rows where it is true count.
    pub filter: Option<usize>,
    /// Type of the result: Int64 for count; the argument's type for min and max; for sum as PostgreSQL
    /// gives it (Int64 for smaller integers, Decimal128(38, 0) for Int64, Float64 for both floats,
    /// Decimal128(38, s) for decimals of scale s, MonthDayNano for intervals); a list of the argument's for arrays;
    /// what the function gives for others.
    pub output: DataType,
}

impl Aggregate {
    /// The columns of the input that are kept of each row, for a function that needs all rows of a group: those that they are
    /// ordered by, then those of its arguments. `None` for a function that needs less.
    pub fn kept_columns(&self) -> Option<Vec<usize>> {
        let order = self.order.iter().map(|sort| sort.column);
        match &self.function {
            AggregateFunction::ArrayAgg => Some(order.chain(self.argument).collect()),
            AggregateFunction::Computed(computed) => {
                Some(order.chain(computed.columns.iter().copied()).collect())
            }
            _ => None,
        }
    }
}

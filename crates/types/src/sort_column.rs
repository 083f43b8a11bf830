/// One column of an order, as in ORDER BY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortColumn {
    /// Position of the column.
    pub column: usize,
    /// From the greatest value to the least.
    pub descending: bool,
    /// NULL comes before every value instead of after.
    pub nulls_first: bool,
}

impl SortColumn {
    /// Ascending, NULLs last: PostgreSQL's default.
    pub fn ascending(column: usize) -> SortColumn {
        SortColumn { column, descending: false, nulls_first: false }
    }
}

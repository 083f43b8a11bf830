use std::sync::Arc;

use datafusion::physical_expr::window::WindowExpr;

/// What a window function computes for each row of a partition. Arguments are columns of the input.
#[derive(Clone, Debug)]
pub enum WindowFunction {
    /// `row_number()`, `rank()` and `dense_rank()`.
    Rank(Ranking),
    /// `lag` and `lead`: the column of the row so many rows before, or behind if negative; NULL if there is none.
    Shift {
        /// Whose values are given.
        column: usize,
        /// Rows before the current one.
        before: i64,
    },
    /// `first_value`: the column of the first row of the frame; NULL if there is none.
    First(usize, Frame),
    /// `last_value`: the column of the last row of the frame; NULL if there is none.
    Last(usize, Frame),
    /// `count`: rows of the frame, of which the column is not NULL if there is one.
    Count(Option<usize>, Frame),
    /// `sum` of integers or decimals; NULL over no values.
    Sum(usize, Frame),
    /// `max`, or `min` if not `greatest`, over a frame that begins or ends with the partition; NULL over no values.
    Extreme {
        /// Whose values are compared.
        column: usize,
        /// Whether it is the greatest of them.
        greatest: bool,
        /// The rows.
        frame: Frame,
    },
    /// Any other, which DataFusion evaluates over the columns of the input, a partition at a time.
    Other(Arc<dyn WindowExpr>),
}

/// How rows are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// Peers, too, get one number each.
    RowNumber,
    /// One more than there are rows before the peers.
    Rank,
    /// One more than there are groups of peers before.
    DenseRank,
}

/// The rows, around the current one, that an aggregate is computed over. Peers are rows with the same values of ORDER BY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The first row.
    pub start: Bound,
    /// The last row.
    pub end: Bound,
}

/// Where a frame begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// With the partition.
    Partition,
    /// With the peers of the current row.
    Peers,
    /// So many rows behind the current one, or before if negative.
    Rows(i64),
}

/// How far a row's results reach: only changes to rows so near may change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// So many rows before it; all if `None`.
    pub before: Option<usize>,
    /// So many rows behind it; all if `None`.
    pub behind: Option<usize>,
    /// Rows count as groups of peers: the nearest one as a whole.
    pub peers: bool,
}

impl Reach {
    /// All of the partition.
    pub const PARTITION: Reach = Reach { before: None, behind: None, peers: false };

    /// As far as any of these functions.
    pub fn of(functions: &[WindowFunction]) -> Reach {
        let none = Reach { before: Some(0), behind: Some(0), peers: false };
        functions.iter().map(WindowFunction::reach).fold(none, |one, other| Reach {
            before: one.before.zip(other.before).map(|(one, other)| one.max(other)),
            behind: one.behind.zip(other.behind).map(|(one, other)| one.max(other)),
            peers: one.peers || other.peers,
        })
    }
}

impl WindowFunction {
    fn reach(&self) -> Reach {
        let rows = |rows: i64| Some(usize::try_from(rows).unwrap_or(0));
        match self {
            WindowFunction::Rank(ranking) => {
                Reach { before: None, behind: Some(0), peers: *ranking != Ranking::RowNumber }
            }
            WindowFunction::Shift { before, .. } => {
                Reach { before: rows(*before), behind: rows(-before), peers: false }
            }
            WindowFunction::First(_, frame)
            | WindowFunction::Last(_, frame)
            | WindowFunction::Count(_, frame)
            | WindowFunction::Sum(_, frame)
            | WindowFunction::Extreme { frame, .. } => {
                let far = |bound: Bound, sign: i64| match bound {
                    Bound::Rows(offset) => rows(sign * offset),
                    Bound::Peers => Some(0),
                    Bound::Partition => None,
                };
                Reach {
                    before: far(frame.start, -1),
                    behind: far(frame.end, 1),
                    peers: [frame.start, frame.end].contains(&Bound::Peers),
                }
            }
            WindowFunction::Other(_) => Reach::PARTITION,
        }
    }
}

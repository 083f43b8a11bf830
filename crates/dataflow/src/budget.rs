/// Rows that an operator may move in one activation.
pub(crate) const ROWS_PER_ACTIVATION: usize = 16 * 1024;

/// What a step costs at least, in rows, so that a long queue of tiny deltas ends an activation too.
const LEAST_COST: usize = 32;

/// The work that an operator may do before it must yield, so that one explosive join or one hydrating view
/// does not hold up the other views of its worker.
pub(crate) struct Budget(usize);

impl Budget {
    /// The budget of one activation.
    pub(crate) fn new() -> Budget {
        Budget(ROWS_PER_ACTIVATION)
    }

    /// Accounts for one step over this many rows.
    pub(crate) fn spend(&mut self, rows: usize) {
        self.0 = self.0.saturating_sub(rows.max(LEAST_COST));
    }

    /// Whether it is time to yield.
    pub(crate) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

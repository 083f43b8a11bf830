use springtide_plan::{GroupBy, Node};
use springtide_state::Frozen;
use springtide_types::SqlError;

use crate::{GroupByOperator, Input, Operator, Output, Status};

/// δ: each row once. It is GROUP BY all columns, without aggregates.
///
/// Δ(δ(R)) = +r where the weight of r becomes positive, −r where it ceases to be.
/// Cost: O(1) per changed row; state: one counter per distinct row.
pub struct DistinctOperator {
    groups: GroupByOperator,
}

impl DistinctOperator {
    /// The operator over this input.
    pub fn new(input: &Node) -> DistinctOperator {
        let schema = input.schema();
        let keys = (0..schema.fields().len()).collect();
        let plan = GroupBy { input: input.clone(), keys, aggregates: Vec::new(), schema };
        DistinctOperator { groups: GroupByOperator::new(&plan, false) }
    }
}

impl Operator for DistinctOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        self.groups.step(input, output)
    }

    fn freeze(&self) -> Frozen {
        self.groups.freeze()
    }

    fn restore(&mut self, state: &mut Frozen) -> Result<(), SqlError> {
        self.groups.restore(state)
    }

    fn state_bytes(&self) -> usize {
        self.groups.state_bytes()
    }
}

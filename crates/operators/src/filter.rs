use springtide_plan::Filter;
use springtide_types::SqlError;

use crate::evaluate::{Exprs, retain_true};
use crate::{Input, Operator, Output, Status};

/// σ: rows for which a predicate is true. Linear, so stateless.
///
/// Δ(σ(R)) = σ(ΔR). Cost: O(1) per changed row.
#[derive(Debug)]
pub struct FilterOperator {
    predicate: Exprs,
}

impl FilterOperator {
    /// The operator of this plan node.
    pub fn new(plan: &Filter) -> FilterOperator {
        FilterOperator { predicate: Exprs::new([plan.predicate.clone()], &plan.input.schema()) }
    }
}

impl Operator for FilterOperator {
    fn step(&mut self, input: Input, output: &mut Output) -> Result<Status, SqlError> {
        if let Input::Delta(_, delta) = input {
            let kept = retain_true(&self.predicate, &delta, output);
            output.push(kept);
        }
        Ok(Status::Done)
    }
}

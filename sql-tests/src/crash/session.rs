use fastrand::Rng;

use crate::workload::{Model, Transaction, Wire};

/// One client.
pub(super) struct Session {
    pub(super) model: Model,
    pub(super) random: Rng,
}

/// What a session has to say after its connection broke.
pub(super) struct Ended {
    /// Transactions that were acknowledged.
    pub(super) commits: u64,
    /// Transactions that were overtaken by others.
    pub(super) conflicts: u64,
    /// What was acknowledged; and what there is if the transaction that was under way has taken effect.
    pub(super) candidates: Vec<Model>,
    pub(super) violation: Option<String>,
}

impl Session {
    /// Runs transactions until the connection breaks.
    pub(super) async fn work(mut self, mut connection: Wire) -> Ended {
        let mut ended = Ended { commits: 0, conflicts: 0, candidates: Vec::new(), violation: None };
        loop {
            let transaction = Transaction::random(&mut self.random, &self.model);
            match transaction.run(&mut connection).await {
                Ok(()) => {
                    ended.commits += 1;
                    self.model = transaction.after;
                }
                Err(failure) if failure.is_conflict() => ended.conflicts += 1,
                Err(failure) => {
                    if failure.sqlstate.is_some() {
                        ended.violation = Some(format!("{failure}: {:?}", transaction.steps));
                    }
                    ended.candidates = vec![self.model, transaction.after];
                    return ended;
                }
            }
        }
    }
}

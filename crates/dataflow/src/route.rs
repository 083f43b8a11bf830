use std::rc::Rc;

use springtide_types::Epoch;
use springtide_types::ZBatch;
use springtide_types::hash::{VNODES, hash_columns, worker_of};
use timely::communication::{Pull, Push};
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, ParallelizationContract, Pipeline};
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::logging::TimelyLogger;
use timely::progress::Stamp;
use timely::worker::Worker;

use crate::container::Delta;

/// Which worker a row goes to on its way into an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The worker that it is on.
    Stay,
    /// The worker that owns the hash of these columns. No columns: one worker for all rows.
    Hash(Vec<usize>),
}

/// One type for both kinds, so that operators with any number of ports of any kind have one form.
impl ParallelizationContract<Epoch, Delta> for Route {
    type Pusher = Box<dyn Push<Message<Epoch, Delta>>>;
    type Puller = Box<dyn Pull<Message<Epoch, Delta>>>;

    fn connect(
        self,
        worker: &Worker,
        channel: usize,
        address: Rc<[usize]>,
        logging: Option<TimelyLogger>,
    ) -> (Self::Pusher, Self::Puller) {
        match self {
            Route::Stay => {
                let (pusher, puller) = Pipeline.connect(worker, channel, address, logging);
                (Box::new(pusher), Box::new(puller))
            }
            Route::Hash(columns) => {
                let pact = DistributorPact(move |_workers| HashDistributor { columns });
                let (pusher, puller) = pact.connect(worker, channel, address, logging);
                (Box::new(pusher), Box::new(puller))
            }
        }
    }
}

/// Sends each row to the worker that owns its hash. Nothing is held back, so there is nothing to flush.
struct HashDistributor {
    columns: Vec<usize>,
}

impl Distributor<Delta> for HashDistributor {
    fn partition<T: Clone, P: Push<Message<T, Delta>>>(
        &mut self,
        delta: &mut Delta,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let Some(rows) = delta.take() else { return };
        let mut sent = 0;
        for (worker, part) in partition(&rows, &self.columns, pushers.len()) {
            sent += part.len();
            Message::push_at(&mut Delta::from(part), stamp.clone(), &mut pushers[worker]);
        }
        assert_eq!(sent, rows.len(), "progress tracking counts every record");
    }

    fn flush<T: Clone, P: Push<Message<T, Delta>>>(&mut self, _stamp: &Stamp<T>, _pushers: &mut [P]) {}
}

/// The rows of each worker that owns any, in their order.
pub(crate) fn partition(rows: &ZBatch, columns: &[usize], workers: usize) -> Vec<(usize, ZBatch)> {
    let keys = columns.iter().map(|column| rows.column(*column).clone()).collect::<Vec<_>>();
    let owners = (0..VNODES).map(|vnode| worker_of(vnode, workers)).collect::<Vec<_>>();
    let mut indices = vec![Vec::<u32>::with_capacity(rows.len() / workers * 5 / 4); workers];
    for (row, hash) in hash_columns(&keys, rows.len()).into_iter().enumerate() {
        indices[owners[(hash % VNODES) as usize]].push(row as u32);
    }
    let owned = indices.into_iter().enumerate().filter(|(_, indices)| !indices.is_empty());
    owned
        .map(|(worker, indices)| {
            let all = indices.len() == rows.len();
            (worker, if all { rows.clone() } else { rows.select(indices.into()) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use std::sync::Arc;

    fn numbers(values: impl IntoIterator<Item = i64>) -> ZBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        ZBatch::inserts(RecordBatch::try_from_iter([("n", column)]).unwrap())
    }

    #[test]
    fn equal_keys_meet_and_no_row_is_lost() {
        let parts = partition(&numbers((0..1000).map(|n| n % 10)), &[0], 3);
        let total: usize = parts.iter().map(|(_, part)| part.len()).sum();
        assert_eq!(total, 1000);
        for (worker, part) in parts {
            let hashes = hash_columns(part.columns(), part.len());
            assert!(hashes.iter().all(|hash| worker_of(*hash, 3) == worker));
        }
    }

    #[test]
    fn without_keys_one_worker_owns_all() {
        let parts = partition(&numbers(0..5), &[], 3);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].1.len(), 5);
    }
}

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::UInt32Array;
use springtide_state::{Relation, consolidate, may_cancel};
use springtide_types::{Epoch, SqlError, ZBatch};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};

use crate::adapter::least;
use crate::budget::ROWS_PER_ACTIVATION;
use crate::container::Delta;
use crate::errors::ErrorLog;
use crate::guard::guarded;
use crate::hub::{Change, Hub};
use crate::route::Route;

/// Called after the frontier of a view has moved, so that readers who wait for it can look again.
pub(crate) type OnProgress = Arc<dyn Fn() + Send + Sync>;

/// Where the rows of a view end up on one worker.
pub(crate) struct Sink {
    /// Brings the deletion of a row to where its insertion is.
    pub(crate) route: Route,
    /// The contents of the view.
    pub(crate) contents: Arc<Relation>,
    /// The epoch as of which the contents are complete already, if they are.
    pub(crate) loaded: Option<Epoch>,
    /// This worker's shard of them.
    pub(crate) shard: usize,
    /// Nothing that an epoch brings cancels out.
    pub(crate) consolidated: bool,
    /// The dataflows that import the view.
    pub(crate) hub: Rc<RefCell<Hub>>,
    /// The errors of the operators on this worker.
    pub(crate) errors: ErrorLog,
    /// Told when the frontier has moved.
    pub(crate) on_progress: OnProgress,
}

/// Applies the deltas and errors of each epoch to the contents of the view, in the order of epochs, and
/// publishes them to the views on it. What cancels out within an epoch, because a row was updated back and forth, is left
/// out before and costs nothing downstream.
pub(crate) fn sink(scope: Scope<'_, Epoch>, stream: Stream<'_, Epoch, Delta>, sink: Sink) {
    let mut builder = OperatorBuilder::new("Sink".to_owned(), scope);
    let mut input = builder.new_input(stream, sink.route.clone());
    let mut applier = Applier { sink, epochs: BTreeMap::new(), frontier: 0 };
    builder.build(move |_capabilities| {
        move |frontiers| {
            input.for_each_stamp(|capability, deltas| {
                if let Some(epoch) = capability.least() {
                    applier.stash(*epoch, deltas.filter_map(Delta::take));
                }
            });
            applier.advance(least(frontiers));
        }
    });
}

impl Sink {
    fn apply(&self, epoch: Epoch, deltas: Vec<ZBatch>) -> Result<(), SqlError> {
        let deltas = if !self.consolidated && may_cancel(&deltas) {
            vec![consolidate(&ZBatch::concat(self.contents.schema(), &deltas))]
        } else {
            deltas
        };
        for delta in deltas.into_iter().filter(|delta| !delta.is_empty()) {
            for part in by_sign(&delta) {
                self.contents.apply(self.shard, epoch, &part);
            }
            self.hub.borrow().publish(epoch, &Change::Rows(delta));
        }
        Ok(())
    }
}

/// What goes, then what comes. Apart, they need not be consolidated again where they are applied.
fn by_sign(delta: &ZBatch) -> Vec<ZBatch> {
    if delta.is_insert_only() || delta.is_delete_only() {
        return vec![delta.clone()];
    }
    let weights = delta.weights().values();
    let (inserts, deletes): (Vec<u32>, Vec<u32>) =
        (0..delta.len() as u32).partition(|row| weights[*row as usize] > 0);
    [deletes, inserts].map(|rows| delta.take(&UInt32Array::from(rows))).into()
}

struct Applier {
    sink: Sink,
    epochs: BTreeMap<Epoch, Vec<ZBatch>>,
    frontier: Epoch,
}

impl Applier {
    fn stash(&mut self, epoch: Epoch, deltas: impl Iterator<Item = ZBatch>) {
        self.epochs.entry(epoch).or_default().extend(deltas);
    }

    /// Applies every epoch before `frontier`, all of which are complete, and makes that known.
    fn advance(&mut self, frontier: Epoch) {
        while let Some(epoch) = self.first_epoch().filter(|epoch| *epoch < frontier) {
            self.apply_rows(epoch);
            self.apply_errors(epoch);
        }
        self.relieve(frontier);
        if frontier > self.frontier {
            self.frontier = frontier;
            self.sink.hub.borrow_mut().advance(frontier);
            self.sink.contents.advance(self.sink.shard, frontier);
            (self.sink.on_progress)();
        }
    }

    fn first_epoch(&self) -> Option<Epoch> {
        let of_rows = self.epochs.keys().next().copied();
        let of_errors = self.sink.errors.first_epoch();
        of_rows.into_iter().chain(of_errors).min()
    }

    /// Applies what there is of the first incomplete epoch once that is a lot, so that hydration neither
    /// piles up rows nor ends in one long pause. Nobody can read the epoch yet.
    fn relieve(&mut self, frontier: Epoch) {
        let rows = |deltas: &Vec<ZBatch>| deltas.iter().map(ZBatch::len).sum::<usize>();
        if self.epochs.get(&frontier).is_some_and(|deltas| rows(deltas) >= ROWS_PER_ACTIVATION) {
            self.apply_rows(frontier);
        }
    }

    /// Whether what an epoch brings is in the contents already.
    fn is_loaded(&self, epoch: Epoch) -> bool {
        self.sink.loaded.is_some_and(|loaded| epoch <= loaded)
    }

    fn apply_rows(&mut self, epoch: Epoch) {
        let Some(deltas) = self.epochs.remove(&epoch) else { return };
        if self.is_loaded(epoch) {
            return;
        }
        if let Err(error) = guarded(|| self.sink.apply(epoch, deltas)) {
            self.sink.errors.poison(epoch, error);
        }
    }

    fn apply_errors(&mut self, epoch: Epoch) {
        let errors = self.sink.errors.take(epoch);
        if !errors.is_empty() && !self.is_loaded(epoch) {
            self.sink.contents.apply_errors(self.sink.shard, epoch, &errors);
            self.sink.hub.borrow().publish(epoch, &Change::Errors(errors.into()));
        }
    }
}

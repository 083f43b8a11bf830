//! A consistent cut through the state of a view, without stopping it.
//!
//! The state of an operator between two epochs is a function of the epochs before. So each operator on each worker hands
//! out its state on its own, when it is done with the epoch of the cut and has not begun a later one; nobody waits for
//! anybody. Source: Carbone et al., *Lightweight Asynchronous Snapshots for Distributed Dataflows*, 2015, whose barriers
//! are epochs here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use springtide_state::Frozen;
use springtide_types::Epoch;

/// The state of one operator on one worker.
#[derive(Clone, Debug)]
pub struct OperatorState {
    /// Which worker.
    pub worker: usize,
    /// Which operator: its place among those of the view that keep state, in the order of rendering.
    pub operator: usize,
    /// What it keeps.
    pub state: Frozen,
}

/// A cut that has been asked for.
#[derive(Debug)]
pub struct Freeze {
    epoch: Epoch,
    /// How many cuts of the view had been asked for with this one: a checkpoint that fails is tried again at the same epoch.
    number: u64,
    states: Mutex<Vec<OperatorState>>,
    missing: AtomicUsize,
    failed: AtomicBool,
}

impl Freeze {
    /// The epoch of the cut.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether every operator has handed out its state. That may never be if the view is dropped.
    pub fn is_complete(&self) -> bool {
        self.missing.load(Ordering::Acquire) == 0
    }

    /// Takes the states of a complete cut, by worker and operator; `None` if an operator had none that is of use.
    pub fn take(&self) -> Option<Vec<OperatorState>> {
        let mut states = std::mem::take(&mut *self.states.lock());
        states.sort_by_key(|state| (state.worker, state.operator));
        (!self.failed.load(Ordering::Acquire)).then_some(states)
    }

    fn put(&self, state: Option<OperatorState>) {
        match state {
            Some(state) => self.states.lock().push(state),
            None => self.failed.store(true, Ordering::Release),
        }
        self.missing.fetch_sub(1, Ordering::Release);
    }
}

/// Where the operators of one view, on all workers, learn of a cut.
#[derive(Debug, Default)]
pub(crate) struct Freezer {
    /// How many cuts have been asked for.
    asked: AtomicU64,
    /// The newest of them.
    freeze: Mutex<Option<Arc<Freeze>>>,
}

impl Freezer {
    /// Asks for a cut after `epoch`, of which nothing later has been sent to the workers yet, from this many operators in
    /// all. It takes the place of one that is not complete.
    pub(crate) fn ask(&self, epoch: Epoch, operators: usize) -> Arc<Freeze> {
        let mut newest = self.freeze.lock();
        let number = newest.as_ref().map_or(0, |freeze| freeze.number) + 1;
        let missing = AtomicUsize::new(operators);
        let failed = AtomicBool::new(false);
        let freeze = Arc::new(Freeze { epoch, number, states: Mutex::default(), missing, failed });
        *newest = Some(freeze.clone());
        // Whoever sees a row of a later epoch sees this, too: the row was sent after it.
        self.asked.store(number, Ordering::Release);
        freeze
    }
}

/// One operator's part in the cuts of its view.
pub(crate) struct Participant {
    pub(crate) freezer: Arc<Freezer>,
    pub(crate) worker: usize,
    pub(crate) operator: usize,
    /// The number of the last cut that it took part in.
    done: u64,
}

impl Participant {
    pub(crate) fn new(freezer: Arc<Freezer>, worker: usize, operator: usize) -> Participant {
        Participant { freezer, worker, operator, done: 0 }
    }

    /// Whether a cut waits for this operator.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.freezer.asked.load(Ordering::Acquire) > self.done
    }

    /// Hands out the state, if there is one, to a cut that waits for an operator which has ended all epochs before `next`
    /// and begun none from it on.
    pub(crate) fn pass(&mut self, next: Epoch, state: impl FnOnce() -> Option<Frozen>) {
        if !self.is_waited_for() {
            return;
        }
        let Some(freeze) = self.freezer.freeze.lock().clone() else { return };
        if freeze.epoch < next {
            self.done = freeze.number;
            let (worker, operator) = (self.worker, self.operator);
            freeze.put(state().map(|state| OperatorState { worker, operator, state }));
        }
    }
}

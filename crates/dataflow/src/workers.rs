use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use springtide_types::{Epoch, RelationId, ZBatch};
use timely::communication::WorkerGuards;

use crate::command::{Blueprint, Command, CreateView};
use crate::freeze::{Freeze, Freezer};
use crate::meters::Meters;
use crate::render::operators_with_state;
use crate::worker::Worker;

/// A delta of more rows than this is spread over the workers as it comes in.
const ROWS_TO_SPREAD: usize = 1024;

/// The worker threads of this process. All calls must come in one order, from one thread at a time; dropping
/// them stops the threads.
pub struct Workers {
    commands: Vec<Sender<Command>>,
    threads: Option<WorkerGuards<()>>,
    views: Mutex<HashMap<RelationId, View>>,
    meters: Arc<Meters>,
    commits: AtomicUsize,
}

/// What is shared with the workers of a view.
struct View {
    /// How many operators, on all workers, keep state.
    operators: usize,
    freezer: Arc<Freezer>,
}

impl Workers {
    /// Starts this many threads. `on_progress` is called from them after the frontier of a view has moved.
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    pub fn start(workers: usize, on_progress: Arc<dyn Fn() + Send + Sync>) -> Workers {
        let (commands, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| channel()).unzip();
        let receivers = receivers.into_iter().map(Some).collect::<Vec<Option<Receiver<Command>>>>();
        let receivers = Mutex::new(receivers);
        let threads = timely::execute(timely::Config::process(workers), move |timely| {
            let commands = receivers.lock()[timely.index()].take().expect("each worker starts once");
            Worker::new(timely, on_progress.clone()).run(&commands);
        });
        let threads = Some(threads.expect("worker threads start"));
        let (views, meters) = (Mutex::default(), Arc::default());
        Workers { commands, threads, views, meters, commits: AtomicUsize::new(0) }
    }

    /// Begins to maintain a view.
    pub fn create_view(&self, create: CreateView) {
        let operators = operators_with_state(&create.plan.root) * self.commands.len();
        let blueprint = Arc::new(Blueprint::new(create, self.commands.len()));
        self.meters.insert(blueprint.view, blueprint.meters.clone());
        let freezer = blueprint.freezer.clone();
        self.views.lock().insert(blueprint.view, View { operators, freezer });
        self.send(|_| Command::CreateView(blueprint.clone()));
    }

    /// Stops maintaining a view once it is complete before an epoch, and frees what its dataflow holds. No view that goes on
    /// longer may depend on it.
    pub fn drop_view(&self, view: RelationId, until: Epoch) {
        self.views.lock().remove(&view);
        self.meters.remove(view);
        self.send(|_| Command::DropView(view, until));
    }

    /// Sends the changes of one commit, which completes `epoch`. Called for each epoch in ascending order,
    /// after the changes have been applied to the contents of the tables.
    pub fn commit(&self, epoch: Epoch, deltas: Vec<(RelationId, ZBatch)>) {
        let mut parts = self.spread(deltas);
        self.send(|worker| Command::Commit { epoch, deltas: std::mem::take(&mut parts[worker]) });
    }

    /// What the operators of the views do and hold, also for those who do not hold the workers. The contents of views are
    /// not among it.
    pub fn meters(&self) -> Arc<Meters> {
        self.meters.clone()
    }

    /// Asks for the state of a view between `epoch`, the last that was sent to the workers, and what comes after. `None`
    /// if there is no such view.
    pub fn freeze(&self, view: RelationId, epoch: Epoch) -> Option<Arc<Freeze>> {
        let views = self.views.lock();
        let known = views.get(&view)?;
        let freeze = known.freezer.ask(epoch, known.operators);
        self.send(|_| Command::Wake(view));
        Some(freeze)
    }

    /// Stops the threads and waits for them.
    pub fn shutdown(self) {
        drop(self);
    }

    /// Each worker's part of the deltas. Small ones go to one worker, another one with each commit.
    fn spread(&self, deltas: Vec<(RelationId, ZBatch)>) -> Vec<Vec<(RelationId, ZBatch)>> {
        let workers = self.commands.len();
        let turn = self.commits.fetch_add(1, Ordering::Relaxed) % workers;
        let mut parts = vec![Vec::new(); workers];
        for (table, delta) in deltas {
            if delta.len() <= ROWS_TO_SPREAD {
                parts[turn].push((table, delta));
                continue;
            }
            let length = delta.len().div_ceil(workers);
            for (worker, offset) in (0..delta.len()).step_by(length).enumerate() {
                parts[worker].push((table, delta.slice(offset, length.min(delta.len() - offset))));
            }
        }
        parts
    }

    fn send(&self, mut command: impl FnMut(usize) -> Command) {
        let threads = self.threads.iter().flat_map(|threads| threads.guards());
        for (worker, (commands, thread)) in self.commands.iter().zip(threads).enumerate() {
            if commands.send(command(worker)).is_err() {
                tracing::error!(worker, "a worker thread has died");
            }
            thread.thread().unpark();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.commands.clear();
        let Some(threads) = self.threads.take() else { return };
        threads.guards().iter().for_each(|thread| thread.thread().unpark());
        for (worker, ended) in threads.join().into_iter().enumerate() {
            if let Err(panic) = ended {
                tracing::error!(worker, panic, "a worker thread had panicked");
            }
        }
    }
}

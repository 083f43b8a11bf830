use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use springtide_plan::{Node, Source, ViewPlan};
use springtide_state::{Frozen, Relation};
use springtide_types::{Epoch, RelationId, ZBatch};

use crate::freeze::{Freezer, OperatorState};
use crate::meters::ViewMeters;
use crate::snapshot::{Hydration, Snapshot};

/// Everything that it takes to begin maintaining a view.
pub struct CreateView {
    /// The view.
    pub view: RelationId,
    /// What it computes.
    pub plan: Arc<ViewPlan>,
    /// The last epoch that was committed. The view starts from its inputs as of then.
    pub as_of: Epoch,
    /// The contents of every relation that the plan reads. They must stay readable at `as_of` until
    /// `on_hydrated` is called.
    pub inputs: HashMap<RelationId, Arc<Relation>>,
    /// Where the rows of the view go: one shard per worker.
    pub contents: Arc<Relation>,
    /// What is known of the view already.
    pub beginning: Beginning,
    /// Called once, from a worker, when all of the inputs as of `as_of` have gone into the dataflow, or
    /// when the view is dropped before that.
    pub on_hydrated: Box<dyn FnOnce() + Send>,
}

/// What is known of a view when it begins.
#[derive(Debug)]
pub enum Beginning {
    /// Nothing: its inputs as of the beginning go through it.
    New,
    /// Its contents are complete as of the beginning. The inputs go through it all the same, for the state of its operators.
    Loaded,
    /// Its contents are complete as of the beginning, and so is the state of its operators as of an earlier epoch.
    Resumed {
        /// That state, by worker and operator, of as many workers as there are now.
        operators: Vec<OperatorState>,
        /// What has changed since then in each of the relations that the plan reads.
        changes: HashMap<RelationId, Vec<ZBatch>>,
    },
}

/// What the workers are told, all in the same order.
pub(crate) enum Command {
    /// Begins to maintain a view.
    CreateView(Arc<Blueprint>),
    /// Stops maintaining a view once it is complete up to an epoch.
    DropView(RelationId, Epoch),
    /// Wakes the operators of a view that a cut waits for.
    Wake(RelationId),
    /// Changes to tables, this worker's part of them, which complete an epoch.
    Commit { epoch: Epoch, deltas: Vec<(RelationId, ZBatch)> },
}

/// What the workers share to render one view.
pub(crate) struct Blueprint {
    pub(crate) view: RelationId,
    pub(crate) plan: Arc<ViewPlan>,
    pub(crate) as_of: Epoch,
    pub(crate) contents: Arc<Relation>,
    /// One for each source of the plan, in the order in which they are rendered.
    pub(crate) snapshots: Vec<Arc<Snapshot>>,
    pub(crate) hydration: Arc<Hydration>,
    /// What the operators of all workers do and hold.
    pub(crate) meters: Arc<ViewMeters>,
    /// Whether `contents` are complete as of the beginning.
    pub(crate) is_loaded: bool,
    /// The state with which the operators of each worker begin, in the order in which they are rendered; `None` if they
    /// begin with nothing.
    pub(crate) states: Option<Vec<Mutex<VecDeque<Frozen>>>>,
    /// Asks the operators for their state.
    pub(crate) freezer: Arc<Freezer>,
}

impl Blueprint {
    /// Draws up the shared parts of a view.
    pub(crate) fn new(create: CreateView, workers: usize) -> Blueprint {
        let is_loaded = !matches!(create.beginning, Beginning::New);
        let (states, changes) = match create.beginning {
            Beginning::New | Beginning::Loaded => (None, None),
            Beginning::Resumed { operators, changes } => (Some(by_worker(operators, workers)), Some(changes)),
        };
        let meters = Arc::new(ViewMeters::new(&create.plan.root, workers));
        let mut snapshots = Vec::new();
        for_each_source(&create.plan.root, &mut |source| {
            let input =
                create.inputs.get(&source.relation).expect("every source of a plan is among the inputs");
            let snapshot = match &changes {
                None => Snapshot::new(input.clone(), create.as_of),
                Some(changes) => {
                    let rows = changes.get(&source.relation).map_or(&[][..], Vec::as_slice);
                    Snapshot::of(input.clone(), create.as_of, rows)
                }
            };
            snapshots.push(Arc::new(snapshot));
        });
        Blueprint {
            view: create.view,
            plan: create.plan,
            as_of: create.as_of,
            contents: create.contents,
            snapshots,
            hydration: Arc::new(Hydration::new(create.on_hydrated)),
            meters,
            is_loaded,
            states,
            freezer: Arc::default(),
        }
    }
}

fn by_worker(operators: Vec<OperatorState>, workers: usize) -> Vec<Mutex<VecDeque<Frozen>>> {
    let mut states = (0..workers).map(|_| VecDeque::new()).collect::<Vec<_>>();
    operators.into_iter().for_each(|operator| states[operator.worker].push_back(operator.state));
    states.into_iter().map(Mutex::new).collect()
}

/// Depth first, inputs in port order, as rendering goes.
fn for_each_source(node: &Node, visit: &mut impl FnMut(&Source)) {
    match node {
        Node::Source(source) => visit(source),
        _ => node.inputs().into_iter().for_each(|input| for_each_source(input, visit)),
    }
}

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use springtide_plan::{Node, Source, ViewPlan};
use springtide_state::Relation;
use springtide_types::{Epoch, RelationId, ZBatch};

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
    /// Called once, from a worker, when all of the inputs as of `as_of` have gone into the dataflow, or
    /// when the view is dropped before that.
    pub on_hydrated: Box<dyn FnOnce() + Send>,
}

/// What the workers are told, all in the same order.
pub(crate) enum Command {
    /// Begins to maintain a view.
    CreateView(Arc<Blueprint>),
    /// Stops maintaining a view.
    DropView(RelationId),
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
    /// Bytes that the operators of all workers hold.
    pub(crate) state_bytes: Arc<AtomicUsize>,
}

impl Blueprint {
    /// Draws up the shared parts of a view.
    pub(crate) fn new(create: CreateView) -> Blueprint {
        let mut snapshots = Vec::new();
        for_each_source(&create.plan.root, &mut |source| {
            let input =
                create.inputs.get(&source.relation).expect("every source of a plan is among the inputs");
            snapshots.push(Arc::new(Snapshot::new(input.clone(), create.as_of)));
        });
        Blueprint {
            view: create.view,
            plan: create.plan,
            as_of: create.as_of,
            contents: create.contents,
            snapshots,
            hydration: Arc::new(Hydration::new(create.on_hydrated)),
            state_bytes: Arc::default(),
        }
    }
}

/// Depth first, inputs in port order, as rendering goes.
fn for_each_source(node: &Node, visit: &mut impl FnMut(&Source)) {
    match node {
        Node::Source(source) => visit(source),
        _ => node.inputs().into_iter().for_each(|input| for_each_source(input, visit)),
    }
}
